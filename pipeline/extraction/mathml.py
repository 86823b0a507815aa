"""Presentation MathML to LaTeX.

One recursive pass; each element returns LaTeX whose braces are balanced. Unknown elements give their children, so
nothing that the formula shows is lost. Elements are read by local name: namespaces, and MathJax's `mjx-` copies of MathML, are alike.
"""

import re
from collections.abc import Callable

from lxml import etree

from pipeline.extraction.mathml_symbols import (
    ACCENTS_OVER,
    ACCENTS_UNDER,
    FUNCTIONS,
    LIMIT_OPERATORS,
    STRETCHED,
    VARIANTS,
    plain_letter,
    symbol,
)

# Ours: deeper nesting than this is hostile; what is below is given as plain text.
MAX_DEPTH = 100
_COMMAND_END = re.compile(r"\\[A-Za-z]+\Z")
_OPEN, _CLOSE = "([{|‖⟨⌈⌊〈⟦⟮", ")]}|‖⟩⌉⌋〉⟧⟯"


def mathml_to_latex(math: etree._Element) -> str:
    """LaTeX of a `<math>` element without the delimiters."""
    return balance(row(list(math), 0, math.text)).strip()


def join(parts: list[str]) -> str:
    """Parts side by side, with a space where a command would swallow the letter after it."""
    out: list[str] = []
    for part in parts:
        if not part:
            continue
        if out and part[0].isalpha() and _COMMAND_END.search(out[-1][-24:]):
            out.append(" ")
        out.append(part)
    return "".join(out)


def balance(latex: str) -> str:
    """`latex` with unmatched braces removed (closing) or closed (opening)."""
    if "{" not in latex and "}" not in latex:
        return latex
    out: list[str] = []
    depth = 0
    for piece in re.split(r"(\\.|[{}])", latex, flags=re.S):
        if piece == "{":
            depth += 1
        elif piece == "}":
            if depth == 0:
                continue
            depth -= 1
        out.append(piece)
    return "".join(out) + "}" * depth


def name_of(element: etree._Element) -> str:
    """Local name in lower case, without namespace, prefix or MathJax's `mjx-`."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2].rpartition(":")[2].lower().removeprefix("mjx-")


def row(children: list[etree._Element], depth: int, text: str | None = None) -> str:
    """Children side by side; a fence with a table in it becomes a matrix with delimiters."""
    parts = [text.strip()] if text and text.strip() else []
    names = [name_of(child) for child in children]
    fenced = _cases_or_fence(children, names, depth)
    return fenced if fenced is not None else join(parts + [convert(child, depth) for child in children])


def convert(element: etree._Element, depth: int) -> str:
    """LaTeX of one MathML element."""
    if depth > MAX_DEPTH:
        return _escape_text("".join(element.itertext()))
    name = name_of(element)
    handler = _HANDLERS.get(name)
    if handler is not None:
        return handler(element, depth + 1)
    if not name or name.startswith("annotation"):
        return ""
    return row(list(element), depth + 1, element.text if not len(element) else None)


def argument(element: etree._Element | None, depth: int) -> str:
    """LaTeX of a child in braces."""
    return "{" + (convert(element, depth) if element is not None else "") + "}"


def _text_of(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


def _escape_text(text: str) -> str:
    return (
        re.sub(r"([{}$%#&_])", r"\\\1", text.replace("\\", "/")).replace("^", "\\^{}").replace("~", "\\~{}")
    )


def _identifier(element: etree._Element, depth: int) -> str:
    text = _text_of(element)
    variant = element.get("mathvariant", "")
    if not text:
        return ""
    if len(text) == 1:
        return _styled(symbol(text), variant, text)
    name = text.replace("\u00a0", " ").replace("\u2061", "").strip()
    if name in FUNCTIONS:
        return f"\\{name}"
    if name.replace(" ", "") in ("limsup", "liminf"):
        return "\\" + name.replace(" ", "")
    if name.isascii() and name.isalpha():
        return _styled(name, variant, name) if variant not in ("", "normal") else f"\\operatorname{{{name}}}"
    if _one_font(name):
        return _one_font(name)
    inner = join([symbol(char) for char in name])
    return _styled(inner, variant, name) if variant not in ("", "normal") else inner


def _one_font(text: str) -> str:
    """Letters of one mathematical alphabet under one font command, or "" when they are not that."""
    letters = [plain_letter(char) for char in text]
    fonts = {font for _, font in letters}
    if len(fonts) != 1 or "" in fonts:
        return ""
    return f"\\{fonts.pop()}{{{''.join(base for base, _ in letters)}}}"


def _styled(latex: str, variant: str, text: str) -> str:
    font = VARIANTS.get(variant)
    if (
        not font
        or (variant == "italic" and len(text) == 1)
        or latex.startswith(("\\mathbb", "\\mathcal", "\\mathfrak"))
    ):
        return latex
    if variant == "normal" and not (text.isascii() and text.isalpha()):
        return latex
    return f"\\{font}{{{latex}}}"


def _number(element: etree._Element, depth: int) -> str:
    text = _text_of(element)
    fonts = _one_font(text)
    latex = fonts or join([symbol(char) for char in text])
    return _styled(latex, element.get("mathvariant", "").replace("normal", ""), text)


def _operator(element: etree._Element, depth: int) -> str:
    text = _text_of(element)
    if text in FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and text.isascii() and text.isalpha():
        return f"\\operatorname{{{text}}}"
    latex = join([symbol(char) for char in text])
    return _styled(latex, element.get("mathvariant", "").replace("normal", ""), text)


def _text(element: etree._Element, depth: int) -> str:
    text = "".join(element.itertext())
    text = re.sub(r"[ \t\n]+", " ", text)
    if not text.strip(" \u00a0\u2003\u2002\u2009"):
        return {"": "", "\u2003": "\\quad", "\u2003\u2003": "\\qquad"}.get(text, "\\ " if text else "")
    if element.tag and name_of(element) == "ms":
        left, right = element.get("lquote", '"'), element.get("rquote", '"')
        text = f"{left}{text}{right}"
    font = {"bold": "textbf", "italic": "textit", "monospace": "texttt", "sans-serif": "textsf"}.get(
        element.get("mathvariant", ""), "text"
    )
    return f"\\{font}{{{_escape_text(text.replace(chr(160), ' '))}}}"


def _space(element: etree._Element, depth: int) -> str:
    if element.get("linebreak") == "newline":
        return "\\\\"
    width = element.get("width", "").strip()
    match = re.fullmatch(r"(-?\d*\.?\d+)em", width)
    if match is None:
        named = {
            "thinmathspace": "\\,",
            "mediummathspace": "\\:",
            "thickmathspace": "\\;",
            "negativethinmathspace": "\\!",
        }
        return named.get(width, "\\ " if width and not re.match(r"0(\.0*)?\D*\Z", width) else "")
    ems = float(match[1])
    for limit, space in (
        (-0.01, "\\!"),
        (0.05, ""),
        (0.2, "\\,"),
        (0.25, "\\:"),
        (0.3, "\\;"),
        (0.9, "\\ "),
        (1.6, "\\quad"),
    ):
        if ems <= limit:
            return space
    return "\\qquad"


def _children(element: etree._Element, count: int) -> list[etree._Element | None]:
    """Exactly `count` children: MathJax's own wrappers are looked through, missing ones are None."""
    children: list[etree._Element | None] = [child for child in element if isinstance(child.tag, str)]
    return (children + [None] * count)[:count]


def _fraction(element: etree._Element, depth: int) -> str:
    above, below = _children(element, 2)
    if re.fullmatch(r"0+(\.0+)?[a-z%]*", element.get("linethickness", "").strip()):
        return f"\\genfrac{{}}{{}}{{0pt}}{{}}{argument(above, depth)}{argument(below, depth)}"
    return f"\\frac{argument(above, depth)}{argument(below, depth)}"


def _square_root(element: etree._Element, depth: int) -> str:
    return f"\\sqrt{{{row(list(element), depth, element.text)}}}"


def _root(element: etree._Element, depth: int) -> str:
    body, index = _children(element, 2)
    return f"\\sqrt[{convert(index, depth) if index is not None else ''}]{argument(body, depth)}"


def _base(element: etree._Element | None, depth: int) -> str:
    """The base of a script, in braces only where more than one thing would be read as the base."""
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
    base, below = _children(element, 2)
    return _base(base, depth) + _script("_", below, depth)


def _sup(element: etree._Element, depth: int) -> str:
    base, above = _children(element, 2)
    return _base(base, depth) + _script("^", above, depth)


def _sub_sup(element: etree._Element, depth: int) -> str:
    base, below, above = _children(element, 3)
    return _base(base, depth) + _script("_", below, depth) + _script("^", above, depth)


def _takes_limits(base: etree._Element | None) -> bool:
    """Whether TeX itself sets scripts of this base as limits in a display."""
    if base is None:
        return False
    text = _text_of(base).replace("\u2061", "").replace("\u2006", "").replace("\u2009", "")
    return text in LIMIT_OPERATORS or text.replace(" ", "") in (
        "lim", "limsup", "liminf", "max", "min", "sup", "inf", "det", "gcd", "Pr",
    )  # fmt: skip


def _accented(
    base: etree._Element | None, mark: etree._Element | None, accents: dict[str, str], depth: int
) -> str | None:
    if mark is None or name_of(mark) not in ("mo", "mi", "mtext", "mrow", "mover", "texatom"):
        return None
    command = accents.get(_text_of(mark)) or accents.get("".join(mark.itertext()).strip())
    if command is None or (command == "dot" and name_of(mark) != "mo"):
        return None
    inner = convert(base, depth) if base is not None else ""
    wide = mark.get("stretchy") == "true" or len(_text_of(base) if base is not None else "") > 1
    if wide and mark.get("stretchy") != "false":
        command = STRETCHED.get(command, command)
    return f"\\{command}{{{inner}}}"


def _over(element: etree._Element, depth: int) -> str:
    base, above = _children(element, 2)
    accented = _accented(base, above, ACCENTS_OVER, depth)
    if accented is not None:
        return accented
    if _takes_limits(base) or _is_brace(base, "over"):
        return _base(base, depth) + _script("^", above, depth)
    if base is not None and _text_of(base) in "→←⟶⟵" and _text_of(base):
        return f"\\x{'right' if _text_of(base) in '→⟶' else 'left'}arrow{argument(above, depth)}"
    return f"\\overset{argument(above, depth)}{argument(base, depth)}"


def _under(element: etree._Element, depth: int) -> str:
    base, below = _children(element, 2)
    accented = _accented(base, below, ACCENTS_UNDER, depth)
    if accented is not None:
        return accented
    if _takes_limits(base) or _is_brace(base, "under"):
        return _base(base, depth) + _script("_", below, depth)
    return f"\\underset{argument(below, depth)}{argument(base, depth)}"


def _is_brace(base: etree._Element | None, side: str) -> bool:
    """Whether `base` is itself something under an over- or underbrace, whose label is a script."""
    if base is None or name_of(base) not in ("mover", "munder"):
        return False
    mark = _children(base, 2)[1]
    braces = ("⏞", "︷", "⎴") if side == "over" else ("⏟", "︸", "⎵")
    return mark is not None and _text_of(mark) in braces


def _under_over(element: etree._Element, depth: int) -> str:
    base, below, above = _children(element, 3)
    if _takes_limits(base):
        return _base(base, depth) + _script("_", below, depth) + _script("^", above, depth)
    accented = _accented(base, above, ACCENTS_OVER, depth)
    if accented is not None:
        return f"\\underset{argument(below, depth)}{{{accented}}}"
    return f"\\overset{argument(above, depth)}{{\\underset{argument(below, depth)}{argument(base, depth)}}}"


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
        pair = (children[index : index + 2] + [None])[:2]
        below, above = (None if child is None or name_of(child) == "none" else child for child in pair)
        if index and out:
            out.append("{}")
        out.append(_script("_", below, depth) + _script("^", above, depth))
    return "".join(out)


def _style(element: etree._Element, depth: int) -> str:
    inner = row(list(element), depth, element.text)
    return (
        _styled(inner, element.get("mathvariant", ""), _text_of(element))
        if element.get("mathvariant")
        else inner
    )


def _phantom(element: etree._Element, depth: int) -> str:
    return f"\\phantom{{{row(list(element), depth)}}}"


def _enclosed(element: etree._Element, depth: int) -> str:
    inner = row(list(element), depth, element.text)
    for notation in element.get("notation", "longdiv").split():
        command = {
            "box": "boxed",
            "roundedbox": "boxed",
            "updiagonalstrike": "cancel",
            "downdiagonalstrike": "bcancel",
            "radical": "sqrt",
        }
        command |= {
            "top": "overline",
            "bottom": "underline",
            "horizontalstrike": "sout",
            "circle": "enclose{circle}",
        }
        if notation in command:
            inner = f"\\{command[notation]}{{{inner}}}"
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
    return f"\\left{_delimiter(left)}{_after_delimiter(left, join(parts))}\\right{_delimiter(right)}"


def _delimiter(char: str) -> str:
    char = char.strip()
    return symbol(char) if len(char) == 1 else "."


def _after_delimiter(char: str, inner: str) -> str:
    return f" {inner}" if _COMMAND_END.search(_delimiter(char)) and inner[:1].isalpha() else inner


def _table(element: etree._Element, depth: int) -> str:
    return _matrix(element, "matrix", depth)


def _matrix(element: etree._Element, environment: str, depth: int) -> str:
    rows = []
    for line in element.iter():
        if name_of(line) in ("mtr", "mlabeledtr") and _nearest_table(line) is element:
            cells = [cell for cell in line if name_of(cell) == "mtd" or name_of(line) == "mtr"]
            rows.append(" & ".join(row(list(cell), depth, cell.text) for cell in cells))
    if not rows:
        return row(list(element), depth, element.text)
    return f"\\begin{{{environment}}}\n" + " \\\\\n".join(rows) + f"\n\\end{{{environment}}}"


def _nearest_table(line: etree._Element) -> etree._Element | None:
    parent = line.getparent()
    while parent is not None and name_of(parent) != "mtable":
        parent = parent.getparent()
    return parent


def _cases_or_fence(children: list[etree._Element], names: list[str], depth: int) -> str | None:
    """A row that is `open fence, table, close fence` (or no closing brace: cases), else None."""
    if len(children) not in (2, 3) or names[0] != "mo" or names[1] not in ("mtable", "mrow"):
        return None
    table = children[1]
    if names[1] == "mrow":
        inner = list(table)
        if len(inner) != 1 or name_of(inner[0]) != "mtable":
            return None
        table = inner[0]
    left = _text_of(children[0])
    right = _text_of(children[2]) if len(children) == 3 and names[2] == "mo" else ""
    if len(children) == 3 and names[2] != "mo":
        return None
    if left == "{" and not right:
        return _matrix(table, "cases", depth)
    environment = {"()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "{}": "Bmatrix", "‖‖": "Vmatrix"}.get(
        left + right
    )
    return _matrix(table, environment, depth) if environment else None


def _semantics(element: etree._Element, depth: int) -> str:
    children = [child for child in element if not name_of(child).startswith("annotation")]
    return row(children, depth, element.text)


def _first_child(element: etree._Element, depth: int) -> str:
    child = _children(element, 1)[0]
    return convert(child, depth) if child is not None else ""


_HANDLERS: dict[str, Callable[[etree._Element, int], str]] = {
    "mi": _identifier,
    "mn": _number,
    "mo": _operator,
    "mtext": _text,
    "ms": _text,
    "mspace": _space,
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
