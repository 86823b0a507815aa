r"""Find code and math in a document's Markdown, so that rules and masks can look at prose alone.

One scan lists the delimiters (fences, backticks, dollars, \( \[ \begin, blank lines). A second pass over that
list pairs each opening with its nearest legal closing. Both are linear in the length of the text, because
closings are looked up in lists of positions by delimiter.
An opening without a legal closing is prose, except a fence, which runs to the end (CommonMark 0.31, 4.5).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Literal, NamedTuple

# The standard library's re is used instead of re2: every alternative is a literal or one character class, so
# nothing can backtrack, and re2's Python wrapper is several times slower on many short matches. All
# alternatives begin with one of ` ~ $ \ [ or a line break, so the engine skips other text quickly.
_DELIMITER = re.compile(
    r"`+|~~~+|\$\$?|\\(?:[\\$`\[\]()]|begin\{[A-Za-z]+\*?\}|end\{[A-Za-z]+\*?\})|\n[ \t]*\n|\[/?asy\]"
)
_MATH_ENVIRONMENTS = frozenset(
    str.split(
        "equation align alignat flalign gather multline eqnarray displaymath math array cases matrix "
        "pmatrix bmatrix vmatrix Vmatrix smallmatrix split aligned gathered subequations"
    )
)
_CLOSING = {r"\[": r"\]", r"\(": r"\)", "$$": "$$", "[asy]": "[/asy]"}

# Our choice: limits so that an opening without a closing cannot turn a whole document into math. The longest
# inline formula of the MATH set has 262 characters, its longest display 1,390.
_MAX_INLINE_CHARS = 1_000
_MAX_DISPLAY_CHARS = 10_000
# A fence may stand in a list or a quotation, but at most this deep.
_MAX_FENCE_INDENT = 40


class Span(NamedTuple):
    """Half-open interval `text[start:end]`, delimiters included. A block stands on lines of its own."""

    start: int
    end: int
    kind: Literal["code", "math"]
    is_block: bool


# A picture that lies in the text itself says nothing to a reader of the text.
_PICTURE = re.compile(r"!\[[^\[\]\n]{0,200}\]\(data:[^()\s,!]{0,100},[^()\s!]*\)")


# start, end, text
_Delimiter = tuple[int, int, str]


def find_spans(text: str) -> list[Span]:
    """Return code and math of `text`, in order and without overlap. Base64 of a picture counts as code."""
    spans: list[Span] = []
    if "$" in text or "`" in text or "\\" in text or "~~~" in text or "[asy]" in text:
        delimiters = [(*m.span(), m.group()) for m in _DELIMITER.finditer(text)]
        spans = list(_pair(text, delimiters))
    return _with_pictures(text, spans) if "](data:" in text else spans


def without_spans(text: str, spans: list[Span]) -> str:
    """Return the prose of `text`: every span is replaced by one space, so that its neighbours stay apart."""
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


def _with_pictures(text: str, spans: list[Span]) -> list[Span]:
    """Return `spans` and the pictures between them, which count as code."""
    merged = []
    ahead = 0
    for picture in _PICTURE.finditer(text):
        while ahead < len(spans) and spans[ahead].end <= picture.start():
            merged.append(spans[ahead])
            ahead += 1
        if ahead == len(spans) or spans[ahead].start >= picture.end():
            merged.append(Span(*picture.span(), "code", is_block=False))
    return merged + spans[ahead:]


def _pair(text: str, delimiters: list[_Delimiter]) -> Iterator[Span]:
    positions: dict[str, list[int]] = {}
    breaks: list[int] = []
    for index, (_, _, mark) in enumerate(delimiters):
        if mark[0] == "\n":
            breaks.append(index)
        else:
            positions.setdefault(mark, []).append(index)
    index = 0
    while index < len(delimiters):
        start, _, mark = delimiters[index]
        if len(mark) >= 3 and mark[0] in "`~" and _opens_fence(text, delimiters[index]):
            closing = _closing_fence(text, delimiters, index)
            begin = start - (_indent(text, start) or 0)
            if closing is None:
                yield Span(begin, len(text), "code", is_block=True)
                return
            yield Span(begin, delimiters[closing][1], "code", is_block=True)
        else:
            closing = _closing_index(text, delimiters, positions, breaks, index)
            if closing is not None:
                is_block = mark in ("$$", r"\[", "[asy]") or mark.startswith(r"\begin")
                kind: Literal["code", "math"] = "code" if mark[0] in "`[" else "math"
                yield Span(start, delimiters[closing][1], kind, is_block)
        index = index + 1 if closing is None else closing + 1


def _indent(text: str, start: int) -> int | None:
    """Return the number of characters before `start` in its line if all are indentation, else None."""
    before = text[max(start - _MAX_FENCE_INDENT, 0) : start]
    line_start = before.rfind("\n") + 1
    if line_start == 0 and start > _MAX_FENCE_INDENT:
        return None
    return len(before) - line_start if not before[line_start:].strip(" \t>") else None


def _opens_fence(text: str, delimiter: _Delimiter) -> bool:
    start, end, mark = delimiter
    if _indent(text, start) is None:
        return False
    # A fence of backticks has no backtick in its info string; with one, it is inline code at a line's start.
    line_end = text.find("\n", end)
    return mark[0] == "~" or "`" not in text[end : line_end if line_end >= 0 else len(text)]


def _closing_fence(text: str, delimiters: list[_Delimiter], opening: int) -> int | None:
    mark = delimiters[opening][2]
    for index in range(opening + 1, len(delimiters)):
        start, end, candidate = delimiters[index]
        if candidate[0] != mark[0] or len(candidate) < len(mark) or _indent(text, start) is None:
            continue
        line_end = text.find("\n", end, end + _MAX_FENCE_INDENT)
        rest = text[end : line_end if line_end >= 0 else end + _MAX_FENCE_INDENT]
        if not rest.strip():
            return index
    return None


def _closing_index(
    text: str,
    delimiters: list[_Delimiter],
    positions: dict[str, list[int]],
    breaks: list[int],
    opening: int,
) -> int | None:
    """Return the index of the delimiter that closes what the one at `opening` opens, or None."""
    _, end, mark = delimiters[opening]
    wanted = _CLOSING.get(mark)
    limit = _MAX_DISPLAY_CHARS
    if mark[0] == "`" or mark == "$":
        wanted = mark
        limit = _MAX_INLINE_CHARS
    elif mark.startswith(r"\begin{") and mark[7:-1].rstrip("*") in _MATH_ENVIRONMENTS:
        wanted = r"\end{" + mark[7:]
    if wanted is None:
        return None
    closing = _next_after(positions.get(wanted, ()), opening)
    if closing is None:
        return None
    closing_start, closing_end, _ = delimiters[closing]
    if not 0 < closing_start - end <= limit:
        return None
    if mark[0] in "`$" and mark != "$$":
        next_break = _next_after(breaks, opening)
        if next_break is not None and next_break < closing:
            return None
    if mark == "$" and not _is_dollar_pair(text, end, closing_start, closing_end):
        return None
    return closing


def _is_dollar_pair(text: str, content_start: int, content_end: int, end: int) -> bool:
    """Pandoc's rule: no space inside either dollar, and no digit after the closing one ("$5 and $10")."""
    return (
        not text[content_start].isspace()
        and not text[content_end - 1].isspace()
        and not text[end : end + 1].isdigit()
    )


def _next_after(indices: list[int] | tuple[int, ...], index: int) -> int | None:
    at = bisect_right(indices, index)
    return indices[at] if at < len(indices) else None
