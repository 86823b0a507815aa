r"""Take TeX between delimiters out of a page's text: \(..\), \[..\], $$..$$, $..$, environments and others.

One pass over the text nodes is linear in their length, because a delimiter without a partner is searched for
only once. A formula that inline tags split (`$a_1<em>b</em>_2$`) is joined first. `dollars` decides which
dollars delimit a formula; marks that other texts use too count only on pages of their renderer.
"""

import re
from functools import lru_cache
from typing import NamedTuple

import re2
from lxml import etree

from pipeline.extraction.math.formulas import formula_word
from pipeline.extraction.math.scanning import BACKTICK, BRACKET, HASHES, ITEX, scan
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import class_of, settable

_RENDERERS = (
    "MathJax", "mathjax", "katex", "KaTeX", "arithmatex", "jsMath", 'class="math', "class='math", "ASCIIMath",
)  # fmt: skip
# Where backticks delimit AsciiMath: its own script, or a combined configuration of MathJax that reads it.
_ASCIIMATH = ("AM_HTML", "AM_CHTML", "AM_SVG", "AM-HTML", "asciimath", "ASCIIMath", "AMname")
_BRACKETS = re.compile(r"(?i)\[(?:itex|tex|latex|imath|dmath|math|eqn?|katex)\]")
_SKIPPED = frozenset(
    ["script", "style", "noscript", "pre", "code", "textarea", "tt", "kbd", "samp", "option", "svg"]
)
# A `<` before something that is no tag: a sign that no name holds, a second `<`, or a letter that HTML has no
# element for.
_NO_TAG = re.compile(
    r"<(?=([A-Za-z][^\s<>/\"']*))(?=[A-Za-z][^\s<>/\"'$\\^{}(),=+;|_]*[<$\\^{}(),=+;|_]|[c-hj-ortv-zC-HJ-ORTV-Z][\s>])"
)
_NAME = re.compile(r"[A-Za-z][\w:.-]*")
_CLOSING = re.compile(r"</([A-Za-z][^\s<>/]*)")
_RAW_TEXT = re2.compile(r"(?is)<(?:script\b.*?</script|style\b.*?</style|textarea\b.*?</textarea|!--.*?-->)")
# Classes that switch the renderer off.
_IGNORED = frozenset(("tex2jax_ignore", "mathjax_ignore", "no-mathjax", "nolatex"))
_INLINE_FORMATTING = ("br", "em", "i", "b", "strong", "wbr", "font", "u")
# Our choice: a page with two formulas that carry commands or scripts writes its other formulas in TeX too.
MIN_CLEAR_FORMULAS = 2


def shield_less_than(page: str) -> str:
    """Return a page of a renderer with every `<` that begins no tag as `&lt;`: `$a<b_1$`, `$0<i<n$`.

    Authors forget to escape it, and a parser takes all up to the next `>` for a tag.
    """
    if _NO_TAG.search(page) is None:
        return page
    closed = frozenset(_CLOSING.findall(page))
    parts, place = [], 0
    for raw in _RAW_TEXT.finditer(page):
        parts += [_shielded(page[place : raw.start()], closed), raw[0]]
        place = raw.end()
    return "".join([*parts, _shielded(page[place:], closed)])


def _shielded(markup: str, closed: frozenset[str]) -> str:
    def shield(match: re.Match[str]) -> str:
        is_element = _NAME.fullmatch(match[1]) and match[1] in closed
        return "<" if is_element and not markup.startswith("<", match.end(1)) else "&lt;"

    return _NO_TAG.sub(shield, markup)


def take_out_delimited(tree: etree._Element, page: str, slots: Slots) -> bool:
    """Replace every delimited formula in the text of `tree` by its placeholder.

    The result is False if the parser took a `<` in formulas of this page for tags; `shield_less_than` helps.
    """
    shown = etree.tostring(tree, method="text", encoding="unicode")
    if not _may_hold_formulas(shown):
        return True
    has_renderer = any(name in page for name in _RENDERERS)
    if has_renderer and _NO_TAG.search(page) and shield_less_than(page) != page:
        return False
    marks = _marks_of(shown, page, has_renderer)
    signs = tuple(sorted({"\\", "$", *(mark[0] for mark in marks)}))
    marked = has_renderer or _holds_clear_tex(shown)
    if "$<code" in page:
        _take_github_code(tree, slots)
    ignored = set()
    if any(name in page for name in _IGNORED):
        ignored = {inner for part in tree.iter("*") if _ignores(part) for inner in part.iter()}
    for element in _with_signs(signs)(tree):
        if element.tag not in _SKIPPED and element not in ignored:
            texts = _Texts(marked or "math" in class_of(element), marks, signs, slots)
            _take_from(element, texts)
    return True


def _ignores(element: etree._Element) -> bool:
    return not _IGNORED.isdisjoint(class_of(element).split())


def _may_hold_formulas(shown: str) -> bool:
    """Whether the text of a page has delimiters; the partner of a single dollar may be lost in a `<`."""
    if "\\" in shown or shown.count("##") > 1 or shown.count("`") > 1:
        return True
    first = shown.find("$")
    if first >= 0 and (shown.find("$", first + 1) >= 0 or not shown[first + 1 : first + 2].isdigit()):
        return True
    return "[/" in shown and _BRACKETS.search(shown) is not None


@lru_cache(maxsize=8)
def _with_signs(signs: tuple[str, ...]) -> etree.XPath:
    """Return the XPath of the elements that have one of these characters in their own text."""
    return etree.XPath(
        f"//*[text()[{' or '.join(f'contains(., {chr(39)}{sign}{chr(39)})' for sign in signs)}]]"
    )


def _marks_of(shown: str, page: str, has_renderer: bool) -> frozenset[str]:
    """Return the marks of single sites that a page uses; `shown` is its text."""
    marks = set()
    if "##" in shown and has_renderer:
        marks.add(HASHES)
    if "`" in shown and has_renderer and any(name in page for name in _ASCIIMATH):
        marks.add(BACKTICK)
    if _BRACKETS.search(shown):
        marks.add(BRACKET)
        if "[itex]" in shown.lower():
            marks.add(ITEX)
    return frozenset(marks)


def _holds_clear_tex(shown: str) -> bool:
    """Whether a page without a renderer holds formulas beyond doubt."""
    if shown.count("$") < 2 * MIN_CLEAR_FORMULAS:
        return False
    pieces, _ = scan(shown, False)
    return sum(kind == "math" for kind, _ in pieces) >= MIN_CLEAR_FORMULAS


def _take_github_code(tree: etree._Element, slots: Slots) -> None:
    """Take out code between dollars, as GitHub and GitLab write formulas."""
    for element in tree.iter("span"):
        numbers = slots.numbers(element.text or "")
        tail = element.tail or ""
        if len(numbers) != 1 or not tail.startswith("$") or slots.kinds[numbers[0]] != "inline":
            continue
        previous, parent = element.getprevious(), element.getparent()
        before = (parent.text if previous is None else previous.tail) or ""
        if before.endswith("$"):
            if previous is None:
                parent.text = before[:-1]
            else:
                previous.tail = before[:-1]
            element.tail = tail[1:]
            slots.pieces[numbers[0]] = f"${slots.pieces[numbers[0]].strip('` ')}$"
            slots.kinds[numbers[0]] = "math"


class _Texts(NamedTuple):
    """How the texts of an element are read."""

    marked: bool
    marks: frozenset[str]
    signs: tuple[str, ...]
    slots: Slots

    def pieces(self, text: str | None) -> tuple[list[str], bool]:
        """Return text and displayed formulas in turn ([] if nothing is taken out), and whether one is cut."""
        if not text or not any(sign in text for sign in self.signs):
            return [], False
        pieces, unmatched = scan(settable(text), self.marked, self.marks)
        if all(kind == "text" for kind, _ in pieces):
            return [], unmatched
        return _words(pieces, self.slots), unmatched


def _take_from(element: etree._Element, texts: _Texts) -> None:
    """Take the formulas out of the text of `element` and of the tails of its children."""
    if _take_once(element, texts) and element.find("*") is not None:
        found = list(element.iter(*_INLINE_FORMATTING))
        for child in found:
            if child.tag == "br":
                child.tail = "\n" + (child.tail or "")
        if found:
            etree.strip_tags(element, *_INLINE_FORMATTING)
            _take_once(element, texts)


def _take_once(element: etree._Element, texts: _Texts) -> bool:
    """Take out what is in one piece of text; whether a formula is cut off at the end of a piece."""
    parts, unmatched = texts.pieces(element.text)
    if parts:
        element.text = parts[0]
        _insert(element, 0, parts)
    for child in list(element):
        parts, is_cut = texts.pieces(child.tail)
        unmatched = unmatched or is_cut
        if parts:
            child.tail = parts[0]
            if len(parts) > 1:
                _insert(element, element.index(child) + 1, parts)
    return unmatched


def _insert(parent: etree._Element, place: int, parts: list[str]) -> None:
    """Insert the displays of `parts` as paragraphs, each with the text after it."""
    for number, (word, after) in enumerate(zip(parts[1::2], parts[2::2], strict=True)):
        paragraph = etree.Element("p", {"class": "slot"})
        paragraph.text, paragraph.tail = word, after
        parent.insert(place + number, paragraph)


def _words(pieces: list[tuple[str, str]], slots: Slots) -> list[str]:
    """Return text (with placeholders of inline formulas) and placeholders of displayed formulas in turn."""
    parts, words = [], []
    for kind, content in pieces:
        if kind != "display":
            words.append(content if kind == "text" else formula_word(content, False, slots))
        elif word := formula_word(content, True, slots):
            parts += ["".join(words), word]
            words = []
    return [*parts, "".join(words)]
