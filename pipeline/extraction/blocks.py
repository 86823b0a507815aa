"""How likely each block of a page's content is content: a logistic model over fifteen plain features.

The rules of `maintext` find the part of the page that is the text; captions, datelines, teasers and notices
stand in it under any name. What gives them away is general: short, in links, outside the run of brothers that
the paragraphs form, sharing no word with the title. `tests/gates/fit_blocks.py` fits the weights and prints
them with their cross-validated effect. About 0.3 ms a page.
"""

import math
import re
from typing import NamedTuple

from lxml import etree

from pipeline.extraction.sizes import Block, Measured, drop

# Ours: below this probability a block is dropped. Swept .2 to .5 under cross-validation by site: F1 is flat
# from .3 to .45; the lower part keeps more text.
MIN_PROBABILITY = 0.35
# Ours: text longer than this is never dropped, whatever stands around it.
MAX_DROPPED_CHARS = 400
_LABEL_CHARS = 40
_SENTENCE_CHARS = 100
_WORD = re.compile(r"\w{3,}")
_SIGNS = re.compile(r"[|»›©@→]")


class Features(NamedTuple):
    """What the model sees of one block; flags are 0 or 1."""

    is_kept: float
    """The rules kept it: always 1 here, both when the model is fitted."""
    is_label: float
    is_sentence: float
    link_fraction: float
    has_no_name: float
    """The element has neither class nor id, as paragraphs written by an author."""
    brother_before: float
    """The block before the last one hangs from the same element; next but one: `brother_after`."""
    brother_after: float
    next_link_fraction: float
    log_blocks_after: float
    log_page_mass: float
    has_signs: float
    """It holds one of the signs that pages set between or before links."""
    title_words: float
    """Fraction of the title's words that occur in it."""
    in_article: float
    in_table: float
    in_figure: float


# Ours: fitted by tests/gates/fit_blocks.py.
WEIGHTS = Features(
    is_kept=2.682,
    is_label=-1.056,
    is_sentence=1.624,
    link_fraction=-2.937,
    has_no_name=1.100,
    brother_before=0.770,
    brother_after=0.868,
    next_link_fraction=-1.007,
    log_blocks_after=0.326,
    log_page_mass=-0.532,
    has_signs=-1.769,
    title_words=2.136,
    in_article=0.747,
    in_table=2.430,
    in_figure=-1.708,
)
BIAS = 0.160


def features(blocks: list[Block], place: int, text: str, title: frozenset[str], page_mass: int) -> Features:
    """Features of `blocks[place]`, whose text is `text`; `title` are the words of the page's title."""
    block = blocks[place]
    element = block.element
    around = {ancestor.tag for ancestor in element.iterancestors()}
    following = blocks[place + 1] if place + 1 < len(blocks) else None
    return Features(
        is_kept=1.0,
        is_label=block.chars < _LABEL_CHARS,
        is_sentence=block.chars >= _SENTENCE_CHARS,
        link_fraction=block.links / block.chars,
        has_no_name=not (element.get("class") or element.get("id")),
        brother_before=place > 1 and blocks[place - 2].parent is block.parent,
        brother_after=place + 2 < len(blocks) and blocks[place + 2].parent is block.parent,
        next_link_fraction=1.0 if following is None else following.links / following.chars,
        log_blocks_after=math.log(len(blocks) - place),
        log_page_mass=math.log(max(1, page_mass)),
        has_signs=_SIGNS.search(text) is not None,
        title_words=len(title.intersection(_WORD.findall(text.lower()))) / max(1, len(title)),
        in_article="article" in around,
        in_table="table" in around,
        in_figure="figure" in around,
    )


def words_of(title: str) -> frozenset[str]:
    """The words of a title that `features` compares with."""
    return frozenset(_WORD.findall(title.lower()))


def drop_unlikely(
    content: etree._Element,
    blocks: list[Block],
    sizes: dict[etree._Element, Measured],
    title: str,
    mark: str,
    page_mass: int,
) -> None:
    """Drop the blocks below `content` that are unlikely to be content.

    `blocks` and `page_mass` are the whole page's, as measured before anything was dropped. Blocks that hold a
    piece of code or a formula (their words start with `mark`) stay.
    """
    title_words = words_of(title)
    kept = set(content.iter(etree.Element))
    for place, block in enumerate(blocks):
        if not block.is_leaf or block.chars > MAX_DROPPED_CHARS or block.element not in kept:
            continue
        text = "".join(block.element.itertext())
        if mark in text or block.element is content:
            continue
        if probability(features(blocks, place, text, title_words, page_mass)) < MIN_PROBABILITY:
            drop(block.element, sizes)


def probability(seen: Features) -> float:
    """How likely a block with these features is content."""
    score = BIAS + sum(weight * value for weight, value in zip(WEIGHTS, seen, strict=True))
    return 1 / (1 + math.exp(-score))
