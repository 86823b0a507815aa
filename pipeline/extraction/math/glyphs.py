"""Convert rendered formulas without their source (MathJax 3/4 output and KaTeX's HTML) back to LaTeX.

MathJax marks each node with its MathML name, so its output is rebuilt as MathML and converted. KaTeX leaves
only boxes and their vertical order. Scripts, fractions, roots, limits and accents are read from class names;
everything else is written as glyphs in order.
"""

import re

from lxml import etree

from pipeline.extraction.math.mathml import mathml_to_latex
from pipeline.extraction.math.mathml_leaves import balance, join
from pipeline.extraction.math.mathml_symbols import FUNCTIONS, symbol
from pipeline.extraction.tree.tree import class_of, settable

_CHAR_CLASS = re.compile(r"\bmjx-c([0-9A-F]{2,5})\b")
_TOP = re.compile(r"top:\s*(-?[\d.]+)em")
_WRAPPERS = frozenset([
    "mjx-script", "mjx-over", "mjx-under", "mjx-base", "mjx-row", "mjx-box", "mjx-num", "mjx-den", "mjx-frac",
    "mjx-dbox", "mjx-nstrut", "mjx-dstrut", "mjx-line",
])  # fmt: skip
# Our choice: deeper than any real formula. KaTeX uses about eight elements per level.
MAX_DEPTH = 400


def mathjax_to_latex(container: etree._Element) -> str:
    """Return the LaTeX of an `<mjx-container>` that has no assistive MathML."""
    svg_root = container.find(".//g[@data-mml-node='math']")
    if svg_root is not None:
        return mathml_to_latex(_from_svg(svg_root, 0))
    chtml_root = container.find(".//mjx-math")
    return mathml_to_latex(_from_chtml(chtml_root, 0)) if chtml_root is not None else ""


def _from_svg(node: etree._Element, depth: int) -> etree._Element:
    name = node.get("data-mml-node", "mrow")
    math = etree.Element("mrow" if name == "TeXAtom" else re.sub(r"[^a-z]", "", name.lower()) or "mrow")
    chars = [
        chr(int(code, 16))
        for code in (path.get("data-c", "") for path in node)
        if re.fullmatch(r"[0-9A-F]{2,5}", code)
    ]
    if chars:
        math.text = settable("".join(chars))
    if depth < MAX_DEPTH:
        for child in _marked(node, depth):
            math.append(_from_svg(child, depth + 1))
    return math


def _marked(node: etree._Element, depth: int) -> list[etree._Element]:
    """Return the nearest descendants with a MathML name (the SVG groups in between have none)."""
    found: list[etree._Element] = []
    for child in node:
        if child.get("data-mml-node"):
            found.append(child)
        elif depth < MAX_DEPTH:
            found.extend(_marked(child, depth + 1))
    return found


def _from_chtml(node: etree._Element, depth: int) -> etree._Element:
    name = str(node.tag).removeprefix("mjx-")
    math = etree.Element(
        "mrow" if name.lower() == "texatom" else re.sub(r"[^a-z]", "", name.lower()) or "mrow"
    )
    codes = (
        [_CHAR_CLASS.search(class_of(child)) for child in node.iter("mjx-c")]
        if name in ("mi", "mo", "mn", "mtext")
        else []
    )
    if codes:
        math.text = settable("".join(chr(int(code[1], 16)) for code in codes if code))
        return math
    if depth < MAX_DEPTH:
        children = _flatten(node, depth)
        if name == "munderover" or (name in ("msubsup",) and len(children) == 3):
            children = _base_below_above(node, children)
        elif name in ("mover",) and len(children) == 2:
            children = children[::-1]
        math.extend(_from_chtml(child, depth + 1) for child in children)
    return math


def _flatten(node: etree._Element, depth: int) -> list[etree._Element]:
    found: list[etree._Element] = []
    for child in node:
        if str(child.tag) in _WRAPPERS and depth < MAX_DEPTH:
            found.extend(_flatten(child, depth + 1))
        elif str(child.tag) not in ("mjx-spacer", "mjx-strut", "mjx-tstrut", "mjx-c", "mjx-surd"):
            found.append(child)
    return found


def _base_below_above(node: etree._Element, children: list[etree._Element]) -> list[etree._Element]:
    """Reorder children: CHTML draws the upper script first, MathML needs base, lower, upper."""
    if node.tag == "mjx-munderover" and len(children) == 2 and children[1].tag == "mjx-munder":
        inner = _flatten(children[1], 0)
        return [*inner[:2], children[0]] if len(inner) == 2 else children
    if node.tag == "mjx-msubsup":
        return [children[0], children[2], children[1]]
    return children


def katex_glyphs_to_latex(container: etree._Element) -> str:
    """Return the LaTeX read from KaTeX's visible boxes."""
    html = next((node for node in container.iter("span") if class_of(node) == "katex-html"), container)
    return balance(_katex_children(html, 0)).strip()


def _katex_children(node: etree._Element, depth: int) -> str:
    parts = [_katex_text(node.text)]
    for child in node:
        parts.append(_katex(child, depth + 1))
        parts.append(_katex_text(child.tail))
    return join(parts)


def _katex_text(text: str | None) -> str:
    chars = (text or "").replace("\u200b", "").replace("\u00a0", " ")
    if chars in FUNCTIONS:
        return f"\\{chars}"
    if len(chars) > 1 and not chars.isascii():
        return join([symbol(char) for char in chars])
    return symbol(chars) if len(chars) == 1 else chars


def _katex(node: etree._Element, depth: int) -> str:
    if depth > MAX_DEPTH or not isinstance(node.tag, str):
        return ""
    classes = class_of(node).split()
    kind = classes[0] if classes else ""
    if (
        kind in ("strut", "pstrut", "vlist-s", "frac-line", "nulldelimiter", "hide-tail", "mspace")
        or node.tag == "svg"
    ):
        return ""
    if kind == "msupsub":
        return _katex_scripts(node, depth)
    if "mfrac" in classes:
        rows = _vlist_rows(node)
        if len(rows) >= 2:
            return f"\\frac{{{_katex_children(rows[0][1], depth)}}}{{{_katex_children(rows[-1][1], depth)}}}"
    if "sqrt" in classes:
        return f"\\sqrt{{{_katex_children(node, depth)}}}"
    if "op-limits" in classes:
        return _katex_limits(node, depth)
    if "accent" in classes:
        return _katex_accent(node, depth)
    inner = _katex_children(node, depth)
    for css, font in (
        ("mathbb", "mathbb"),
        ("mathcal", "mathcal"),
        ("mathbf", "mathbf"),
        ("boldsymbol", "boldsymbol"),
        ("mathrm", "mathrm"),
        ("mathfrak", "mathfrak"),
    ):
        if css in classes and inner:
            return f"\\{font}{{{inner}}}"
    return f"\\text{{{inner}}}" if "text" in classes and inner else inner


def _vlist_rows(node: etree._Element) -> list[tuple[float, etree._Element]]:
    """Return the boxes stacked in the first vlist below `node`, top to bottom."""
    vlist = next((child for child in node.iter("span") if class_of(child) == "vlist"), None)
    if vlist is None:
        return []
    rows = []
    for child in vlist:
        top = _TOP.search(child.get("style", ""))
        if top is not None and any(
            not class_of(inner).startswith(("pstrut", "frac-line")) for inner in child
        ):
            rows.append((float(top[1]), child))
    return sorted(rows, key=lambda pair: pair[0])


def _katex_scripts(node: etree._Element, depth: int) -> str:
    rows = _vlist_rows(node)
    latex = [_katex_children(row, depth) for _, row in rows]
    if len(rows) == 2:
        return f"_{{{latex[1]}}}^{{{latex[0]}}}"
    if not rows:
        return ""
    # KaTeX lowers every subscript with a second (empty) vlist; a superscript has none.
    is_sub = "vlist-t2" in class_of(node[0]) if len(node) else False
    if not is_sub and latex[0].strip("'′\\prime ") == "":
        return "'" * max(1, latex[0].count("prime") + latex[0].count("'"))
    return f"{'_' if is_sub else '^'}{{{latex[0]}}}"


def _katex_limits(node: etree._Element, depth: int) -> str:
    rows = [
        (top, _katex_children(row, depth), any("size3" in class_of(inner) for inner in row))
        for top, row in _vlist_rows(node)
    ]
    base = next((latex for _, latex, small in rows if not small), "")
    place = next((index for index, (_, _, small) in enumerate(rows) if not small), 0)
    above = "".join(latex for _, latex, _ in rows[:place])
    below = "".join(latex for _, latex, _ in rows[place + 1 :])
    return base + (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else "")


def _katex_accent(node: etree._Element, depth: int) -> str:
    rows = _vlist_rows(node)
    if len(rows) < 2:
        return _katex_children(node, depth)
    mark = "".join(rows[0][1].itertext()).strip().replace("\u200b", "")
    command = {
        "^": "hat",
        "ˆ": "hat",
        "¯": "bar",
        "ˉ": "bar",
        "~": "tilde",
        "˜": "tilde",
        "˙": "dot",
        "¨": "ddot",
        "⃗": "vec",
    }.get(mark, "vec" if not mark else "")
    bodies = sorted(rows, key=lambda pair: pair[0], reverse=True)
    body = next(
        (row for _, row in bodies if not any("accent-body" in class_of(inner) for inner in row)), bodies[0][1]
    )
    inner = _katex_children(body, depth)
    return f"\\{command}{{{inner}}}" if command else inner
