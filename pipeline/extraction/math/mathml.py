"""Convert presentation MathML to LaTeX.

One recursive pass returns LaTeX with balanced braces for each element. Unknown elements return their
children, so no visible content is lost. Elements are read by local name, without namespace and `mjx-`.
"""

import re
from collections.abc import Callable

from lxml import etree

from pipeline.extraction.math.mathml_leaves import (
    balance,
    children_of,
    escape_text,
    identifier_leaf,
    join,
    name_of,
    number_leaf,
    operator_leaf,
    space_leaf,
    styled,
    text_leaf,
    text_of,
)
from pipeline.extraction.math.mathml_symbols import (
    ACCENTS_OVER,
    ACCENTS_UNDER,
    LIMIT_OPERATORS,
    STRETCHED,
    symbol,
)
from pipeline.extraction.math.mathml_tables import BAR_LESS, binomials, cases_or_fence, fenced, matrix

# Our choice: deeper nesting is hostile; anything below is written as plain text.
MAX_DEPTH = 100
# Commands for the notations of `<menclose>`.
_ENCLOSURES = {
    "box": "boxed", "roundedbox": "boxed", "updiagonalstrike": "cancel", "downdiagonalstrike": "bcancel",
    "radical": "sqrt", "top": "overline", "bottom": "underline", "horizontalstrike": "sout",
    "circle": "enclose{circle}",
}  # fmt: skip


def mathml_to_latex(math: etree._Element) -> str:
    """Return the LaTeX of a `<math>` element without delimiters."""
    return balance(row(list(math), 0, math.text)).strip()


def row(children: list[etree._Element], depth: int, text: str | None = None) -> str:
    """Convert children side by side; a table between fences becomes a matrix with delimiters."""
    parts = [text.strip()] if text and text.strip() else []
    names = [name_of(child) for child in children]
    table = cases_or_fence(children, names, depth, row)
    if table is not None:
        return table
    parts += [convert(child, depth) for child in children]
    return join(binomials(parts) if "mo" in names else parts)


def convert(element: etree._Element, depth: int) -> str:
    """Convert one MathML element to LaTeX."""
    if depth > MAX_DEPTH:
        return escape_text("".join(element.itertext()))
    name = name_of(element)
    handler = _HANDLERS.get(name)
    if handler is not None:
        return handler(element, depth + 1)
    if not name or name.startswith("annotation"):
        return ""
    return row(list(element), depth + 1, element.text if not len(element) else None)


def argument(element: etree._Element | None, depth: int) -> str:
    """Convert a child to LaTeX in braces."""
    return "{" + (convert(element, depth) if element is not None else "") + "}"


def _fraction(element: etree._Element, depth: int) -> str:
    above, below = children_of(element, 2)
    if re.fullmatch(r"0+(\.0+)?[a-z%]*", element.get("linethickness", "").strip()):
        return f"{BAR_LESS}{argument(above, depth)}{argument(below, depth)}"
    return f"\\frac{argument(above, depth)}{argument(below, depth)}"


def _square_root(element: etree._Element, depth: int) -> str:
    return f"\\sqrt{{{row(list(element), depth, element.text)}}}"


def _root(element: etree._Element, depth: int) -> str:
    body, index = children_of(element, 2)
    return f"\\sqrt[{convert(index, depth) if index is not None else ''}]{argument(body, depth)}"


def _base(element: etree._Element | None, depth: int) -> str:
    """Convert the base of a script, in braces only if it is more than one token."""
    latex = convert(element, depth) if element is not None else ""
    if not latex or len(latex) == 1 or re.fullmatch(r"\\[A-Za-z]+|\\[{}|]|\\[a-z]+\{[^{}]*\}", latex):
        return latex or "{}"
    if (
        element is not None
        and name_of(element) in ("mi", "mn", "mo", "mtext")
        and not re.search(r"[\\^_]", latex[1:])
    ):
        return latex if name_of(element) == "mn" else f"{{{latex}}}"
    return f"{{{latex}}}"


def _script(mark: str, element: etree._Element | None, depth: int) -> str:
    latex = convert(element, depth) if element is not None else ""
    if mark == "^" and re.fullmatch("'+", latex):
        return latex
    return (
        f"{mark}{latex}" if len(latex) == 1 and latex not in "^_'~" else f"{mark}{{{latex}}}" if latex else ""
    )


def _sub(element: etree._Element, depth: int) -> str:
    base, below = children_of(element, 2)
    return _base(base, depth) + _script("_", below, depth)


def _sup(element: etree._Element, depth: int) -> str:
    base, above = children_of(element, 2)
    return _base(base, depth) + _script("^", above, depth)


def _sub_sup(element: etree._Element, depth: int) -> str:
    base, below, above = children_of(element, 3)
    return _base(base, depth) + _script("_", below, depth) + _script("^", above, depth)


def _takes_limits(base: etree._Element | None) -> bool:
    """Whether TeX itself sets scripts of this base as limits in a display."""
    if base is None:
        return False
    text = text_of(base).replace("\u2061", "").replace("\u2006", "").replace("\u2009", "")
    return text in LIMIT_OPERATORS or text.replace(" ", "") in (
        "lim", "limsup", "liminf", "max", "min", "sup", "inf", "det", "gcd", "Pr",
    )  # fmt: skip


def _accented(
    base: etree._Element | None, mark: etree._Element | None, accents: dict[str, str], depth: int
) -> str | None:
    if mark is None or name_of(mark) not in ("mo", "mi", "mtext", "mrow", "mover", "texatom"):
        return None
    command = accents.get(text_of(mark)) or accents.get("".join(mark.itertext()).strip())
    if command is None or (command == "dot" and name_of(mark) != "mo"):
        return None
    inner = convert(base, depth) if base is not None else ""
    wide = mark.get("stretchy") == "true" or len(text_of(base) if base is not None else "") > 1
    if wide and mark.get("stretchy") != "false":
        command = STRETCHED.get(command, command)
    return f"\\{command}{{{inner}}}"


def _over(element: etree._Element, depth: int) -> str:
    base, above = children_of(element, 2)
    accented = _accented(base, above, ACCENTS_OVER, depth)
    if accented is not None:
        return accented
    if _takes_limits(base) or _is_brace(base, "over"):
        return _base(base, depth) + _script("^", above, depth)
    if base is not None and text_of(base) in "→←⟶⟵" and text_of(base):
        return f"\\x{'right' if text_of(base) in '→⟶' else 'left'}arrow{argument(above, depth)}"
    return f"\\overset{argument(above, depth)}{argument(base, depth)}"


def _under(element: etree._Element, depth: int) -> str:
    base, below = children_of(element, 2)
    accented = _accented(base, below, ACCENTS_UNDER, depth)
    if accented is not None:
        return accented
    if _takes_limits(base) or _is_brace(base, "under"):
        return _base(base, depth) + _script("_", below, depth)
    return f"\\underset{argument(below, depth)}{argument(base, depth)}"


def _is_brace(base: etree._Element | None, side: str) -> bool:
    """Whether `base` is an element with an over- or underbrace, whose label is a script."""
    if base is None or name_of(base) not in ("mover", "munder"):
        return False
    mark = children_of(base, 2)[1]
    braces = ("⏞", "︷", "⎴") if side == "over" else ("⏟", "︸", "⎵")
    return mark is not None and text_of(mark) in braces


def _under_over(element: etree._Element, depth: int) -> str:
    base, below, above = children_of(element, 3)
    if _takes_limits(base):
        return _base(base, depth) + _script("_", below, depth) + _script("^", above, depth)
    accented = _accented(base, above, ACCENTS_OVER, depth)
    if accented is not None:
        return f"\\underset{argument(below, depth)}{{{accented}}}"
    return f"\\underset{argument(below, depth)}{{\\overset{argument(above, depth)}{argument(base, depth)}}}"


def _multiscripts(element: etree._Element, depth: int) -> str:
    children = [child for child in element if isinstance(child.tag, str)]
    if not children:
        return ""
    names = [name_of(child) for child in children]
    split = names.index("mprescripts") if "mprescripts" in names else len(children)
    after = _script_pairs(children[1:split], depth)
    before = _script_pairs(children[split + 1 :], depth)
    return (f"{{}}{before}" if before else "") + _base(children[0], depth) + after


def _script_pairs(children: list[etree._Element], depth: int) -> str:
    out = []
    for index in range(0, len(children), 2):
        pair = [*children[index : index + 2], None][:2]
        below, above = (None if child is None or name_of(child) == "none" else child for child in pair)
        if index and out:
            out.append("{}")
        out.append(_script("_", below, depth) + _script("^", above, depth))
    return "".join(out)


def _style(element: etree._Element, depth: int) -> str:
    inner = row(list(element), depth, element.text)
    return (
        styled(inner, element.get("mathvariant", ""), text_of(element))
        if element.get("mathvariant")
        else inner
    )


def _phantom(element: etree._Element, depth: int) -> str:
    return f"\\phantom{{{row(list(element), depth)}}}"


def _enclosed(element: etree._Element, depth: int) -> str:
    inner = row(list(element), depth, element.text)
    for notation in element.get("notation", "longdiv").split():
        if notation in _ENCLOSURES:
            inner = f"\\{_ENCLOSURES[notation]}{{{inner}}}"
    return inner


def _fenced(element: etree._Element, depth: int) -> str:
    left, right = element.get("open", "("), element.get("close", ")")
    separators = element.get("separators", ",").replace(" ", "")
    children = [child for child in element if isinstance(child.tag, str)]
    parts: list[str] = []
    for index, child in enumerate(children):
        if index and separators:
            parts.append(symbol(separators[min(index - 1, len(separators) - 1)]))
        parts.append(convert(child, depth))
    return fenced(left, right, parts)


def _table(element: etree._Element, depth: int) -> str:
    return matrix(element, "matrix", depth, row)


def _semantics(element: etree._Element, depth: int) -> str:
    children = [child for child in element if not name_of(child).startswith("annotation")]
    return row(children, depth, element.text)


def _first_child(element: etree._Element, depth: int) -> str:
    child = children_of(element, 1)[0]
    return convert(child, depth) if child is not None else ""


_HANDLERS: dict[str, Callable[[etree._Element, int], str]] = {
    "mi": identifier_leaf,
    "mn": number_leaf,
    "mo": operator_leaf,
    "mtext": text_leaf,
    "ms": text_leaf,
    "mspace": space_leaf,
    "mfrac": _fraction,
    "msqrt": _square_root,
    "mroot": _root,
    "msub": _sub,
    "msup": _sup,
    "msubsup": _sub_sup,
    "mover": _over,
    "munder": _under,
    "munderover": _under_over,
    "mmultiscripts": _multiscripts,
    "mstyle": _style,
    "mphantom": _phantom,
    "menclose": _enclosed,
    "mfenced": _fenced,
    "mtable": _table,
    "semantics": _semantics,
    "maction": _first_child,
}
