"""Convert formulas of a page, in every encoding that the web uses, to LaTeX.

`take_out_math` replaces each formula in the tree by its placeholder. Source TeX is preferred to rendered
output: first scripts and annotations, then attributes, then converted MathML, then glyphs. Copies of the
formula (previews, fallback images, assistive MathML) are removed with it, so each formula occurs once.
"""

import re
from urllib.parse import unquote_plus, urlsplit

import re2
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
_LATEXML_TABLES = etree.XPath("//table[contains(@class,'ltx_eqn_table')]")
_MATH_IMAGE_CLASS = re.compile(r"\b(?:tex|latex|math|mathjax|mwe-math\S*|equation|ee_img|eqn?)\b", re.I)
_MATH_IMAGE_URL = re2.compile(
    r"(?i)codecogs\.com|latex\.php|/latex\.|mathtex\.|mimetex|/cgi-bin/tex|webtex|texer\.|/math/render/"
    r"|/svg\.image\?|/render\?tex|chart\.apis\.google|i\.upmath\.me"
)
_TEX_EVIDENCE = re.compile(r"\\[A-Za-z]|[_^{}=]")
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
        _take_latexml_tables(tree, slots)
        for math in _maths(tree):
            if math.getparent() is not None:
                _take_formula(math, latex_of_math(math), is_display(math), slots)
    if "img" in tags:
        for image in list(tree.iter("img")):
            _take_image(image, slots)


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
    if not latex:
        return ""
    if display:
        return slots.add(f"$$\n{latex}\n$$" if "\n" in latex else f"$${latex}$$", "display")
    return slots.add(f"${' '.join(latex.split())}$", "math")


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


def _maths(tree: etree._Element) -> list[etree._Element]:
    return [
        element
        for element in tree.iter(etree.Element)
        if element.tag[-4:] in ("math", "MATH") and name_of(element) == "math"
    ]


def _take_formula(element: etree._Element, latex: str, display: bool, slots: Slots) -> None:
    word = formula_word(latex, display, slots)
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
    _take_formula(script, source, "mode=display" in kind.replace(" ", ""), slots)


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
        _take_formula(container, latex, display, slots)


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


def _take_latexml_tables(tree: etree._Element, slots: Slots) -> None:
    """Take LaTeXML's tables out, which set numbered displays: every row with formulas becomes one line."""
    for table in _LATEXML_TABLES(tree):
        lines = []
        for line in table.iter("tr"):
            parts = [latex_of_math(math) for math in _maths(line)]
            if parts:
                lines.append(
                    " ".join(re.sub(r"\\displaystyle\s*(?![A-Za-z])", "", part).strip() for part in parts)
                )
        if not lines:
            continue
        latex = (
            lines[0] if len(lines) == 1 else "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"
        )
        _take_formula(table, latex, True, slots)


def _take_image(image: etree._Element, slots: Slots) -> None:
    source = image.get("src") or image.get("data-src") or ""
    by_url = len(source) < MAX_FORMULA_CHARS and bool(_MATH_IMAGE_URL.search(source))
    classes = class_of(image)
    alt = (image.get("alt") or "").strip()
    if not by_url and not (_MATH_IMAGE_CLASS.search(classes) and alt and _TEX_EVIDENCE.search(alt)):
        delimited = len(alt) > 4 and alt[:2] in ("\\(", "\\[", "$$") and alt[-2:] in ("\\)", "\\]", "$$")
        if not delimited and not (len(alt) > 2 and alt[0] == alt[-1] == "$" and _TEX_EVIDENCE.search(alt)):
            return
    from_url = _tex_of_url(source) if by_url else ""
    latex = alt or image.get("title", "") or from_url
    if from_url and not _TEX_EVIDENCE.search(latex) and len(from_url) > len(latex):
        latex = from_url
    if latex.lower() in ("", "latex", "equation", "formula", "math", "tex"):
        latex = from_url
    if not latex:
        return
    display = "display" in classes or alt.startswith(("\\[", "$$")) or "displaystyle" in from_url[:16]
    _take_formula(image, latex, display, slots)


def _tex_of_url(url: str) -> str:
    """Return the TeX in the query (or after the marker) of a rendering service's URL."""
    parts = urlsplit(url) if "[" not in url else None
    query = parts.query if parts is not None else url.partition("?")[2]
    if not query:
        return unquote_plus(url.partition("/tex/")[2] or url.partition("/svg/")[2])
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if equals and key in ("latex", "tex", "math", "formula", "chl", "eq"):
            return unquote_plus(value)
    # A plus stands for a blank only in a query that writes its real pluses as %2B.
    tex = unquote_plus(query if "%2B" in query or "%2b" in query else query.replace("+", "%2B"))
    return re.sub(
        r"\A(?:\\(?:dpi|bg|fg)\s*\{[^{}]*\}\s*|\\(?:large|small|tiny|huge|inline|fn_\w+)\b\s*|&\w+=\w+)+",
        "",
        tex,
        flags=re.I,
    )
