r"""Where code and math lie in a document's Markdown, so that rules and masks can look at prose alone.

One scan lists the delimiters (fences, backticks, dollars, \( \[ \begin, blank lines); a second walk over
that list pairs each opening with its nearest legal closing. Both are linear in the length of the text:
pairs are looked up in tables built from the right, never searched for.
An opening without a legal closing is prose, except a fence, which runs to the end (CommonMark 0.31, 4.5).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal, NamedTuple

# stdlib re, not re2: every alternative is a literal or one character class, so nothing can backtrack,
# and re2's Python wrapper is several times slower on many short matches.
_DELIMITER = re.compile(
    r"^[ \t>]*(?:```+|~~~+)[^\n]*"
    r"|`+|\$\$|\$|\\[\\$`]|\\[\[\]()]"
    r"|\\begin\{[A-Za-z]+\*?\}|\\end\{[A-Za-z]+\*?\}"
    r"|\n[ \t]*\n|\[/?asy\]",
    re.MULTILINE,
)
_MATH_ENVIRONMENTS = frozenset(
    "equation align alignat flalign gather multline eqnarray displaymath math array cases "
    "matrix pmatrix bmatrix vmatrix Vmatrix smallmatrix split aligned gathered subequations".split()
)
_CLOSING = {r"\[": r"\]", r"\(": r"\)", "$$": "$$", "[asy]": "[/asy]"}

# Ours: chosen so that a stray opening cannot swallow a document. The longest inline formula of the MATH
# set is 262 characters, its longest display 1,390.
_MAX_INLINE_CHARS = 1_000
_MAX_DISPLAY_CHARS = 10_000


class Span(NamedTuple):
    """Half-open interval `text[start:end]`, delimiters included; a block stands on lines of its own."""

    start: int
    end: int
    kind: Literal["code", "math"]
    is_block: bool


class _Delimiter(NamedTuple):
    start: int
    end: int
    text: str


def find_spans(text: str) -> list[Span]:
    """Code and math of `text`, in order, without overlap."""
    if "$" not in text and "`" not in text and "\\" not in text and "~~~" not in text and "[asy]" not in text:
        return []
    delimiters = [_Delimiter(m.start(), m.end(), m.group()) for m in _DELIMITER.finditer(text)]
    return list(_pair(text, delimiters))


def without_spans(text: str, spans: list[Span]) -> str:
    """The prose of `text`: every span is replaced by one space, so that its neighbours stay apart."""
    if not spans:
        return text
    pieces = []
    position = 0
    for span in spans:
        pieces.append(text[position : span.start])
        pieces.append(" ")
        position = span.end
    pieces.append(text[position:])
    return "".join(pieces)


def _pair(text: str, delimiters: list[_Delimiter]) -> Iterator[Span]:
    positions: dict[str, list[int]] = {}
    for index, delimiter in enumerate(delimiters):
        positions.setdefault(delimiter.text, []).append(index)
    breaks = [index for index, delimiter in enumerate(delimiters) if delimiter.text[0] == "\n"]
    index = 0
    while index < len(delimiters):
        opening = delimiters[index]
        if _is_fence(opening.text):
            closing = _closing_fence(text, delimiters, index)
            end = delimiters[closing].end if closing is not None else len(text)
            yield Span(opening.start, end, "code", is_block=True)
        else:
            closing = _closing_index(text, delimiters, positions, breaks, index)
            if closing is not None:
                is_block = opening.text[0] in "[\\" and opening.text != r"\(" or opening.text == "$$"
                kind: Literal["code", "math"] = "code" if opening.text[0] in "`[" else "math"
                yield Span(opening.start, delimiters[closing].end, kind, is_block)
        if closing is None:
            if _is_fence(opening.text):
                return
            index += 1
        else:
            index = closing + 1


def _is_fence(delimiter: str) -> bool:
    marker = delimiter.lstrip(" \t>")
    # A fence of backticks has none in its info string; otherwise it is inline code at a line's start.
    return marker.startswith("~~~") or (marker.startswith("```") and "`" not in marker.lstrip("`"))


def _closing_fence(text: str, delimiters: list[_Delimiter], opening: int) -> int | None:
    marker = delimiters[opening].text.lstrip(" \t>")
    character = marker[0]
    width = len(marker) - len(marker.lstrip(character))
    for index in range(opening + 1, len(delimiters)):
        start = delimiters[index].start
        candidate = delimiters[index].text.strip(" \t>")
        starts_line = text[start - 1] == "\n"
        if starts_line and len(candidate) >= width and candidate == character * len(candidate):
            return index
    return None


def _closing_index(
    text: str,
    delimiters: list[_Delimiter],
    positions: dict[str, list[int]],
    breaks: list[int],
    opening: int,
) -> int | None:
    """Index of the delimiter that closes a formula or inline code opened at `opening`."""
    start, end, mark = delimiters[opening]
    wanted = _CLOSING.get(mark)
    limit = _MAX_DISPLAY_CHARS
    if mark[0] == "`":
        wanted = mark
        limit = _MAX_INLINE_CHARS
    elif mark == "$":
        wanted = mark
        limit = _MAX_INLINE_CHARS
    elif mark.startswith(r"\begin{") and mark[7:-1].rstrip("*") in _MATH_ENVIRONMENTS:
        wanted = r"\end{" + mark[7:]
    if wanted is None:
        return None
    closing = _next_after(positions.get(wanted, ()), opening)
    if closing is None or delimiters[closing].start - end > limit or delimiters[closing].start == end:
        return None
    if mark[0] in "`$" and mark != "$$":
        next_break = _next_after(breaks, opening)
        if next_break is not None and next_break < closing:
            return None
    if mark == "$" and not _is_dollar_pair(text, end, delimiters[closing]):
        return None
    return closing


def _is_dollar_pair(text: str, content_start: int, closing: _Delimiter) -> bool:
    """Pandoc's rule: no space inside either dollar, and no digit after the closing one ("$5 and $10")."""
    return (
        not text[content_start].isspace()
        and not text[closing.start - 1].isspace()
        and not text[closing.end : closing.end + 1].isdigit()
    )


def _next_after(indices: list[int] | tuple[int, ...], index: int) -> int | None:
    at = bisect_right(indices, index)
    return indices[at] if at < len(indices) else None
