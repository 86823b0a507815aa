r"""Take TeX between delimiters out of a page's text: \(..\), \[..\], $$..$$, $..$ and environments.

One pass over the text nodes is linear in their length, because a delimiter without a partner is searched for
only once. A formula that inline tags split (`$a_1<em>b</em>_2$`) is joined first. `$` delimits a formula only
if its content looks like TeX.
"""

import re

from lxml import etree

from pipeline.extraction.math.formulas import formula_word
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import class_of, settable

_OPENING = re.compile(
    r"\\\(|\\\[|\$\$|\$|\\begin\{(?:equation|align|alignat|gather|multline|eqnarray|displaymath|math"
    r"|flalign)\*?\}"
)
_STRONG_EVIDENCE = re.compile(r"\\[A-Za-z]{2}|[_^]\{|[A-Za-z0-9)][_^][A-Za-z0-9\\]")
_EVIDENCE = re.compile(r"\\[A-Za-z]|[_^{}=<>+*/]|\A\s*\S{1,3}\s*\Z")
_RENDERERS = ("MathJax", "mathjax", "katex", "KaTeX", "arithmatex", "jsMath", 'class="math', "class='math")
_CANDIDATES = etree.XPath("//*[text()[contains(., '\\') or contains(., '$')]]")
_SKIPPED = frozenset(
    ["script", "style", "noscript", "pre", "code", "textarea", "tt", "kbd", "samp", "option", "svg"]
)
_INLINE_FORMATTING = ("br", "em", "i", "b", "strong", "wbr", "font", "u")
# Our choice: formulas between delimiters are short; a partner farther away belongs to something else.
MAX_INLINE_CHARS, MAX_DISPLAY_CHARS = 1_000, 10_000


def take_out_delimited(tree: etree._Element, page: str, slots: Slots) -> None:
    """Replace every delimited formula in the text of `tree` by its placeholder."""
    shown = etree.tostring(tree, method="text", encoding="unicode")
    if "\\" not in shown and shown.count("$") < 2:
        return
    renderer = any(name in page for name in _RENDERERS)
    for element in _CANDIDATES(tree):
        if element.tag in _SKIPPED:
            continue
        if element.text and ("$" in element.text or "\\" in element.text):
            _take_from_text(element, renderer, slots)
        for child in list(element):
            if child.tail and ("$" in child.tail or "\\" in child.tail):
                _take_from_tail(child, renderer, slots)


def _take_from_text(element: etree._Element, renderer: bool, slots: Slots) -> None:
    marked = renderer or "math" in class_of(element)
    pieces, unmatched = scan(settable(element.text or ""), marked)
    if unmatched and len(element):
        for line_break in list(element.iter("br")):
            line_break.tail = "\n" + (line_break.tail or "")
        etree.strip_tags(element, *_INLINE_FORMATTING)
        pieces, _ = scan(settable(element.text or ""), marked)
    if all(kind == "text" for kind, _ in pieces):
        return
    parts = _words(pieces, slots)
    element.text = parts[0]
    for place, (word, after) in enumerate(zip(parts[1::2], parts[2::2], strict=True)):
        paragraph = etree.Element("p", {"class": "slot"})
        paragraph.text, paragraph.tail = word, after
        element.insert(place, paragraph)


def _take_from_tail(element: etree._Element, renderer: bool, slots: Slots) -> None:
    tail = element.tail
    if not tail or ("$" not in tail and "\\" not in tail):
        return
    pieces, _ = scan(settable(tail), renderer)
    parent = element.getparent()
    if parent is None or all(kind == "text" for kind, _ in pieces):
        return
    parts = _words(pieces, slots)
    place = parent.index(element) + 1
    element.tail = parts[0]
    for number, (word, after) in enumerate(zip(parts[1::2], parts[2::2], strict=True)):
        paragraph = etree.Element("p", {"class": "slot"})
        paragraph.text, paragraph.tail = word, after
        parent.insert(place + number, paragraph)


def _words(pieces: list[tuple[str, str]], slots: Slots) -> list[str]:
    """Return text (with placeholders of inline formulas) and placeholders of displayed formulas in turn."""
    parts = [""]
    for kind, content in pieces:
        if kind == "text":
            parts[-1] += content
        elif kind == "math":
            parts[-1] += formula_word(content, False, slots) or ""
        else:
            word = formula_word(content, True, slots)
            if word:
                parts += [word, ""]
    return parts


def scan(text: str, marked: bool) -> tuple[list[tuple[str, str]], bool]:
    """Split `text` into pieces (kind: text, math, display).

    The second result says whether an opening delimiter has no partner in `text`. `marked` says that the page
    or the element declares its TeX; then short formulas without any TeX sign pass.
    """
    pieces: list[tuple[str, str]] = []
    absent: set[str] = set()
    start = place = 0
    unmatched = False
    while (opening := _OPENING.search(text, place)) is not None:
        mark = opening[0]
        place = opening.end()
        if mark == "$" and opening.start() and text[opening.start() - 1] == "\\":
            continue
        closing = _closing_of(mark)
        found = -1 if closing in absent else text.find(closing, place)
        if found < 0:
            absent.add(closing)
            unmatched = unmatched or mark != "$" or marked
            continue
        content = text[place:found]
        if not _is_formula(mark, content, text[found + len(closing) : found + len(closing) + 1], marked):
            continue
        if opening.start() > start:
            pieces.append(("text", text[start : opening.start()]))
        start = place = found + len(closing)
        if mark.startswith("\\begin"):
            content = _environment(mark, content, closing)
        pieces.append(("math" if mark in ("\\(", "$") or mark == "\\begin{math}" else "display", content))
    if start < len(text) or not pieces:
        pieces.append(("text", text[start:]))
    return pieces, unmatched


def _closing_of(mark: str) -> str:
    return {"\\(": "\\)", "\\[": "\\]"}.get(mark) or mark.replace("\\begin", "\\end", 1)


def _environment(mark: str, content: str, closing: str) -> str:
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


def _is_formula(mark: str, content: str, following: str, marked: bool) -> bool:
    if not content.strip() or ("\n\n" in content and mark in ("$", "\\(")):
        return False
    if mark == "$":
        if (
            len(content) > MAX_INLINE_CHARS
            or content[0].isspace()
            or content[-1].isspace()
            or content[-1] == "\\"
            or following.isdigit()
        ):
            return False
        return bool(
            _STRONG_EVIDENCE.search(content)
            or (marked and _EVIDENCE.search(content) and not content[0].isdigit())
        )
    if mark == "\\(":
        return len(content) <= MAX_INLINE_CHARS
    if mark.startswith("\\begin"):
        return len(content) <= MAX_DISPLAY_CHARS
    return len(content) <= MAX_DISPLAY_CHARS and (marked or bool(_EVIDENCE.search(content)))
