"""Small edits of lxml trees that keep the text around an element."""

from lxml import etree


def class_of(element: etree._Element) -> str:
    """The `class` attribute, "" when absent."""
    return element.get("class") or ""


def remove(element: etree._Element) -> None:
    """Take `element` out of the tree and keep its tail."""
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
    """Put `text` in the place of `element`: in the line, or as a paragraph of its own (`<p class="slot">`)."""
    element.clear(keep_tail=True)
    element.text = text
    if block and text:
        element.tag = "p"
        element.set("class", "slot")
    else:
        element.tag = "span"
