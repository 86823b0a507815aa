r"""Turn the fractions, roots and bars that pages draw with spans into text and LaTeX.

Templates of wikis stack numerator and denominator with styles and put a slash between them that only screen
readers see. A fraction of two numbers becomes `22/7`, any other `\frac`; two lines in brackets without a rule
are a binomial, a rule above the text after a root sign is the root's, and any other rule a bar.
"""

import re

from lxml import etree

from pipeline.extraction.math.html.latex import latex_of_script, script_latex
from pipeline.extraction.tree.lines import Piece, line_before, shorten
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove, replace_by_text, text_up_to

_NUMERATORS = frozenset(
    ("num", "numer", "numerator", "frac-num", "fraction-numerator", "mq-numerator", "top")
)
_DENOMINATORS = frozenset(
    ("den", "denom", "denominator", "frac-den", "fraction-denominator", "mq-denominator", "bottom")
)
_WITH_CLASS = etree.XPath("//*[@class][self::span or self::sup or self::sub or self::div]")
_HIDDEN = frozenset([
    "sr-only", "visualhide", "visually-hidden", "visuallyhidden", "screen-reader", "screen-reader-text",
])  # fmt: skip
_SIGNS = frozenset("/⁄∕^_×·*:,;()[]=+-−")
_STACKS = etree.XPath("//span[@style][contains(@style,'inline-block') or contains(@style,'inline-table')]")
_IS_LINE = re.compile(r"display:\s?(?:block|table-row)")
_RULE = re.compile(r"border-(?:top|bottom)(?!:\s?(?:0|none))|border-(?:top|bottom)-style")
_BARS = etree.XPath(
    "//span[contains(@style,'overline') or contains(@style,'border-top') or contains(@class,'ovl') or "
    "contains(@class,'overline') or contains(@class,'radicand')]"
)
_ROOT_SIGNS = ("√", "&radic;", "&#8730;", "&#x221a;", "&#x221A;", "&#X221A;")
_BAR_NAMES = frozenset(("ovl", "overline", "vinculum", "radicand", "sqrt-stem"))
_BAR_STYLE = re.compile(r"overline|border-top(?!:\s?(?:0|none))")
# Our choice: a drawn fraction or root is short.
MAX_CHARS = 100
_NUMBER = re.compile(r"[-−]?\d+(?:[.,]\d+)*")


def take_out_fractions(tree: etree._Element, page: str, inventory: Inventory, slots: Slots) -> None:
    """Replace the fractions, roots and bars of `tree` (of the source `page`)."""
    names, styles = inventory.class_names, inventory.styles
    if not names.isdisjoint(_NUMERATORS):
        # From the inside out.
        for element in reversed(_WITH_CLASS(tree)):
            if not _NUMERATORS.isdisjoint(class_of(element).split()):
                _take_named(element, slots)
    if "inline-" in styles and "vertical-align" in styles and _IS_LINE.search(styles):
        for element in reversed(_STACKS(tree)):
            _take_stack(element, slots)
    if "frac" in inventory.classes and not names.isdisjoint(_HIDDEN):
        for element in _WITH_CLASS(tree):
            if not _HIDDEN.isdisjoint(class_of(element).split()):
                _show_sign(element)
    bars = "overline" in styles or not names.isdisjoint(_BAR_NAMES)
    if bars or ("border-top" in styles and any(sign in page for sign in _ROOT_SIGNS)):
        seen: set[etree._Element] = set()
        for element in _BARS(tree):
            if element not in seen and element.getparent() is not None and _has_bar(element):
                run = _run_with_bar(element)
                seen.update(inner for part in run for inner in part.iter())
                _take_bars(run, slots)


def _show_sign(element: etree._Element) -> None:
    """Show a sign that a page hides from the eye because it draws the fraction itself."""
    text = "".join(element.itertext()).strip()
    if text in _SIGNS:
        replace_by_text(element, text, block=False)


def _take_named(above: etree._Element, slots: Slots) -> None:
    """Replace a numerator, the denominator after it, and the sign between them."""
    between = []
    below = above.getnext()
    while below is not None and len(between) < 2 and _DENOMINATORS.isdisjoint(class_of(below).split()):
        between.append(below)
        below = below.getnext()
    if below is None or _DENOMINATORS.isdisjoint(class_of(below).split()):
        return
    parts = [above, *between]
    if len("".join("".join(part.itertext()) for part in (*parts, below))) > MAX_CHARS:
        return
    fraction = _gap(above) + _fraction(above, below, slots)
    for part in between:
        part.getparent().remove(part)
    above.tail = None
    remove(below)
    replace_by_text(above, fraction, block=False)


def _fraction(above: etree._Element, below: etree._Element, slots: Slots) -> str:
    texts = ["".join(part.itertext()).strip() for part in (above, below)]
    if all(map(_NUMBER.fullmatch, texts)):
        return "/".join(texts)
    latex = [latex_of_script(part, slots) for part in (above, below)]
    return slots.add(f"$\\frac{{{latex[0]}}}{{{latex[1]}}}$", "script")


def _gap(element: etree._Element) -> str:
    """Return a space if a number stands before a fraction."""
    before = "".join(piece.text for piece in reversed(list(line_before(element))))
    return " " if before.rstrip("\u2060\u200b")[-1:].isdigit() else ""


def _take_stack(element: etree._Element, slots: Slots) -> None:
    """Replace two lines above each other: a fraction with a rule, in brackets without one a binomial."""
    lines = [child for child in element if _IS_LINE.search(child.get("style", ""))]
    signs = "".join(child.text or "" for child in element if child not in lines).strip()
    texts = ["".join(line.itertext()).strip() for line in lines]
    own = (element.text or "") + "".join(child.tail or "" for child in element)
    if len(lines) != 2 or not all(texts) or sum(map(len, texts)) > MAX_CHARS:
        return
    if signs not in ("", "/", "⁄", "∕") or own.strip(" \n\u2060"):
        return
    if signs or any(_RULE.search(line.get("style", "")) for line in lines):
        fraction = _gap(element) + _fraction(lines[0], lines[1], slots)
        replace_by_text(element, fraction, block=False)
        return
    line = list(line_before(element))
    tail = element.tail or ""
    if tail.startswith(")") and line[0].text.endswith("("):
        latex = [latex_of_script(part, slots) for part in lines]
        replace_by_text(element, slots.add(f"$\\binom{{{latex[0]}}}{{{latex[1]}}}$", "script"), block=False)
        element.tail = tail[1:]
        shorten(line, 1)


def _take_bars(run: list[etree._Element], slots: Slots) -> None:
    """Replace a text with a rule above it: a root after a root sign, else a bar, if the style says so."""
    if len(run) > MAX_CHARS or sum(len(text_up_to(part, MAX_CHARS)) for part in run) > MAX_CHARS:
        return
    element = run[0]
    latex = ""
    for part in run:
        inner = latex_of_script(part, slots)
        is_script = part.tag in ("sup", "sub")
        latex += script_latex("^" if part.tag == "sup" else "_", inner, latex) if is_script else inner
    line = list(line_before(element))
    before = "".join(piece.text for piece in reversed(line))
    is_root = before.rstrip()[-1:] == "√"
    is_bar = not _BAR_NAMES.isdisjoint(class_of(element).split()) or "overline" in element.get("style", "")
    if not latex or not (is_root or is_bar):
        return
    command = "sqrt" + _root_order(line, before, slots) if is_root else "overline"
    for part in run[1:]:
        remove(part)
    replace_by_text(element, slots.add(f"$\\{command}{{{latex}}}$", "script"), block=False)


def _has_bar(element: etree._Element) -> bool:
    """Whether a rule is drawn above all of an element."""
    if element.tag in ("sup", "sub"):
        return len(element) == 1 and not element.text and not element[0].tail and _has_bar(element[0])
    style = element.get("style", "")
    return _BAR_STYLE.search(style) is not None or not _BAR_NAMES.isdisjoint(class_of(element).split())


def _run_with_bar(element: etree._Element) -> list[etree._Element]:
    """Return the elements from `element` on over which one rule is drawn in pieces."""
    run = [element]
    for following in element.itersiblings():
        if run[-1].tail or not _has_bar(following):
            break
        run.append(following)
    return run


def _root_order(line: list[Piece], before: str, slots: Slots) -> str:
    """Take the root sign and the small number on it out of the line; return `[3]` for a third root."""
    shorten(line, len(before) - before.rstrip().rindex("√"))
    index = line[0].owner if line[0].is_tail and line[0].owner.tag == "sup" and not line[0].text else None
    if index is None:
        return ""
    order = latex_of_script(index, slots)
    index.getparent().remove(index)
    return f"[{order}]"
