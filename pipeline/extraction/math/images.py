"""Take formulas out that a page shows as images: by the TeX in their `alt`, their URL or another attribute.

LaTeX2HTML, WordPress, Moodle, Zhihu, MathWorld, QuickLaTeX and the rendering services keep the source beside
the picture. A description in words is no formula and stays out.
"""

import re
from urllib.parse import unquote_plus, urlsplit

import re2
from lxml import etree

from pipeline.extraction.math.formulas import MAX_FORMULA_CHARS, latex_of_math, take_formula
from pipeline.extraction.math.scanning import environment_body
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, xml_of

# Images with these classes are formulas, whatever their `alt` looks like.
_FORMULA_CLASS = re.compile(
    r"\b(?:ee_img|tex|latex|latexcenter|texrender|ltx_Math|ql-img-\w+-(?:formula|equation)|mwe-math\S*|mathjax-img"
    r"|inlineformula|numberedequation|displayformula|equation_image|wp-katex-eq)\b"
)
_MATH_CLASS = re.compile(r"\b(?:math|mathjax|equation|eqn?|formula|wirisformula|mathtype)", re.I)
_MATH_URL = re2.compile(
    r"(?i)codecogs\.com|latex\.php|/latex\.|\.latex\?|mathtex\.|mimetex|/cgi-bin/tex|webtex|texer\.|/math/render/"
    r"|/svg\.image\?|/render\?tex|chart\.(?:apis\.google|googleapis)|i\.upmath\.me|tex\.s2cms|/equation\?tex="
    r"|texrender|latexrender|quicklatex|filter/tex|tex2img|render/math\?math=|math\.now\.sh|/equation_images/"
    r"|math\.vercel\.app|mathurl\.com|numberempire\.com/(?:render|equation)"
)
_PHOTOS = (".jpg", ".jpeg", ".webp", ".JPG")
_URL_KEYS = ("latex", "tex", "math", "formula", "chl", "eq", "from", "equation")
_TEX_EVIDENCE = re.compile(r"\\[A-Za-z]|[_^{}=]")
_TEX = re.compile(r"\\[A-Za-z]|[_^{}=<>+/|-]|\A\s*\S{1,3}\s*\Z")
_DELIMITED = re.compile(r"(?s)\\\(.+\\\)|\\\[.+\\\]|\$\$.+\$\$|\$.+\$|\\begin\{(\w+\*?)\}.+\\end\{\1\}")
_NO_SOURCE = frozenset(("", "latex", "equation", "formula", "math", "tex", "image", "inline formula"))
_LABEL = re.compile(r"\A(?:LaTeX|TeX|Formula|Equation):\s?")


def take_out_images(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace every image of a formula in `tree` by its placeholder."""
    if "img" not in inventory.tags:
        return
    for image in list(tree.iter("img")):
        latex, display = _latex_of_image(image)
        if latex:
            take_formula(image, latex, display, slots)


def _latex_of_image(image: etree._Element) -> tuple[str, bool]:
    """Return the TeX of an image and whether it is a display; "" if it is no formula."""
    alt = image.get("alt", "").strip()
    classes = class_of(image)
    display = "display" in classes or "numbered" in classes or alt.startswith(("\\[", "$$", "\\begin"))
    if latex := image.get("data-latex") or image.get("data-equation-content"):
        return latex, display
    if (mathml := image.get("data-mathml")) or "<math" in alt or "«math" in alt:
        return _latex_of_mathml(mathml or alt), display
    if alt[:1] in ("\\", "$") and (latex := _undelimited(alt)):
        return latex, display
    source = image.get("src") or image.get("data-src") or ""
    is_photo = source.endswith(_PHOTOS) or len(source) > MAX_FORMULA_CHARS
    by_url = not is_photo and _MATH_URL.search(source) is not None
    if not by_url and not (classes and _FORMULA_CLASS.search(classes)):
        has_class = alt and classes and _MATH_CLASS.search(classes) and _TEX_EVIDENCE.search(alt)
        return (alt if has_class else ""), display
    from_url = _tex_of_url(source) if by_url else ""
    title = image.get("title", "").strip()
    latex = _LABEL.sub("", alt) or (title if _TEX_EVIDENCE.search(title) else "") or from_url
    if (from_url and not _TEX_EVIDENCE.search(latex)) or latex.lower() in _NO_SOURCE:
        latex = from_url
    display = display or "displaystyle" in from_url[:16]
    return ("" if _is_description(latex) else latex), display


def _undelimited(alt: str) -> str:
    """Return the TeX of an alternative text between delimiters, "" if it is not that."""
    delimited = _DELIMITED.fullmatch(alt)
    if delimited is None or (alt[0] == "$" and not _TEX.search(alt.strip("$"))):
        return ""
    if not delimited[1]:
        return alt
    opening, closing = f"\\begin{{{delimited[1]}}}", f"\\end{{{delimited[1]}}}"
    return environment_body(opening, alt[len(opening) : -len(closing)], closing)


def _is_description(latex: str) -> bool:
    """Whether an alternative text says in words what the picture shows."""
    return (
        _TEX_EVIDENCE.search(latex) is None
        and re.search(r"(?<![A-Za-z])[A-Za-z]{2,} [A-Za-z]{2}", latex) is not None
    )


def _latex_of_mathml(source: str) -> str:
    """Return the LaTeX of MathML in an attribute; WIRIS writes other characters for the special ones."""
    for char, markup in zip("«»¨´§", "<>\"'&", strict=True):
        source = source.replace(char, markup)
    math = xml_of(source)
    return latex_of_math(math) if math is not None else ""


def _tex_of_url(url: str) -> str:
    """Return the TeX in the query (or after the marker) of a rendering service's URL."""
    parts = urlsplit(url) if "[" not in url else None
    query = parts.query if parts is not None else url.partition("?")[2]
    if not query:
        path = url.partition("/tex/")[2] or url.partition("/svg/")[2] or url.partition("/equation_images/")[2]
        if path.endswith((".png", ".gif", ".svg")):
            return ""
        # Canvas quotes twice.
        return unquote_plus(unquote_plus(path) if "%25" in path else path)
    for pair in query.split("&"):
        key, equals, value = pair.partition("=")
        if equals and key in _URL_KEYS:
            return unquote_plus(value)
    # A plus stands for a blank only in a query that writes its real pluses as %2B.
    tex = unquote_plus(query if "%2B" in query or "%2b" in query else query.replace("+", "%2B"))
    return re.sub(
        r"\A(?:\\(?:dpi|bg|fg)\s*\{[^{}]*\}\s*|\\(?:large|small|tiny|huge|inline|fn_\w+)\b\s*|&\w+=\w+)+",
        "",
        tex,
        flags=re.I,
    )
