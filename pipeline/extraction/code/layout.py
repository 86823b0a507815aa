"""Lay the texts and marks of a code element out in lines.

A break or a newline ends a line. A box is a line of its own: it begins one and ends one, and the break at its
end, or the one that follows it, does not count again. Numbers that count the lines are dropped at the end.
The cost is linear in the number of parts.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from operator import lt

from pipeline.extraction.code.gutters import counts_up

# White space of the source up to its next newline.
SOURCE_NEWLINE = re.compile(r"[ \t]{0,200}\n")


class Mark(Enum):
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


ENDS = {Mark.BOX: Mark.BOX_END, Mark.LINE: Mark.LINE_END, Mark.LINE_PART: Mark.LINE_PART_END}


@dataclass(frozen=True)
class Number:
    """The text of an element that holds only a number."""

    text: str
    value: int
    is_named: bool
    """Whether its class is that of line numbers."""
    is_link: bool
    """Whether it is a link to its own place."""


@dataclass
class Line:
    number: Number | None = None
    text: list[str] = field(default_factory=list)

    def is_blank(self) -> bool:
        return not any(part.strip() for part in self.text)


Part = str | Mark | Number


def laid_out(parts: Sequence[Part], breaks_are_doubled: bool) -> list[Line]:
    """Return the lines of `parts`; the last one may be empty."""
    layout = _Layout()
    for place, part in enumerate(parts):
        if isinstance(part, str):
            doubled = breaks_are_doubled and place > 0 and parts[place - 1] is Mark.BREAK
            layout.text(part, doubled)
        elif isinstance(part, Number):
            layout.number(part)
        elif part is Mark.BREAK:
            layout.end_line(layout.skips_break)
        elif part in ENDS:
            layout.begin_box(part)
        else:
            layout.end_box(part is Mark.BOX_END)
    return layout.lines


class _Layout:
    """The lines so far, the number of lines where each open box began, and what ends no further line."""

    def __init__(self) -> None:
        self.lines = [Line()]
        self.opened: list[int | None] = []
        self.skips_newline = self.skips_break = False

    def number(self, number: Number) -> None:
        line = self.lines[-1]
        if line.number is None and line.is_blank():
            line.number = replace(number, text="".join(line.text) + number.text)
            line.text.clear()
        else:
            line.text.append(number.text)
        self.skips_newline = self.skips_break = False

    def text(self, text: str, follows_doubled_break: bool) -> None:
        if self.skips_newline or follows_doubled_break:
            newline = SOURCE_NEWLINE.match(text)
            if newline:
                text = text[newline.end() :]
                self.skips_newline = self.skips_break = False
        first, *rest = text.split("\n")
        self.lines[-1].text.append(first)
        self.lines.extend(Line(text=[line]) for line in rest)
        if text.strip():
            self.skips_newline = self.skips_break = False

    def end_line(self, is_skipped: bool) -> None:
        if not is_skipped:
            self.lines.append(Line())
        self.skips_newline = self.skips_break = False

    def begin_box(self, mark: Mark) -> None:
        line = self.lines[-1]
        is_begun = line.number is not None or not line.is_blank()
        if mark is Mark.LINE_PART and (is_begun or any(line.text)):
            self.opened.append(None)
            return
        if is_begun or (mark is Mark.LINE and any(line.text)):
            self.lines.append(Line())
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
            self.lines.append(Line())
        self.skips_newline = is_block or not is_ended
        self.skips_break = not is_block and not is_ended


def without_numbers(lines: list[Line]) -> list[str]:
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

    Empty lines of code show it. Without them it is one space if the code seems to be indented by an odd
    number.
    """
    blank = [len(text) for text in texts if not text.strip()]
    indents = [len(text) - len(text.lstrip(" \u00a0")) for text in texts if text.strip()]
    if not indents:
        return 0
    return min(blank + indents) if blank else min(indents) % 2
