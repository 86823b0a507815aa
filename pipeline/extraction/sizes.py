"""Sizes of every element's text: how much there is, how much of it is in links, how much is running text."""

from lxml import etree

from pipeline.extraction.tree import remove

_BLOCKS = frozenset([
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "li", "main",
    "ol", "p", "section", "summary", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "ul", "caption",
])  # fmt: skip
# Ours: running text is at least so long, links not counted; shorter text is labels. Swept 20 to 80.
MIN_RUNNING_CHARS = 40
# Ours: a block of code or a displayed formula, one word in the tree, counts as a sentence of this length.
SLOT_CHARS = 200


class Measured:
    """Sizes of one element's text, everything under it included."""

    __slots__ = ("chars", "links", "mass")

    def __init__(self) -> None:
        self.chars = 0
        self.links = 0
        self.mass = 0


def measure(element: etree._Element, sizes: dict[etree._Element, Measured]) -> Measured:
    """Fill `sizes` for `element` and everything below it."""
    size = Measured()
    text = element.text
    own = len(text.strip()) if text else 0
    if own and element.tag == "p" and element.get("class") == "slot":
        own = SLOT_CHARS
    chars = links = mass = own_links = 0
    for child in element:
        inner = measure(child, sizes)
        tag = child.tag
        if tag in _BLOCKS:
            chars += inner.chars
            links += inner.links
            mass += inner.mass
        elif tag == "a":
            # What stands in a link is a teaser for another page, whatever its length.
            own += inner.chars
            own_links += inner.chars
        else:
            own += inner.chars
            own_links += inner.links
            mass += inner.mass
        text = child.tail
        if text:
            own += len(text.strip())
    if own - own_links >= MIN_RUNNING_CHARS and element.tag in _BLOCKS:
        mass += own - own_links
    size.chars = chars + own
    size.links = links + own_links
    size.mass = mass
    sizes[element] = size
    return size


def drop(element: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Take `element` out of the tree and its sizes out of its ancestors'."""
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
