"""Small edits of lxml trees that keep the text around an element."""

import re
from dataclasses import dataclass

from lxml import etree

_REFUSED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CLASSES = etree.XPath("//@class", smart_strings=False)
_STYLES = etree.XPath("//@style", smart_strings=False)
_TEX_ATTRIBUTES = etree.XPath("boolean(//span/@data-latex | //div/@data-latex)")

# Elements that do not end the line that they stand in.
INLINE = frozenset([
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "data", "del", "dfn", "em", "font", "hi", "i",
    "ins", "label", "mark", "nobr", "ref", "s", "small", "span", "strike", "strong", "sub", "sup", "time",
    "tt", "u", "var", "wbr", "ruby", "rb",
])  # fmt: skip


@dataclass(frozen=True)
class Inventory:
    """What a page has, collected once, so that no code searches for what it lacks."""

    tags: frozenset[str]
    classes: str
    """All distinct `class` values, joined by spaces."""
    class_names: frozenset[str]
    styles: str
    """All distinct `style` values, joined by spaces."""
    has_tex_attributes: bool
    """Whether a `<span>` or `<div>` has the attribute `data-latex`."""


def inventory_of(tree: etree._Element) -> Inventory:
    """Collect the tags, classes and styles of every element of `tree`."""
    tags = {element.tag for element in tree.iter(etree.Element)}
    classes = " ".join(set(_CLASSES(tree)))
    return Inventory(
        tags=frozenset(tags),
        classes=classes,
        class_names=frozenset(classes.split()),
        styles=" ".join(set(_STYLES(tree))),
        has_tex_attributes=bool(_TEX_ATTRIBUTES(tree)),
    )


def class_of(element: etree._Element) -> str:
    """Return the `class` attribute, "" if absent."""
    return element.get("class") or ""


def text_up_to(element: etree._Element, length: int) -> str:
    """Return the text of `element`; of a longer one a beginning that is longer than `length`."""
    parts: list[str] = []
    for part in element.itertext():
        parts.append(part)
        length -= len(part)
        if length < 0:
            break
    return "".join(parts)


def settable(text: str) -> str:
    """Remove the characters that lxml refuses in text although its parser accepts them (`&#1;`)."""
    return _REFUSED.sub("", text)


def xml_of(source: str) -> etree._Element | None:
    """Parse an XML fragment as far as possible and return its root; None if there is none."""
    try:
        return etree.fromstring(
            source.encode("utf-8", "replace"), etree.XMLParser(recover=True, resolve_entities=False)
        )
    except etree.XMLSyntaxError:
        return None


def remove(element: etree._Element) -> None:
    """Remove `element` from the tree and keep its tail."""
    parent = element.getparent()
    if parent is None:
        return
    if element.tail:
        previous = element.getprevious()
        if previous is not None:
            previous.tail = (previous.tail or "") + element.tail
        else:
            parent.text = (parent.text or "") + element.tail
    parent.remove(element)


def replace_by_text(element: etree._Element, text: str, block: bool) -> None:
    """Replace `element` by `text`, within the line or as a paragraph (`<p class="slot">`)."""
    element.clear(keep_tail=True)
    element.text = text
    if block and text:
        element.tag = "p"
        element.set("class", "slot")
    else:
        element.tag = "span"
