"""Measure every element's text: its characters, those in links, and those of running text."""

from typing import NamedTuple

from lxml import etree

from pipeline.extraction.tree.tree import remove

_BLOCKS = frozenset([
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "li", "main",
    "ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "caption",
])  # fmt: skip
# Our choice: running text has at least this many characters outside links; shorter text is labels. Swept 20
# to 80.
MIN_RUNNING_CHARS = 40
# Our choice: a code block or displayed formula is one word in the tree and counts as a sentence of this
# length.
SLOT_CHARS = 200


class Measured:
    """Sizes of one element's text, including everything below it."""

    __slots__ = ("chars", "links", "mass", "own", "own_links")

    def __init__(self, chars: int, links: int, mass: int, own: int, own_links: int) -> None:
        self.chars = chars
        self.links = links
        self.mass = mass
        self.own = own
        self.own_links = own_links


_NOTHING = Measured(0, 0, 0, 0, 0)


class Block(NamedTuple):
    """The text of one element outside the blocks below it: its characters, those in links, the element."""

    element: etree._Element
    parent: etree._Element | None
    chars: int
    links: int
    is_leaf: bool
    """Whether the element holds no other block."""


def measure(element: etree._Element, sizes: dict[etree._Element, Measured], blocks: list[Block]) -> Measured:
    """Fill `sizes` for `element` and all below it, and `blocks` with the blocks that have text, in order."""
    text = element.text
    own = len(text.strip()) if text else 0
    if not len(element) and not own:
        sizes[element] = _NOTHING
        return _NOTHING
    num_blocks = len(blocks)
    if own and element.tag == "p" and element.get("class") == "slot":
        own = SLOT_CHARS
    # `chars` and `links` count text in blocks below; `own` counts the text in this element's own lines.
    chars = links = mass = own_links = 0
    for child in element if len(element) else ():
        inner = measure(child, sizes, blocks)
        tag = child.tag
        if tag == "a":
            # Text in a link is a teaser for another page, whatever its length.
            own += inner.chars
            own_links += inner.chars
        else:
            mass += inner.mass
            if tag in _BLOCKS:
                chars += inner.chars
                links += inner.links
            else:
                own += inner.own
                own_links += inner.own_links
                chars += inner.chars - inner.own
                links += inner.links - inner.own_links
        text = child.tail
        if text:
            own += len(text.strip())
    if own and element.tag in _BLOCKS:
        if own - own_links >= MIN_RUNNING_CHARS:
            mass += own - own_links
        blocks.append(Block(element, element.getparent(), own, own_links, len(blocks) == num_blocks))
    size = Measured(chars + own, links + own_links, mass, own, own_links)
    sizes[element] = size
    return size


def drop(element: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Remove `element` from the tree and its sizes from its ancestors' sizes."""
    size = sizes[element]
    for ancestor in element.iterancestors():
        outer = sizes.get(ancestor)
        if outer is None:
            break
        outer.chars -= size.chars
        outer.links -= size.links
        outer.mass -= size.mass
    for inner in element.iter():
        sizes.pop(inner, None)
    remove(element)
