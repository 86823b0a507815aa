"""Read the lines of a code element as the page shows them.

The tree is read once into a list of texts and marks, and the list is then laid out in lines:
1. A newline in the text or a `<br>` ends a line. Where the source has a newline after every `<br>`, both are
   one end.
2. A box is an element that is a line of its own: `<div>`, `<li>` or a row anywhere, and `<span class="line">`
   where such elements hold all of the text. A box begins a line and ends it. The break at its end, or the one
   that follows it, does not count again.
3. Line numbers are dropped. An element that holds only a number at the beginning of its line is a line number
   by its class, or if every line has one and they count up (or rise and are links to themselves).
The cost is linear in the size of the element.
"""

import textwrap

from lxml import etree

from pipeline.extraction.code.class_roles import role_of
from pipeline.extraction.code.gutters import (
    counts_up,
    has_number_class,
    is_gutter,
    is_tool,
    line_number,
    links_to_itself,
)
from pipeline.extraction.code.layout import (
    ENDS,
    SOURCE_NEWLINE,
    Mark,
    Number,
    Part,
    laid_out,
    without_numbers,
)
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import class_of

# Our choice: highlighters nest tokens only a few levels deep.
MAX_DEPTH = 200
_BOXES = frozenset(["div", "li", "tr", "td", "th", "p", "pre", "dd", "dt"])
_LINE_TAGS = frozenset(("span", "code", "a"))
# Newlines between the children of these are white space of the source.
_SPACED_TAGS = frozenset(("table", "tbody", "thead", "tfoot", "tr", "ol", "ul", "dl"))
_NO_CODE = frozenset(
    ("button", "svg", "script", "style", "textarea", "template", "select", "noscript", "thead", "caption")
)
_NUMBER_TAGS = frozenset(["a", "span", "i", "b", "font", "em", "code", "small", "label", "strong", "u"])
_TOKEN_TAGS = frozenset(
    ["span", "code", "a", "b", "i", "em", "strong", "font", "tt", "var", "small", "u", "samp", "kbd"]
)
_HAS_MARKS = etree.XPath("boolean(.//@data-line|.//@data-line-number|.//@data-code-marker|.//@download)")
_SPACES = str.maketrans({"\u00a0": " ", "\u2002": " ", "\u2003": "  ", "\u200b": None, "\u00ad": None})


def code_text(element: etree._Element, slots: Slots) -> str:
    """Return the text of a code element with its lines as shown, without gutters and buttons."""
    text = _text_of(element, drops_gutters=True) or _text_of(element, drops_gutters=False)
    if slots.mark in text:
        pieces = slots.split(text)
        pieces[1::2] = [slots.pieces[int(number)].strip("$`\n") for number in pieces[1::2]]
        text = "".join(pieces)
    return text


def _text_of(element: etree._Element, drops_gutters: bool) -> str:
    if drops_gutters and _is_simple(element):
        text = "".join(element.itertext())
        # Numbers may be line numbers if the first line has one.
        if not text.lstrip()[:1].isdigit():
            return "\n".join(_trimmed(text.split("\n")))
    parts: list[Part] = []
    _Reader(parts, drops_gutters).read(element, 0)
    is_doubled = _breaks_are_doubled(element)
    text = "\n".join(_trimmed(without_numbers(laid_out(parts, is_doubled))))
    # Where `<br>` ends the lines, the source may be indented as a whole.
    return textwrap.dedent(text) if is_doubled and element.tag != "pre" else text


def _is_simple(element: etree._Element) -> bool:
    """Whether the element's lines are those of its text: it holds nothing but inline elements of tokens."""
    for inner in element.iterdescendants():
        tag = inner.tag
        if tag not in _TOKEN_TAGS:
            return False
        classes = inner.get("class")
        if classes is not None:
            role = role_of(classes)
            if role.is_number or role.is_tool or role.is_line or (tag == "a" and role.is_cell_number):
                return False
    return not _HAS_MARKS(element) and not (element.tag == "pre" and len(element.findall("code")) > 1)


def _trimmed(lines: list[str]) -> list[str]:
    """Return the lines with plain spaces, without the blank ones at both ends."""
    lines = [_plain(line) for line in lines]
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return lines


def _plain(line: str) -> str:
    """Return a line with plain spaces; one of no-break spaces alone is empty."""
    if line.isascii():
        return line
    return "" if "\u00a0" in line and not line.strip() else line.translate(_SPACES)


class _Reader:
    """Reads a tree into `parts`."""

    def __init__(self, parts: list[Part], drops_gutters: bool) -> None:
        self.parts = parts
        self.drops_gutters = drops_gutters

    def read(self, element: etree._Element, depth: int) -> None:
        """Add the text of everything in `element`."""
        is_spaced = element.tag in _SPACED_TAGS or _has_only_boxes(element)
        self._add(element.text, is_spaced)
        has_lines = len(element) > 1 and _has_inline_boxes(element)
        drops_column = (
            self.drops_gutters and element.tag in ("table", "tbody") and _has_number_column(element)
        )
        for child in element:
            tag = child.tag
            if tag == "br":
                self.parts.append(Mark.BREAK)
            elif isinstance(tag, str) and tag not in _NO_CODE:
                if drops_column and tag == "tr":
                    self._read_row(child, depth + 1)
                else:
                    self._read_child(child, has_lines, depth)
            self._add(child.tail, is_spaced)

    def _read_child(self, child: etree._Element, has_lines: bool, depth: int) -> None:
        tag = child.tag
        if self.drops_gutters and (is_gutter(child) or is_tool(child)):
            # A gutter in the line may be followed by a space that belongs to it.
            number = line_number(child) if tag not in _BOXES else None
            if number is not None:
                self.parts.append(Number("", number, is_named=True, is_link=False))
            return
        number = line_number(child) if self.drops_gutters and tag in _NUMBER_TAGS else None
        if number is not None:
            text = "".join(child.itertext())
            self.parts.append(Number(text, number, has_number_class(child), links_to_itself(child)))
            return
        box = self._box_of(child, has_lines)
        if box is not None:
            self.parts.append(box)
        marker = child.get("data-code-marker")
        if marker and len(marker) == 1:
            self.parts.append(marker)
        if depth < MAX_DEPTH:
            self.read(child, depth + 1)
        else:
            self.parts.append("".join(child.itertext()))
        if box is not None:
            self.parts.append(ENDS[box])

    def _box_of(self, child: etree._Element, has_lines: bool) -> Mark | None:
        """Return the mark with which the box of an element begins; None if it is no box."""
        tag = child.tag
        if tag in _BOXES:
            is_high = _holds_text(child) or tag in ("li", "tr") or role_of(class_of(child)).is_line
            return Mark.BOX if is_high else None
        if tag not in _LINE_TAGS or not (_is_line(child) or (has_lines and tag == "code")):
            return None
        return Mark.LINE if has_lines else Mark.LINE_PART

    def _read_row(self, row: etree._Element, depth: int) -> None:
        """Read a row whose cells before the last hold line numbers."""
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        self.parts.append(Mark.BOX)
        if cells:
            self.read(cells[-1], depth + 1)
        self.parts.append(Mark.BOX_END)

    def _add(self, text: str | None, is_spaced: bool) -> None:
        if text and not (is_spaced and not text.strip()):
            self.parts.append(text)


def _has_only_boxes(element: etree._Element) -> bool:
    """Whether all text of the element is in block-level children."""
    if not len(element) or (element.text or "").strip():
        return False
    return all(child.tag in _BOXES and not (child.tail or "").strip() for child in element)


def _holds_text(element: etree._Element) -> bool:
    """Whether a block has a height: it holds text or a break."""
    return bool(element.text) or len(element) > 0


def _is_line(element: etree._Element) -> bool:
    return role_of(class_of(element)).is_line or element.get("data-line") is not None


def _has_inline_boxes(element: etree._Element) -> bool:
    """Whether the inline children that are named lines hold all text of `element`."""
    num_lines = 0
    if (element.text or "").strip():
        return False
    for child in element:
        if (child.tail or "").strip():
            return False
        if child.tag in _LINE_TAGS and (_is_line(child) or (child.tag == "code" and element.tag == "pre")):
            num_lines += 1
        elif (
            child.tag not in ("br", "button")
            and not is_gutter(child)
            and any(text.strip() for text in child.itertext())
        ):
            return False
    return num_lines > 1


def _has_number_column(table: etree._Element) -> bool:
    """Whether the first cells of the rows count up."""
    firsts = []
    for row in table.iterchildren("tr"):
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        if len(cells) < 2:
            return False
        firsts.append("".join(cells[0].itertext()).strip())
    return counts_up(firsts)


def _breaks_are_doubled(element: etree._Element) -> bool:
    """Whether a newline of the source follows each `<br>` or run of them, so that both end the same line."""
    ends = [
        br
        for br in element.iter("br")
        if not _is_followed_by_break(br) and (br.tail or br.getnext() is not None)
    ]
    return bool(ends) and all(SOURCE_NEWLINE.match(br.tail or "") for br in ends)


def _is_followed_by_break(br: etree._Element) -> bool:
    following = br.getnext()
    return not br.tail and following is not None and following.tag == "br"
