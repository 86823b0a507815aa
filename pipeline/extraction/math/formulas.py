"""Convert formulas of a page, in every encoding that the web uses, to LaTeX.

`take_out_math` replaces each formula in the tree by its placeholder. Source TeX is preferred to rendered
output: first scripts and annotations, then attributes, then converted MathML, then glyphs. Copies of the
formula (previews, fallback images, assistive MathML) are removed with it, so each formula occurs once.
"""

import re

from lxml import etree

from pipeline.extraction.math.glyphs import katex_glyphs_to_latex, mathjax_to_latex
from pipeline.extraction.math.mathml import mathml_to_latex
from pipeline.extraction.math.mathml_leaves import balance, name_of
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove, replace_by_text, xml_of

_CONTAINERS = etree.XPath(
    "//mjx-container|//span[contains(concat(' ',normalize-space(@class),' '),' katex ')]"
    "|//span[contains(concat(' ',normalize-space(@class),' '),' katex-display ')]"
    "|//span[contains(@class,'mwe-math-element')]|//div[contains(@class,'mwe-math-element')]"
    "|//*[starts-with(@class,'MathJax') or contains(@class,' MathJax')]"
)
# A comment of TeX, as LaTeXML breaks long lines. In one line it would swallow the rest of the formula.
_COMMENT = re.compile(r"(?<!\\)%[^\n]*(?:\n[ \t]*|\Z)")
_BOLD_IN_TEXT = re.compile(r"\\mbox\{\\boldmath\s?\$([^${}]*)\$\}")
_FORMULA_IN_TEXT = re.compile(r"\\(text|mbox|textrm|hbox)\{([^{}$]*)\$([^${}]*)\$([^{}$]*)\}")
_WRAPPED_STYLE = re.compile(r"\{\\(display|text)style\s*(?![A-Za-z])(.*)\}\s*\Z", re.S)
# Our choice: longer TeX in one formula is not written by hand. The longest formula of the evaluation pages
# has under 2,000 characters.
MAX_FORMULA_CHARS = 20_000


def take_out_math(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace every formula element of `tree` by its placeholder in `slots`."""
    tags, classes = inventory.tags, inventory.classes
    if "script" in tags:
        for script in [
            script for script in tree.iter("script") if script.get("type", "").startswith("math/")
        ]:
            _take_script(script, slots)
    if "mjx-container" in tags or any(name in classes for name in ("MathJax", "katex", "mwe-math")):
        for container in _CONTAINERS(tree):
            if container.getparent() is not None:
                _take_container(container, slots)
    if any(tag.endswith("math") for tag in tags):
        for math in maths_of(tree):
            if math.getparent() is not None:
                take_formula(math, latex_of_math(math), is_display(math), slots)


def tidy_tex(tex: str) -> str:
    """Return TeX as an author would write it: no delimiters, no display-style wrapper, balanced braces.

    White space around line breaks is removed. TeX longer than MAX_FORMULA_CHARS gives "".
    """
    tex = tex.strip()
    tex = re.sub(r"\A(?:<!--|%)?\s*<!\[CDATA\[|(?:%|//)?\s*\]\]>(?:-->)?\Z", "", tex).strip()
    for start, end in (("$$", "$$"), ("\\[", "\\]"), ("\\(", "\\)"), ("$", "$")):
        if (
            len(tex) >= len(start) + len(end)
            and tex.startswith(start)
            and tex.endswith(end)
            and not tex.endswith("\\" + end)
        ):
            tex = tex[len(start) : -len(end)].strip()
            break
    wrapped = _WRAPPED_STYLE.match(tex)
    if wrapped and balance(wrapped[2]) == wrapped[2]:
        tex = wrapped[2].strip()
    for style in ("\\displaystyle", "\\textstyle"):
        if tex.startswith(style) and not tex[len(style) : len(style) + 1].isalpha():
            tex = tex[len(style) :].strip()
    tex = re.sub(r"[ \t]*\n\s*", "\n", tex.replace("\u00a0", " "))
    return balance(tex) if len(tex) <= MAX_FORMULA_CHARS else ""


def formula_word(latex: str, display: bool, slots: Slots) -> str:
    """Store a formula, inline or display, and return its placeholder; "" for an empty formula."""
    latex = tidy_tex(latex)
    if "$" in latex:
        latex = _without_dollars(latex)
    if not latex:
        return ""
    if display:
        return slots.add(f"$$\n{latex}\n$$" if "\n" in latex else f"$${latex}$$", "display")
    if "%" in latex:
        latex = _COMMENT.sub("", latex)
    return slots.add(f"${' '.join(latex.split())}$", "math")


def _without_dollars(latex: str) -> str:
    r"""Return a formula in whose text no formulas stand: `\text{if $x$}` is `\text{if }x`.

    Dollars inside would end the formula for a reader of Markdown.
    """
    latex = _BOLD_IN_TEXT.sub(r"\\boldsymbol{\1}", latex)
    latex = _FORMULA_IN_TEXT.sub(r"\\\1{\2}\3\\\1{\4}", latex)
    return re.sub(r"\\(?:text|mbox|textrm|hbox)\{\}", "", latex)


def latex_of_math(math: etree._Element) -> str:
    """Return the LaTeX of a `<math>` element: its own annotation or alttext, else its MathML converted."""
    for annotation in math.iter():
        if name_of(annotation) == "annotation" and "tex" in annotation.get("encoding", "").lower():
            tex = "".join(annotation.itertext()).strip()
            if tex:
                return tex
    for attribute in ("alttext", "data-latex", "data-tex"):
        if math.get(attribute, "").strip():
            return math.get(attribute, "")
    return mathml_to_latex(math)


def is_display(math: etree._Element) -> bool:
    """Whether `<math>` stands on a line of its own."""
    if math.get("display") == "block" or math.get("mode") == "display":
        return True
    return "display:block" in math.get("style", "").replace(" ", "")


def maths_of(tree: etree._Element) -> list[etree._Element]:
    """Return the `<math>` elements of a tree, whatever their prefix and case."""
    return [
        element
        for element in tree.iter(etree.Element)
        if element.tag[-4:] in ("math", "MATH") and name_of(element) == "math"
    ]


def take_formula(element: etree._Element, latex: str, display: bool, slots: Slots) -> None:
    """Replace an element by the placeholder of its formula, in the line or as a paragraph of its own."""
    word = formula_word(latex, display, slots)
    slots.num_unreadable += not word
    replace_by_text(element, word, block=display)


def _take_script(script: etree._Element, slots: Slots) -> None:
    """Take a MathJax source script out; the preview and the rendering before it are removed as copies."""
    kind = script.get("type", "")
    previous = script.getprevious()
    while (
        previous is not None
        and re.search(r"\bMathJax|MJXc", class_of(previous))
        and not (previous.tail or "").strip()
    ):
        earlier = previous.getprevious()
        remove(previous)
        previous = earlier
    source = script.text or ""
    if "mml" in kind:
        math = xml_of(source)
        source = latex_of_math(math) if math is not None else ""
    elif "asciimath" in kind:
        from pipeline.extraction.math.asciimath import asciimath_to_latex

        source = asciimath_to_latex(source)
    elif "tex" not in kind:
        return
    take_formula(script, source, "mode=display" in kind.replace(" ", ""), slots)


def _take_container(container: etree._Element, slots: Slots) -> None:
    """Take a rendered formula out: TeX from an annotation or attribute, else its MathML, else its glyphs."""
    classes = class_of(container)
    if re.search(
        r"MathJax_(?:Preview|Message|Menu|Hover|SVG_Hidden|Font|LineBox)|MathJax_SVG_glyphs", classes
    ):
        if not slots.numbers("".join(container.itertext())):
            remove(container)
        return
    if slots.numbers("".join(container.itertext())):
        return
    latex, display = _latex_of_container(container, classes)
    if latex:
        take_formula(container, latex, display, slots)
    elif not classes.startswith("katex-"):
        slots.num_unreadable += 1


def _latex_of_container(container: etree._Element, classes: str) -> tuple[str, bool]:
    display = container.get("display") in ("true", "block") or "isplay" in classes
    for attribute in ("data-latex", "data-tex", "data-expr"):
        if container.get(attribute, "").strip():
            return container.get(attribute, ""), display
    if container.get("data-mathml"):
        math = xml_of(container.get("data-mathml", ""))
        if math is not None:
            return latex_of_math(math), display or is_display(math)
    math = next(
        (child for child in container.iter() if name_of(child) == "math" and child.tag != "mjx-math"), None
    )
    if math is not None:
        return latex_of_math(math), display or is_display(math)
    if container.tag == "mjx-container":
        return mathjax_to_latex(container), display
    if "katex" in classes:
        return katex_glyphs_to_latex(container), display
    image = container.find(".//img")
    return (image.get("alt", "") if image is not None else ""), display
