"""Find code that only its monospaced font marks, as editors and blogs paste it.

An element is monospaced if its style or `<font>` says so, or if all its text is in monospaced elements. The
outermost monospaced elements that follow each other are one run, for an editor may paste a `<div>` or `<p>`
per line.
"""

from collections.abc import Iterator

from lxml import etree

from pipeline.extraction.tree.tree import Inventory

_FONTS = (
    "monospace", "courier", "consolas", "menlo", "monaco", "lucida console", "fixedsys", "andale mono",
    "source code pro",
    "jetbrains mono",
)  # fmt: skip
_STYLED = etree.XPath("//*[@style or @face][not(ancestor::pre or ancestor::textarea)]")
_FACES = etree.XPath("//font/@face", smart_strings=False)
_CODE_TAGS = frozenset(("code", "tt", "kbd", "samp"))
# Elements that may hold a code block, or a line of one.
_HOLDERS = frozenset([
    "div", "p", "td", "blockquote", "span", "font", "li", "dd", "section", "b", "i", "em", "strong", "a", "u",
])  # fmt: skip
# Our choice: pasted code is nested only a few levels deep.
MAX_NESTING = 6


def has_monospaced(tree: etree._Element, inventory: Inventory) -> bool:
    """Whether a style or a `<font>` of the page names a monospaced font."""
    if "font" in inventory.styles and _is_monospaced(inventory.styles):
        return True
    return "font" in inventory.tags and _is_monospaced(" ".join(set(_FACES(tree))))


def _is_monospaced(fonts: str) -> bool:
    fonts = fonts.lower()
    return any(font in fonts for font in _FONTS)


def monospaced_runs(tree: etree._Element) -> Iterator[list[etree._Element]]:
    """Yield runs of outermost monospaced elements outside `<pre>`, with the `<br>` between them."""
    reader = _Fonts({element for element in _STYLED(tree) if _names_font(element)})
    seen: set[etree._Element] = set()
    for element in _STYLED(tree) if reader.marked else ():
        if element not in reader.marked or element in seen:
            continue
        root = reader.outermost(element)
        if root in seen:
            continue
        run = [root]
        while (following := _following(run[-1])) is not None and reader.is_monospaced(following, 0):
            run.append(following)
        seen.update(inner for member in run for inner in member.iter())
        yield run


def _names_font(element: etree._Element) -> bool:
    style = element.get("style", "")
    face = element.get("face", "") if element.tag == "font" else ""
    return _is_monospaced(face) or ("font" in style and _is_monospaced(style))


def _following(element: etree._Element) -> etree._Element | None:
    """Return the next sibling if no text stands between."""
    return None if element.tail and element.tail.strip() else element.getnext()


class _Fonts:
    """The elements whose font is monospaced; answers are kept, so that each element is read once."""

    def __init__(self, marked: set[etree._Element]) -> None:
        self.marked = marked
        self._known: dict[etree._Element, bool] = {}

    def outermost(self, element: etree._Element) -> etree._Element:
        """Return the outermost element around `element` that is monospaced as a whole."""
        for _ in range(MAX_NESTING):
            parent = element.getparent()
            if parent is None or not self.is_monospaced(parent, 0):
                break
            element = parent
        return element

    def is_monospaced(self, element: etree._Element, depth: int) -> bool:
        """Whether all text of the element is monospaced; a `<br>` and an empty element are."""
        known = self._known.get(element)
        if known is None:
            known = self._known[element] = self._read(element, depth)
        return known

    def _read(self, element: etree._Element, depth: int) -> bool:
        if element in self.marked or element.tag == "br" or element.tag in _CODE_TAGS:
            return True
        if element.tag not in _HOLDERS or depth > MAX_NESTING or (element.text or "").strip():
            return False
        return all(
            not (child.tail or "").strip() and self.is_monospaced(child, depth + 1) for child in element
        )
