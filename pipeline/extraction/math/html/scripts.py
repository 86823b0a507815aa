r"""Turn the powers and indices that a page writes with `<sup>` and `<sub>` into LaTeX.

`x<sup>2</sup>` becomes the formula `$x^2$`, in code `x^2`; `bases` decides what is a power and what a
footnote, an ordinal or a trade mark, which stay plain text. Scripts that follow each other without a space
are one formula: `SO<sub>4</sub><sup>2-</sup>` is `$SO_4^{2-}$`. The text before a script is read backwards,
through inline elements and for a bounded number of steps, so the cost is linear in the number of scripts.
"""

import re

from lxml import etree

from pipeline.extraction.code.blocks import inline_code, stated_language
from pipeline.extraction.math.html.bases import (
    CODE,
    FORMULA,
    MAX_BASE_CHARS,
    MAX_SCRIPT_CHARS,
    Base,
    base_of,
    is_degree,
    is_ordinal,
)
from pipeline.extraction.math.html.latex import latex_of_script, latex_of_text, script_latex
from pipeline.extraction.math.mathml_leaves import join
from pipeline.extraction.tree.lines import (
    MAX_CHARS_AFTER,
    MAX_CHARS_BEFORE,
    Piece,
    line_before,
    shorten,
    text_after,
)
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove, replace_by_text, text_up_to

_CODE_TAGS = ("pre", "code", "tt", "kbd", "samp", "listing")
_STYLED = etree.XPath(
    "//*[self::span or self::font or self::small or self::em or self::i]"
    "[contains(@style,'vertical-align') or contains(@class,'sup') or contains(@class,'sub')]"
)
_RAISED = re.compile(r"vertical-align:\s{0,3}(super|sub)\b")
_NAMES = {"sup": "sup", "super": "sup", "superscript": "sup", "subscript": "sub"}
# Languages that write powers with two asterisks; all others get a caret.
_TWO_ASTERISKS = frozenset([
    "python", "pycon", "cython", "javascript", "typescript", "jsx", "tsx", "ruby", "perl", "php", "fortran",
    "ada", "cobol", "groovy", "coffeescript", "sas", "vhdl", "verilog", "bash",
])  # fmt: skip
_CODE_POWER = re.compile(r"-?\w+(?:\.\w+)?|\(.*\)", re.S)
# Code that a number above it is a power of, not a footnote's mark.
_CODE_BASE = re.compile(r"\w{1,2}|[\d.,]+|(?:.*[^\w\s])?\w?\(.*\)", re.S)
# Our choice: no formula without TeX is longer; what follows it is another one.
MAX_JOINED_CHARS = 500
# Marks that stay as they are in code too.
_NO_CODE_POWER = re.compile(r"\[.*\]|[*†‡®©™]+|TM|SM", re.S)
_CITATION = re.compile(r"(?:^|\s)(?:reference|mw-ref|noprint)(?:\s|$)")
_FRACTION_BAR = re.compile(r"\s*[/⁄∕]\s*")
_ELEMENT_AFTER = re.compile(r"[A-Z][a-z]?(?![a-z])")


def write_code_scripts(tree: etree._Element, inventory: Inventory) -> None:
    """Write scripts in code as code does: `10^4`, `a_i`, `x**2`."""
    if inventory.tags.isdisjoint(("sup", "sub")) or inventory.tags.isdisjoint(_CODE_TAGS):
        return
    codes = {script: code for code in tree.iter(*_CODE_TAGS) for script in code.iter("sup", "sub")}
    powers = {code: "**" if stated_language(code) in _TWO_ASTERISKS else "^" for code in set(codes.values())}
    # From the inside out.
    for script in reversed(list(tree.iter("sup", "sub"))):
        text = " ".join(text_up_to(script, MAX_SCRIPT_CHARS).split()).replace("−", "-")
        if script not in codes or not 0 < len(text) <= MAX_SCRIPT_CHARS:
            continue
        before = "".join(piece.text for piece in reversed(list(line_before(script))))[-1:]
        is_mark = _NO_CODE_POWER.fullmatch(text) or is_ordinal(before, text, "")
        if before.strip() and not is_mark and script.find(".//a") is None:
            mark = powers[codes[script]] if script.tag == "sup" else "_"
            exponent = text if _CODE_POWER.fullmatch(text) else f"({text})"
            replace_by_text(script, mark + exponent, block=False)


def take_out_scripts(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace every power and index of `tree` by the placeholder of its formula."""
    raised_by_style = "vertical-align" in inventory.styles and _RAISED.search(inventory.styles)
    if raised_by_style or not inventory.class_names.isdisjoint(_NAMES):
        _name_raised(tree)
    elif inventory.tags.isdisjoint(("sup", "sub")):
        return
    language = (tree.get("lang") or "")[:2].lower()
    for script in list(tree.iter("sup", "sub")):
        # A script inside one that was taken out has become a span.
        if script.tag != "span":
            _take(script, language, slots)


def _name_raised(tree: etree._Element) -> None:
    """Rename short elements that only a style or a class raises or lowers to `<sup>` and `<sub>`."""
    for element in _STYLED(tree):
        raised = _RAISED.search(element.get("style", ""))
        name = raised[1] if raised else next(filter(None, map(_NAMES.get, class_of(element).split())), "")
        if name and len("".join(element.itertext()).strip()) <= MAX_CHARS_AFTER:
            element.tag = name[:3]


def _take(script: etree._Element, language: str, slots: Slots) -> None:
    """Take one script out, unless it is no part of a formula."""
    _join_stacked(script)
    raw_text = text_up_to(script, MAX_SCRIPT_CHARS).replace("\u00a0", " ").replace("\u2060", "")
    text = " ".join(raw_text.split())
    if not text or (script.tag == "sup" and _CITATION.search(class_of(script))):
        _forget_inside(script)
        remove(script)
        return
    if raw_text[-1].isspace():
        script.tail = f" {script.tail or ''}"
    if script.tag == "sup" and len(text) <= MAX_SCRIPT_CHARS and _is_footnote_link(script):
        return
    line = list(line_before(script))
    raw = "".join(piece.text[-MAX_CHARS_BEFORE:] for piece in reversed(line))[-MAX_CHARS_BEFORE:]
    mark = "^" if script.tag == "sup" else "_"
    before, after = _masked(raw, slots), text_after(script)
    fraction = _fraction_of(script, text) if mark == "^" else ""
    if fraction and not before[-1:].isalpha():
        script.text = f" {fraction}" if before[-1:].isdigit() else fraction
        return
    if mark == "^" and is_degree(before, text, after):
        replace_by_text(script, "°", block=False)
        return
    text = fraction or text
    base = base_of(before, mark, text, after, language)
    if base is None:
        _keep_apart(script, before, text, language)
    elif base.name == "code":
        _lengthen_code(script, mark, text, slots.numbers(raw)[-1], slots)
    else:
        _write(script, mark, base, raw, line, slots)


def _join_stacked(script: etree._Element) -> None:
    """Remove the line break between two scripts that are drawn above each other."""
    following = script.getnext()
    if following is not None and following.tag == "br" and not following.tail and not script.tail:
        stacked = following.getnext()
        if stacked is not None and stacked.tag in ("sup", "sub"):
            remove(following)


def _forget_inside(script: etree._Element) -> None:
    """Rename the scripts inside one that leaves the tree, so that nobody takes them out again."""
    for inner in list(script.iterdescendants("sup", "sub")):
        inner.tag = "span"


def _write(script: etree._Element, mark: str, base: Base, raw: str, line: list[Piece], slots: Slots) -> None:
    """Write base and script as a formula, or at the end of the formula that ends where the base begins."""
    latex = latex_of_script(script, slots)
    _forget_inside(script)
    found = raw[len(raw) - base.length :] if base.length else ""
    for number in slots.numbers(found + "".join(script.itertext())):
        slots.kinds[number] = "merged"
    written = latex_of_text(found, slots) if base.name in ("function", "sign", "group") else found
    earlier = raw[: len(raw) - base.length]
    before = slots.numbers(earlier) if _masked(earlier, slots)[-1:] == FORMULA else []
    joined = bool(before) and (base.name == "formula" or slots.kinds[before[-1]] == "script")
    joined = joined and len(slots.pieces[before[-1]]) < MAX_JOINED_CHARS
    formula = slots.pieces[before[-1]][1:-1] if joined else ""
    if formula and written[:1].isdigit() and formula[-1] != "}":
        written = f" {written}"
    formula = join([formula, written])
    formula += script_latex(mark, latex, formula)
    is_prescript = formula[0] in "^_" and base.name in ("nothing", "formula")
    symbol = _ELEMENT_AFTER.match(script.tail or "") if is_prescript else None
    if symbol is not None:
        formula += symbol[0]
        script.tail = (script.tail or "")[symbol.end() :]
    shorten(line, base.length)
    if joined:
        slots.pieces[before[-1]] = f"${formula}$"
        remove(script)
    else:
        replace_by_text(script, slots.add(f"${formula}$", "script"), block=False)


def _lengthen_code(script: etree._Element, mark: str, text: str, number: int, slots: Slots) -> None:
    """Write a script of inline code into the code; a number after a name is a footnote and stays."""
    code = slots.pieces[number].strip("` ")
    is_base = len(code) <= MAX_BASE_CHARS and _CODE_BASE.fullmatch(code)
    if mark == "^" and text.isdigit() and not is_base:
        return
    exponent = text if _CODE_POWER.fullmatch(text) else f"({text})"
    slots.pieces[number] = inline_code(f"{code}{mark}{exponent}")
    _forget_inside(script)
    remove(script)


def _fraction_of(script: etree._Element, text: str) -> str:
    """Return `3/4` for a small numerator, a slash and a small denominator, which become one element."""
    below = script.getnext()
    if below is None or below.tag != "sub" or not _FRACTION_BAR.fullmatch(script.tail or ""):
        return ""
    fraction = f"{text}/{' '.join(''.join(below.itertext()).split())}"
    script.tail = None
    remove(below)
    replace_by_text(script, fraction, block=False)
    return fraction


def _keep_apart(script: etree._Element, before: str, text: str, language: str) -> None:
    """Keep plain text from growing together: a footnote's number with a number, small print with a word."""
    if before[-1:].isdigit() and text.isdigit():
        replace_by_text(script, f"[{text}]", block=False)
    elif (
        before[-1:].isalnum()
        and re.match(r"[A-Za-z]{4}|\w+\s\w", text)
        and not is_ordinal(before, text, language)
    ):
        script.text = f" {script.text or ''}"
        if (script.tail or "")[:1].isalnum():
            script.tail = f" {script.tail}"


def _is_footnote_link(script: etree._Element) -> bool:
    """Whether the script leads to a note, or is all that a link to a note shows."""
    if any("#" in link.get("href", "") for link in script.iter("a")):
        return True
    parent = script.getparent()
    return (
        parent is not None
        and parent.tag == "a"
        and "#" in parent.get("href", "")
        and len(parent) == 1
        and not (parent.text or "").strip()
    )


def _masked(raw: str, slots: Slots) -> str:
    """Return `raw` with each placeholder as a run of one letter that says what it stands for."""
    pieces = slots.split(raw)
    for place in range(1, len(pieces), 2):
        number = pieces[place]
        kind = slots.kinds[int(number)]
        letter = {"math": FORMULA, "script": FORMULA, "inline": CODE}.get(kind, " ")
        pieces[place] = letter * (len(slots.mark) + len(number) + 1)
    return "".join(pieces)
