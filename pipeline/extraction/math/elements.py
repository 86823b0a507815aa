"""Take formulas out that stand as raw TeX in an element or attribute, for a script of the page to render.

The element says by its name, class or attribute that it is a formula: `data-latex` (Zhihu, TipTap,
MathQuill), `class="math"` (jsMath, pandoc, Discourse, GitLab), `<d-math>`, `<amp-mathml>`, `<math-renderer>`,
JATS's `<tex-math>`, and on AtCoder `<var>`.
"""

import re

from lxml import etree

from pipeline.extraction.math.dollars import STRONG_EVIDENCE, reads_as_prose
from pipeline.extraction.math.formulas import latex_of_math, maths_of, take_formula
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, text_up_to

# Attributes that hold TeX wherever they stand, and those that do on an element with a class for formulas.
_TEX_ATTRIBUTES = ("data-latex", "data-tex", "data-katex", "data-tex-source", "data-latex-source")
_CLASS_ATTRIBUTES = (
    "data-expr",
    "data-content",
    "data-value",
    "data-formula",
    "data-math",
    "data-equation",
    "data-source",
)
_ATTRIBUTES = _TEX_ATTRIBUTES + _CLASS_ATTRIBUTES
_WITH_ATTRIBUTE = etree.XPath(f"//*[{' or '.join(f'@{name}' for name in _ATTRIBUTES)}]")
# Parts of rendered formulas, whose attributes hold parts of the TeX, and images, which have their own rules.
_PARTS = ("mjx-", "g", "m", "img", "svg", "script")
# Elements of which the whole text is TeX.
_TEX_TAGS = frozenset([
    "d-math", "math-renderer", "tex-math", "x-katex", "tex-inline", "tex-block", "latex-math",
    "katex-inline", "katex-block", "math-inline", "math-block", "math-tex", "inline-math", "block-math",
    "eq", "eqn", "jax", "mathjax",
])  # fmt: skip
_JATS_TAGS = frozenset(("inline-formula", "disp-formula"))
_NAMED = etree.XPath(
    "//*[self::span or self::div or self::p or self::code or self::pre or self::tt or self::script][@class]"
)
# Classes of elements that hold nothing but TeX; those of the second kind are used for other things too.
_TEX_CLASSES = frozenset([
    "math-inline", "math-display", "js-render-math", "inline-math", "display-math", "math-tex",
    "mathquill-embedded-latex", "md-inline-math", "katex-inline", "katex-block", "kdmath", "texmath",
    "tex-math", "latex-inline", "latex-display", "ztext-math", "mathlatex", "inlineMath", "language-math",
    "ql-formula", "katex-error",
])  # fmt: skip
_MATH_CLASSES = frozenset(
    ("math", "tex", "latex", "mathjax", "equation", "formula", "asciimath", "mq-math-mode", "maths")
)
_ANY_CLASS = _TEX_CLASSES | _MATH_CLASSES
_ANY_TAG = _TEX_TAGS | _JATS_TAGS | {"amp-mathml"}
_IS_DISPLAY = re.compile(r"(?:^|[\s-])(?:display|block)(?=$|[\s-])|displayed")
_EVIDENCE = re.compile(r"\\[A-Za-z]|[_^{}=<>+/]|\A\s*\S{1,3}\s*\Z")
# A variable that AtCoder sets in TeX: a command, a script, or a relation.
_VARIABLE = re.compile(r"\\[A-Za-z]{2}|(?<![A-Za-z])[A-Za-z](?:_[A-Za-z0-9{]|\^)|\d\^")
# Our choice: a longer text beside a TeX attribute is a passage and no rendering of the formula.
MAX_RENDERED_CHARS = 500


def take_out_elements(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace every element of `tree` that holds raw TeX by its placeholder."""
    is_named = not inventory.class_names.isdisjoint(_ANY_CLASS)
    if is_named or inventory.has_tex_attributes:
        for element in _WITH_ATTRIBUTE(tree):
            _take_attribute(element, slots)
    if not inventory.tags.isdisjoint(_ANY_TAG):
        _take_tags(tree, slots)
    if is_named:
        for element in _NAMED(tree):
            if element.getparent() is not None:
                _take_named(element, slots)
    if "var" in inventory.tags:
        _take_variables(tree, slots)


def _take_attribute(element: etree._Element, slots: Slots) -> None:
    names = class_of(element).split()
    attributes = _TEX_ATTRIBUTES
    if not _ANY_CLASS.isdisjoint(names):
        attributes += _CLASS_ATTRIBUTES
    latex = next(filter(None, (element.get(name, "").strip() for name in attributes)), "")
    is_part = element.getparent() is None or str(element.tag).startswith(_PARTS)
    limit = MAX_RENDERED_CHARS + 4 * len(latex)
    if latex and not is_part and len(text_up_to(element, limit)) <= limit:
        take_formula(element, latex, _is_display(element), slots)


def _is_display(element: etree._Element) -> bool:
    """Whether an element says that its formula stands on a line of its own."""
    if any(
        element.get(name) in ("", "true", "display", "block") for name in ("display", "data-display", "block")
    ):
        return True
    if element.get("data-math-style") == "display" or element.get("data-type") == "blockMath":
        return True
    classes = class_of(element)
    is_inline = (
        "inline" in classes or element.get("data-math-style") == "inline" or element.get("inline") is not None
    )
    return _IS_DISPLAY.search(classes) is not None or (element.tag in ("div", "p", "pre") and not is_inline)


def _take_tags(tree: etree._Element, slots: Slots) -> None:
    for element in list(tree.iter(*_JATS_TAGS)):
        _take_jats(element, slots)
    for element in list(tree.iter("amp-mathml")):
        take_formula(element, element.get("data-formula", ""), element.get("inline") is None, slots)
    for element in list(tree.iter(*_TEX_TAGS)):
        if element.getparent() is None:
            continue
        display = _is_display(element) or element.tag == "eqn" or element.tag.endswith("block")
        if any(child.tag != "br" for child in element):
            # It is rendered already; its name must not break the line.
            element.tag = "div" if display else "span"
        else:
            take_formula(element, _body("".join(element.itertext())), display, slots)


def _take_jats(element: etree._Element, slots: Slots) -> None:
    """Take a formula of JATS out: its TeX, else its MathML; both are there as alternatives."""
    tex = next(element.iter("tex-math"), None)
    math = next(iter(maths_of(element)), None)
    display = element.tag == "disp-formula"
    if tex is not None:
        take_formula(element, _body("".join(tex.itertext())), display, slots)
    elif math is not None:
        take_formula(element, latex_of_math(math), display, slots)
    else:
        element.tag = "p" if display else "span"


def _body(latex: str) -> str:
    """Return the formula in a whole document of LaTeX, as publishers write them into JATS."""
    _, _, body = latex.partition("\\begin{document}")
    return body.partition("\\end{document}")[0] if body else latex


def _take_named(element: etree._Element, slots: Slots) -> None:
    """Take an element out of which a class says that it is TeX, and its text too if the class may mislead."""
    names = class_of(element).split()
    is_sure = not _TEX_CLASSES.isdisjoint(names) or (
        "math" in names and ("inline" in names or "display" in names)
    )
    if not is_sure and _MATH_CLASSES.isdisjoint(names):
        return
    parent = element.getparent()
    if element.tag == "code" and parent is not None and parent.tag == "pre":
        element = parent
    if any(child.tag != "code" and child.tag != "br" for child in element) or element.tag == "script":
        return
    latex = "".join(element.itertext()).strip()
    if (
        not latex
        or "\\(" in latex
        or "\\[" in latex
        or latex[0] == "$"
        or slots.mark in latex
        or "asciimath" in names
    ):
        return
    if not is_sure:
        evidence = _EVIDENCE if "math" in names else STRONG_EVIDENCE
        if evidence.search(latex) is None or reads_as_prose(latex):
            return
    take_formula(element, latex, _is_display(element), slots)


def _take_variables(tree: etree._Element, slots: Slots) -> None:
    """Take the `<var>` of a page out if its variables are TeX, as on AtCoder; in code they stay."""
    code = {element for block in tree.iter("pre", "code") for element in block.iter("var")}
    variables = [element for element in tree.iter("var") if not len(element) and element not in code]
    if any(_VARIABLE.search(element.text or "") for element in variables):
        for element in variables:
            take_formula(element, element.text or "", False, slots)
