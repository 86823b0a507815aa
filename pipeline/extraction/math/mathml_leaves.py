"""Convert the leaves of MathML (identifiers, numbers, operators, text, space) to LaTeX, and join LaTeX."""

import re

from lxml import etree

from pipeline.extraction.math.mathml_symbols import FUNCTIONS, VARIANTS, plain_letter, symbol

COMMAND_END = re.compile(r"\\[A-Za-z]+\Z")


def join(parts: list[str]) -> str:
    """Join parts, with a space where a command would otherwise absorb the letter after it."""
    out: list[str] = []
    for part in parts:
        if not part:
            continue
        if out and part[0].isalpha() and COMMAND_END.search(out[-1][-24:]):
            out.append(" ")
        out.append(part)
    return "".join(out)


def balance(latex: str) -> str:
    """Remove unmatched closing braces from `latex` and close unmatched opening ones."""
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
    """Return the local name in lower case, without namespace, prefix or MathJax's `mjx-`."""
    tag = element.tag
    if not isinstance(tag, str):
        return ""
    return tag.rpartition("}")[2].rpartition(":")[2].lower().removeprefix("mjx-")


def text_of(element: etree._Element) -> str:
    """Return all text of `element` with single spaces."""
    return " ".join("".join(element.itertext()).split())


_TEXT_ESCAPES = {
    **{char: f"\\{char}" for char in "{}$%#&_"},
    "\\": "\\textbackslash{}",
    "^": "\\textasciicircum{}",
    "~": "\\textasciitilde{}",
}


def escape_text(text: str) -> str:
    """Escape the characters that are special in LaTeX text."""
    return "".join(_TEXT_ESCAPES.get(char, char) for char in text)


def identifier_leaf(element: etree._Element, depth: int) -> str:
    """Convert `<mi>`: a letter, a function name, or the name of an operator."""
    text = text_of(element)
    variant = element.get("mathvariant", "")
    if not text:
        return ""
    if len(text) == 1:
        return styled(symbol(text), variant, text)
    name = text.replace("\u00a0", " ").replace("\u2061", "").strip()
    if name in FUNCTIONS:
        return f"\\{name}"
    if name.replace(" ", "") in ("limsup", "liminf"):
        return "\\" + name.replace(" ", "")
    if name.isascii() and name.isalpha():
        return styled(name, variant, name) if variant not in ("", "normal") else f"\\operatorname{{{name}}}"
    if _one_font(name):
        return _one_font(name)
    inner = join([symbol(char) for char in name])
    return styled(inner, variant, name) if variant not in ("", "normal") else inner


def _one_font(text: str) -> str:
    """Return letters of one mathematical alphabet under one font command, "" if they are not that."""
    letters = [plain_letter(char) for char in text]
    fonts = {font for _, font in letters}
    if len(fonts) != 1 or "" in fonts:
        return ""
    return f"\\{fonts.pop()}{{{''.join(base for base, _ in letters)}}}"


def styled(latex: str, variant: str, text: str) -> str:
    """Put `latex` into the font of a `mathvariant`; `text` is the text that it was made from."""
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


def number_leaf(element: etree._Element, depth: int) -> str:
    """Convert `<mn>`."""
    text = text_of(element)
    fonts = _one_font(text)
    latex = fonts or join([symbol(char) for char in text])
    return styled(latex, element.get("mathvariant", "").replace("normal", ""), text)


def operator_leaf(element: etree._Element, depth: int) -> str:
    """Convert `<mo>`: a function name, another word, or symbols."""
    text = text_of(element)
    if text in FUNCTIONS:
        return f"\\{text}"
    if len(text) > 1 and text.isascii() and text.isalpha():
        return f"\\operatorname{{{text}}}"
    latex = join([symbol(char) for char in text])
    return styled(latex, element.get("mathvariant", "").replace("normal", ""), text)


def text_leaf(element: etree._Element, depth: int) -> str:
    """Convert `<mtext>` and `<ms>` to a LaTeX text command; white space alone becomes a space command."""
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
    return f"\\{font}{{{escape_text(text.replace(chr(160), ' '))}}}"


def space_leaf(element: etree._Element, depth: int) -> str:
    """Convert `<mspace>` to the LaTeX space of the nearest width."""
    if element.get("linebreak") == "newline":
        return "\\ "
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


def children_of(element: etree._Element, count: int) -> list[etree._Element | None]:
    """Return exactly `count` children; missing ones are None."""
    children: list[etree._Element | None] = [child for child in element if isinstance(child.tag, str)]
    return (children + [None] * count)[:count]
