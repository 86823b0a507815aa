"""Convert AsciiMath to LaTeX, for `<script type="math/asciimath">`.

A small recursive-descent parser reads the grammar of asciimath.org. Simple expressions are constants,
bracketed rows, and unary and binary calls. A simple expression may have `_` and `^`, and `/` makes a fraction
of its neighbours.
"""

import re

from pipeline.extraction.math.mathml_leaves import balance, join

_CONSTANTS = {
    "alpha": "\\alpha", "beta": "\\beta", "gamma": "\\gamma", "Gamma": "\\Gamma", "delta": "\\delta",
    "Delta": "\\Delta", "epsilon": "\\epsilon",
    "varepsilon": "\\varepsilon", "zeta": "\\zeta", "eta": "\\eta", "theta": "\\theta", "Theta": "\\Theta",
    "iota": "\\iota", "kappa": "\\kappa",
    "lambda": "\\lambda", "Lambda": "\\Lambda", "mu": "\\mu", "nu": "\\nu", "pi": "\\pi", "Pi": "\\Pi",
    "rho": "\\rho", "sigma": "\\sigma", "xi": "\\xi",
    "Sigma": "\\Sigma", "tau": "\\tau", "phi": "\\phi", "Phi": "\\Phi", "chi": "\\chi", "psi": "\\psi",
    "Psi": "\\Psi", "omega": "\\omega", "Omega": "\\Omega",
    "**": "\\ast", "*": "\\cdot", "xx": "\\times", "-:": "\\div", "+-": "\\pm", "@": "\\circ",
    "o+": "\\oplus", "ox": "\\otimes", "sum": "\\sum",
    "prod": "\\prod", "int": "\\int", "oint": "\\oint", "^^": "\\wedge", "vv": "\\vee", "nn": "\\cap",
    "uu": "\\cup", "!=": "\\neq", "<=": "\\leq",
    ">=": "\\geq", "in": "\\in", "!in": "\\notin", "sub": "\\subset", "sube": "\\subseteq", "-=": "\\equiv",
    "~=": "\\cong", "~~": "\\approx",
    "prop": "\\propto", "and": "\\text{and}", "or": "\\text{or}", "not": "\\neg", "=>": "\\implies",
    "<=>": "\\iff", "if": "\\text{if}", "AA": "\\forall",
    "EE": "\\exists", "oo": "\\infty", "del": "\\partial", "grad": "\\nabla", "O/": "\\emptyset",
    "...": "\\ldots", "cdots": "\\cdots", "->": "\\to",
    "rarr": "\\rightarrow", "larr": "\\leftarrow", "harr": "\\leftrightarrow", "|->": "\\mapsto",
    "CC": "\\mathbb{C}", "NN": "\\mathbb{N}",
    "QQ": "\\mathbb{Q}", "RR": "\\mathbb{R}", "ZZ": "\\mathbb{Z}", "lim": "\\lim", "dx": "dx", "dy": "dy",
    "dt": "dt", "quad": "\\quad",
    "sin": "\\sin", "cos": "\\cos", "tan": "\\tan", "log": "\\log", "ln": "\\ln", "exp": "\\exp",
    "det": "\\det", "min": "\\min", "max": "\\max",
}  # fmt: skip
_UNARY = {
    "sqrt": "sqrt",
    "text": "text",
    "bb": "mathbf",
    "bbb": "mathbb",
    "cc": "mathcal",
    "tt": "mathtt",
    "fr": "mathfrak",
    "sf": "mathsf",
}
_UNARY |= {
    "hat": "hat",
    "bar": "overline",
    "ul": "underline",
    "vec": "vec",
    "dot": "dot",
    "ddot": "ddot",
    "abs": "abs",
    "floor": "floor",
    "ceil": "ceil",
}
_BINARY = {"frac", "root", "stackrel"}
_BRACKETS = {"(": ")", "[": "]", "{": "}", "(:": ":)", "{:": ":}"}
_WORDS = sorted({*_CONSTANTS, *_UNARY, *_BINARY, "(:", ":)", "{:", ":}"}, key=len, reverse=True)
_TOKEN = re.compile("|".join([r'"[^"]*"', r"\d+(?:\.\d+)?", *map(re.escape, _WORDS), r"\S"]))
# Our choice: AsciiMath is written by hand; deeper nesting is hostile.
MAX_DEPTH = 50


def asciimath_to_latex(source: str) -> str:
    """Convert an AsciiMath expression to LaTeX. Unknown tokens stay as written."""
    tokens = _TOKEN.findall(source)
    out: list[str] = []
    place = 0
    while place < len(tokens):
        latex, place = _expression(tokens, place, 0)
        out.append(latex)
    return balance(join(out))


def _expression(tokens: list[str], place: int, depth: int) -> tuple[str, int]:
    above, place = _scripted(tokens, place, depth)
    if place < len(tokens) and tokens[place] == "/":
        below, place = _scripted(tokens, place + 1, depth)
        return f"\\frac{{{_bare(above)}}}{{{_bare(below)}}}", place
    return above, place


def _scripted(tokens: list[str], place: int, depth: int) -> tuple[str, int]:
    latex, place = _simple(tokens, place, depth)
    for mark in ("_", "^"):
        if place < len(tokens) and tokens[place] == mark:
            script, place = _simple(tokens, place + 1, depth)
            latex += f"{mark}{{{_bare(script)}}}"
    return latex, place


def _simple(tokens: list[str], place: int, depth: int) -> tuple[str, int]:
    if place >= len(tokens) or depth > MAX_DEPTH:
        return "", place + 1
    token = tokens[place]
    if token.startswith('"'):
        return f"\\text{{{token[1:-1]}}}", place + 1
    if token in _BRACKETS:
        return _bracketed(tokens, place, depth)
    if token in _UNARY:
        body, after = _simple(tokens, place + 1, depth + 1)
        fences = {"abs": "||", "floor": "⌊⌋", "ceil": "⌈⌉"}.get(token)
        if fences:
            names = {"|": "|", "⌊": "\\lfloor ", "⌋": "\\rfloor ", "⌈": "\\lceil ", "⌉": "\\rceil "}
            return f"{names[fences[0]]}{_bare(body)}{names[fences[1]]}", after
        return f"\\{_UNARY[token]}{{{_bare(body)}}}", after
    if token in _BINARY:
        first, after = _simple(tokens, place + 1, depth + 1)
        second, after = _simple(tokens, after, depth + 1)
        if token == "root":
            return f"\\sqrt[{_bare(first)}]{{{_bare(second)}}}", after
        return f"\\{'overset' if token == 'stackrel' else 'frac'}{{{_bare(first)}}}{{{_bare(second)}}}", after
    return _CONSTANTS.get(token, token.replace("{", "\\{").replace("}", "\\}")), place + 1


def _bracketed(tokens: list[str], place: int, depth: int) -> tuple[str, int]:
    opening = tokens[place]
    closings = {")", "]", "}", ":)", ":}"}
    parts: list[str] = []
    place += 1
    while place < len(tokens) and tokens[place] not in closings:
        latex, place = _expression(tokens, place, depth + 1)
        parts.append(latex)
    closing = tokens[place] if place < len(tokens) else _BRACKETS[opening]
    names = {"{": "\\{", "}": "\\}", "(:": "\\langle ", ":)": "\\rangle ", "{:": "", ":}": ""}
    return f"{names.get(opening, opening)}{join(parts)}{names.get(closing, closing)}", place + 1


def _bare(latex: str) -> str:
    """Remove the outer round brackets of a row, as AsciiMath does in scripts and fractions."""
    if latex.startswith("(") and latex.endswith(")"):
        depth = 0
        for index, char in enumerate(latex):
            depth += (char == "(") - (char == ")")
            if depth == 0 and index < len(latex) - 1:
                return latex
        return latex[1:-1]
    return latex
