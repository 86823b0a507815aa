r"""Find TeX between delimiters in a text: \(..\), \[..\], $$..$$, $..$, environments, marks of single sites.

The scan is linear in the text, because a delimiter without a partner is searched for only once. Marks that
other texts use too count only where the caller says that the page uses them.
"""

import re

from pipeline.extraction.math.asciimath import asciimath_to_latex
from pipeline.extraction.math.dollars import MAX_INLINE_CHARS, is_dollar_formula, reads_as_prose

# It begins with a set of characters, because `re` then skips all others quickly.
_OPENING = re.compile(
    r"[\\$#`\[](?:(?<=\\)(?:\\?[(\[]|begin\{(?:equation|align|alignat|gather|multline|eqnarray|displaymath|math"
    r"|flalign|aligned|gathered|split|cases|array|[pbvBV]?matrix)\*?\})|(?<=\$)(?:\${5}|latex\s|\$\$(?!\$)|\$?)"
    r"|(?<=#)(?<!##)#(?!#)|(?<=`)|(?<=\[)(?i:itex|tex|latex|imath|dmath|math|eqn?|katex)\])"
)
# Marks of single sites, which mean something else on other pages: Physics Forums, AsciiMath, forums.
HASHES, BACKTICK, ITEX, BRACKET = "##", "`", "[itex]", "["
_DISPLAY_BRACKETS = frozenset(("[tex]", "[dmath]", "[math]", "[eq]", "[eqn]", "[katex]"))
_EVIDENCE = re.compile(r"\\[A-Za-z]|[_^{}=<>+*/]|\A\s*\S{1,3}\s*\Z")
# The size and the colours that WordPress reads at the end of a formula.
_WORDPRESS_STYLE = re.compile(r"(?:&(?:amp;)?(?:s|bg|fg)=[\w-]{1,20})+\s*\Z")
# Our choice: displays in text are at most this long. The partner of a delimiter is the next one of its kind;
# one farther away closes another formula.
MAX_DISPLAY_CHARS = 10_000


def scan(text: str, marked: bool, marks: frozenset[str] = frozenset()) -> tuple[list[tuple[str, str]], bool]:
    """Split `text` into pieces (kind: text, math, display).

    The second result says whether an opening delimiter has no partner in `text`. `marked` says that the page
    or the element declares its TeX, or holds clear TeX; then short formulas without any TeX sign pass.
    `marks` are the marks of single sites that the page uses.
    """
    pieces: list[tuple[str, str]] = []
    partners: dict[str, int] = {}  # next place of each closing delimiter, -1 where none is ahead
    start = place = 0
    unmatched = False
    while (opening := _OPENING.search(text, place)) is not None:
        mark = opening[0]
        place = opening.end()
        if mark[0] in "#`[" and mark[:2] not in marks and mark[0] not in marks:
            continue
        if mark[0] == "$" and opening.start() and text[opening.start() - 1] == "\\":
            continue
        closing = _closing_of(mark)
        found = partners.get(closing, 0)
        if 0 <= found < place:
            found = partners[closing] = text.find(closing, place)
        if found < 0:
            unmatched = unmatched or mark != "$" or marked
            continue
        end = found + len(closing)
        around = text[max(0, opening.start() - 1) : opening.start()], text[end : end + 1]
        if found - place > MAX_DISPLAY_CHARS or not _is_formula(mark, text[place:found], around, marked):
            continue
        if opening.start() > start:
            pieces.append(("text", text[start : opening.start()]))
        alone = mark[0] == "[" and not (text[: opening.start()] + text[end:]).strip()
        start, content, place = end, text[place:found], end
        pieces.append((_kind(mark, alone, ITEX in marks), _content(mark, content, closing)))
    if start < len(text) or not pieces:
        pieces.append(("text", text[start:]))
    return pieces, unmatched


def _closing_of(mark: str) -> str:
    if mark[0] == "[":
        return f"[/{mark[1:]}"
    if mark.startswith("$latex"):
        return "$"
    if mark[-1] in "([" and mark[0] == "\\":
        return mark[:-1] + (")" if mark[-1] == "(" else "]")
    return mark.replace("\\begin", "\\end", 1)


def _kind(mark: str, alone: bool, has_itex: bool) -> str:
    """Return math for a formula in the line, display for one of its own.

    `alone`: nothing else is in its piece of text; `has_itex`: the page writes `[itex]` for those in the line.
    """
    if mark[0] == "[":
        name = mark.lower()
        is_display = name in _DISPLAY_BRACKETS and (alone or name == "[dmath]" or has_itex)
        return "display" if is_display else "math"
    if mark in ("$$", "$$$$$$", "\\[", "\\\\[") or (mark.startswith("\\begin") and mark != "\\begin{math}"):
        return "display"
    return "math"


def _content(mark: str, content: str, closing: str) -> str:
    """Return the TeX between delimiters."""
    if mark.startswith("\\begin"):
        return environment_body(mark, content, closing)
    if mark.startswith("$latex"):
        return _WORDPRESS_STYLE.sub("", content)
    return asciimath_to_latex(content) if mark == "`" else content


def environment_body(mark: str, content: str, closing: str) -> str:
    """Return the environment's body; one that aligns keeps an environment that is legal inside `$$`."""
    name = mark[7:-1].rstrip("*")
    if name in ("equation", "displaymath", "math"):
        return content
    inner = {
        "align": "aligned",
        "flalign": "aligned",
        "eqnarray": "aligned",
        "gather": "gathered",
        "alignat": "alignedat",
    }.get(name)
    return f"\\begin{{{inner}}}{content}\\end{{{inner}}}" if inner else mark + content + closing


def _is_formula(mark: str, content: str, around: tuple[str, str], marked: bool) -> bool:
    if not content.strip() or ("\n\n" in content and mark in ("$", "\\(")):
        return False
    if mark == "$":
        return is_dollar_formula(content, *around, marked)
    if mark == "##":
        return is_dollar_formula(content, *around, True)
    if mark == "`":
        return len(content) <= MAX_INLINE_CHARS and "\n\n" not in content
    if mark in ("\\(", "\\\\(", "$$$") or mark.startswith("$latex"):
        return len(content) <= MAX_INLINE_CHARS and not (mark == "$$$" and reads_as_prose(content))
    if mark[0] == "[" or mark.startswith("\\begin"):
        return True
    return (marked or _EVIDENCE.search(content) is not None) and not (
        mark == "$$" and reads_as_prose(content)
    )
