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

import re
import textwrap
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from operator import lt

from lxml import etree

from pipeline.extraction.code.gutters import (
    counts_up,
    is_gutter,
    has_number_class,
    is_tool,
    line_number,
    links_to_itself,
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
_LINE_NAME = re.compile(r"(?<!in)(?<!new)(?<!under)(?<!over)(?<!out)(?<!multi)(?<!head)(?<!base)(?:line|row)")
_LINE_NAMES = frozenset(("cl", "blob-code-inner"))
_SPACES = str.maketrans({"\u00a0": " ", "\u2002": " ", "\u2003": "  ", "\u200b": None, "\u00ad": None})
# A break, white space of the source, and the newline after it.
_SOURCE_NEWLINE = re.compile(r"[ \t]{0,200}\n")


class _Mark(Enum):
    BREAK = auto()
    BOX = auto()
    """A block-level box begins."""
    BOX_END = auto()
    LINE = auto()
    """An inline box begins: all text around is in such boxes."""
    LINE_END = auto()
    LINE_PART = auto()
    """An inline element begins that is a box only if it begins its line."""
    LINE_PART_END = auto()


_ENDS = {_Mark.BOX: _Mark.BOX_END, _Mark.LINE: _Mark.LINE_END, _Mark.LINE_PART: _Mark.LINE_PART_END}


@dataclass(frozen=True)
class _Number:
    """The text of an element that holds only a number."""

    text: str
    value: int
    is_named: bool
    """Whether its class is that of line numbers."""
    is_link: bool
    """Whether it is a link to its own place."""


@dataclass
class _Line:
    number: _Number | None = None
    text: list[str] = field(default_factory=list)

    def is_blank(self) -> bool:
        return not any(part.strip() for part in self.text)


_Part = str | _Mark | _Number


def code_text(element: etree._Element, slots: Slots) -> str:
    """Return the text of a code element with its lines as shown, without gutters and buttons."""
    text = _text_of(element, drops_gutters=True) or _text_of(element, drops_gutters=False)
    if slots.mark in text:
        pieces = slots.split(text)
        pieces[1::2] = [slots.pieces[int(number)].strip("$`\n") for number in pieces[1::2]]
        text = "".join(pieces)
    return text


def _text_of(element: etree._Element, drops_gutters: bool) -> str:
    parts: list[_Part] = []
    _Reader(parts, drops_gutters).read(element, 0)
    is_doubled = _breaks_are_doubled(element)
    lines = _laid_out(parts, is_doubled)
    # A line of one no-break space is an empty line to which a highlighter gave a height.
    texts = [_plain(text) for text in _without_numbers(lines)]
    while texts and not texts[0].strip():
        del texts[0]
    while texts and not texts[-1].strip():
        del texts[-1]
    text = "\n".join(texts)
    # Where `<br>` ends the lines, the source may be indented as a whole.
    return textwrap.dedent(text) if is_doubled and element.tag != "pre" else text


def _plain(line: str) -> str:
    """Return a line with plain spaces; one of no-break spaces alone is empty."""
    if line.isascii():
        return line
    return "" if "\u00a0" in line and not line.strip() else line.translate(_SPACES)


class _Reader:
    """Reads a tree into `parts`."""

    def __init__(self, parts: list[_Part], drops_gutters: bool) -> None:
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
                self.parts.append(_Mark.BREAK)
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
                self.parts.append(_Number("", number, is_named=True, is_link=False))
            return
        number = line_number(child) if self.drops_gutters and tag in _NUMBER_TAGS else None
        if number is not None:
            text = "".join(child.itertext())
            self.parts.append(_Number(text, number, has_number_class(child), links_to_itself(child)))
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
            self.parts.append(_ENDS[box])

    def _box_of(self, child: etree._Element, has_lines: bool) -> _Mark | None:
        """Return the mark with which the box of an element begins; None if it is no box."""
        tag = child.tag
        if tag in _BOXES:
            is_high = _holds_text(child) or tag in ("li", "tr") or _is_line_name(class_of(child))
            return _Mark.BOX if is_high else None
        if tag not in _LINE_TAGS or not (_is_line(child) or (has_lines and tag == "code")):
            return None
        return _Mark.LINE if has_lines else _Mark.LINE_PART

    def _read_row(self, row: etree._Element, depth: int) -> None:
        """Read a row whose cells before the last hold line numbers."""
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        self.parts.append(_Mark.BOX)
        if cells:
            self.read(cells[-1], depth + 1)
        self.parts.append(_Mark.BOX_END)

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


def _is_line_name(classes: str) -> bool:
    """Whether a class names a line ("line", "token-line", "codeLine"), and not, say, "inline"."""
    if not classes:
        return False
    for name in classes.lower().split():
        found = _LINE_NAME.search(name, max(0, len(name) - 5))
        if name in _LINE_NAMES or (found is not None and found.end() == len(name)):
            return True
    return False


def _is_line(element: etree._Element) -> bool:
    return _is_line_name(class_of(element)) or element.get("data-line") is not None


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
        elif child.tag not in ("br", "button") and not is_gutter(child) and "".join(child.itertext()).strip():
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
    return bool(ends) and all(_SOURCE_NEWLINE.match(br.tail or "") for br in ends)


def _is_followed_by_break(br: etree._Element) -> bool:
    following = br.getnext()
    return not br.tail and following is not None and following.tag == "br"


def _laid_out(parts: list[_Part], breaks_are_doubled: bool) -> list[_Line]:
    """Return the lines of `parts`; the last one may be empty."""
    layout = _Layout()
    for place, part in enumerate(parts):
        if isinstance(part, str):
            doubled = breaks_are_doubled and place > 0 and parts[place - 1] is _Mark.BREAK
            layout.text(part, doubled)
        elif isinstance(part, _Number):
            layout.number(part)
        elif part is _Mark.BREAK:
            layout.end_line(layout.skips_break)
        elif part in _ENDS:
            layout.begin_box(part)
        else:
            layout.end_box(part is _Mark.BOX_END)
    return layout.lines


class _Layout:
    """The lines so far, the number of lines where each open box began, and what ends no further line."""

    def __init__(self) -> None:
        self.lines = [_Line()]
        self.opened: list[int | None] = []
        self.skips_newline = self.skips_break = False

    def number(self, number: _Number) -> None:
        line = self.lines[-1]
        if line.number is None and line.is_blank():
            line.number = replace(number, text="".join(line.text) + number.text)
            line.text.clear()
        else:
            line.text.append(number.text)
        self.skips_newline = self.skips_break = False

    def text(self, text: str, follows_doubled_break: bool) -> None:
        if self.skips_newline or follows_doubled_break:
            newline = _SOURCE_NEWLINE.match(text)
            if newline:
                text = text[newline.end() :]
                self.skips_newline = self.skips_break = False
        first, *rest = text.split("\n")
        self.lines[-1].text.append(first)
        self.lines.extend(_Line(text=[line]) for line in rest)
        if text.strip():
            self.skips_newline = self.skips_break = False

    def end_line(self, is_skipped: bool) -> None:
        if not is_skipped:
            self.lines.append(_Line())
        self.skips_newline = self.skips_break = False

    def begin_box(self, mark: _Mark) -> None:
        line = self.lines[-1]
        is_begun = line.number is not None or not line.is_blank()
        if mark is _Mark.LINE_PART and (is_begun or any(line.text)):
            self.opened.append(None)
            return
        if is_begun or (mark is _Mark.LINE and any(line.text)):
            self.lines.append(_Line())
        else:
            line.text.clear()
        self.opened.append(len(self.lines))
        self.skips_newline = self.skips_break = False

    def end_box(self, is_block: bool) -> None:
        begun = self.opened.pop()
        if begun is None:
            return
        line = self.lines[-1]
        is_ended = not any(line.text) and line.number is None and len(self.lines) > begun
        if not is_ended:
            self.lines.append(_Line())
        self.skips_newline = is_block or not is_ended
        self.skips_break = not is_block and not is_ended


def _without_numbers(lines: list[_Line]) -> list[str]:
    """Return the texts of the lines without the numbers that count them."""
    numbers = [line.number for line in lines if line.number is not None]
    if not numbers:
        return ["".join(line.text) for line in lines]
    is_every = all(line.number is not None or line.is_blank() for line in lines)
    values = [number.value for number in numbers]
    rises = all(number.is_link for number in numbers) and all(map(lt, values, values[1:]))
    is_count = is_every and (rises or counts_up(list(map(str, values))))
    texts = [
        "".join(line.text)
        if line.number is None or line.number.is_named or is_count
        else line.number.text + "".join(line.text)
        for line in lines
    ]
    if is_every and (is_count or all(number.is_named for number in numbers)):
        gap = _gap([text for line, text in zip(lines, texts, strict=True) if line.number is not None])
        texts = [text[gap:] if text[:gap].isspace() else text for text in texts]
    return texts


def _gap(texts: list[str]) -> int:
    """Return how many spaces part the numbers from the code `texts`.

    Empty lines of code show it. Without them it is one space if the code seems to be indented by an odd number.
    """
    blank = [len(text) for text in texts if not text.strip()]
    indents = [len(text) - len(text.lstrip(" \u00a0")) for text in texts if text.strip()]
    if not indents:
        return 0
    return min(blank + indents) if blank else min(indents) % 2
