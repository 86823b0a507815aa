"""Estimate how likely each block of a page is content: a logistic model over fifteen plain features.

The rules of `maintext` find the part of the page that holds the text. Captions, datelines, teasers and
notices remain in it under any class name. They have common properties: they are short, consist of links, have
no sibling paragraphs around them, and share no word with the title. `tests/gates/fit_blocks.py` fits the
weights and prints them with their cross-validated effect. Cost: about 0.3 ms per page.
"""

import math
import re
from operator import mul
from typing import NamedTuple

from lxml import etree

from pipeline.extraction.web.sizes import Block, Measured, drop

# Our choice: a block below this probability is dropped. Swept .2 to .5 with cross-validation by site: F1 is
# flat from .3 to .5.
MIN_PROBABILITY = 0.4
# Our choice: longer text is never dropped. Swept 150 to 400: F1 is flat.
MAX_DROPPED_CHARS = 250
# Our choice: shorter text is a label, and longer text than the second bound holds a sentence.
_LABEL_CHARS = 40
_SENTENCE_CHARS = 100
# Never dropped alone: a heading is dropped if nothing follows it, and a list or table is kept or dropped as a
# whole.
_PARTS = frozenset([
    "h1", "h2", "h3", "h4", "h5", "h6", "li", "dt", "dd", "td", "th", "caption", "figcaption",
])  # fmt: skip
_WHOLES = frozenset(("li", "dd", "blockquote"))
_WORD = re.compile(r"\w{3,}")
_SIGNS = re.compile(r"[|»›©@→]")


class Features(NamedTuple):
    """The model's input for one block; flags are 0 or 1."""

    is_kept: float
    """Whether the rules kept the block: always 1 here; 0 and 1 when the weights are fitted."""
    is_label: float
    is_sentence: float
    link_fraction: float
    has_no_name: float
    """The element has neither class nor id, like most paragraphs that an author writes."""
    sibling_before: float
    """Whether the second block before has the same parent; `sibling_after`: the second block behind."""
    sibling_after: float
    next_link_fraction: float
    log_blocks_after: float
    log_page_mass: float
    has_signs: float
    """It contains one of the signs that pages set between or before links."""
    title_words: float
    """Fraction of the title's words that occur in the block."""
    in_article: float
    in_table: float
    in_figure: float


# Our choice: fitted by tests/gates/fit_blocks.py.
WEIGHTS = Features(
    is_kept=2.673,
    is_label=-1.065,
    is_sentence=1.612,
    link_fraction=-3.014,
    has_no_name=1.077,
    sibling_before=0.796,
    sibling_after=0.852,
    next_link_fraction=-1.056,
    log_blocks_after=0.327,
    log_page_mass=-0.528,
    has_signs=-1.817,
    title_words=2.197,
    in_article=0.778,
    in_table=2.460,
    in_figure=-1.705,
)
BIAS = 0.127


class BlockModel:
    """The model for the blocks of one page, measured before anything was dropped."""

    def __init__(self, blocks: list[Block], title: str, page_mass: int) -> None:
        """Take the page's blocks, its title, and its number of characters of running text."""
        self.blocks = blocks
        self._title = frozenset(_WORD.findall(title.lower()))
        self._log_page_mass = math.log(max(1, page_mass))
        # Tags of all ancestors of the blocks with this parent.
        self._around: dict[etree._Element, frozenset[str]] = {}

    def may_drop(self, block: Block) -> bool:
        """Whether the model decides on the block; parts of lists, tables, quotations and long text stay."""
        return (
            block.is_leaf
            and block.chars <= MAX_DROPPED_CHARS
            and block.element.tag not in _PARTS
            and self._tags_around(block).isdisjoint(_WHOLES)
        )

    def features(self, place: int, text: str) -> Features:
        """Return the features of the block at index `place`, whose text is `text`."""
        blocks = self.blocks
        block = blocks[place]
        element = block.element
        around = self._tags_around(block)
        following = blocks[place + 1] if place + 1 < len(blocks) else None
        return Features(
            is_kept=1.0,
            is_label=block.chars < _LABEL_CHARS,
            is_sentence=block.chars >= _SENTENCE_CHARS,
            link_fraction=block.links / block.chars,
            has_no_name=not (element.get("class") or element.get("id")),
            sibling_before=place > 1 and blocks[place - 2].parent is block.parent,
            sibling_after=place + 2 < len(blocks) and blocks[place + 2].parent is block.parent,
            next_link_fraction=1.0 if following is None else following.links / following.chars,
            log_blocks_after=math.log(len(blocks) - place),
            log_page_mass=self._log_page_mass,
            has_signs=_SIGNS.search(text) is not None,
            title_words=len(self._title.intersection(_WORD.findall(text.lower()))) / max(1, len(self._title)),
            in_article="article" in around,
            in_table="table" in around,
            in_figure="figure" in around,
        )

    def _tags_around(self, block: Block) -> frozenset[str]:
        parent = block.parent
        if parent is None:
            return frozenset()
        around = self._around.get(parent)
        if around is None:
            ancestors = block.element.iterancestors()
            around = self._around[parent] = frozenset(ancestor.tag for ancestor in ancestors)
        return around


def probability(seen: Features) -> float:
    """Return the probability that a block with these features is content."""
    return 1 / (1 + math.exp(-BIAS - sum(map(mul, WEIGHTS, seen))))


def drop_unlikely(
    content: etree._Element, model: BlockModel, sizes: dict[etree._Element, Measured], mark: str
) -> None:
    """Drop the blocks below `content` that are unlikely to be content.

    Blocks with code or formulas stay; `mark` begins the placeholders of these.
    """
    kept = set(content.iter(etree.Element))
    for place, block in enumerate(model.blocks):
        if block.element not in kept or block.element is content or not model.may_drop(block):
            continue
        text = "".join(block.element.itertext())
        if mark not in text and probability(model.features(place, text)) < MIN_PROBABILITY:
            drop(block.element, sizes)
