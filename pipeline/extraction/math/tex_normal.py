r"""One normal form of TeX formulas, for comparing formulas that were written and rendered by different tools.

Removed is what MathML cannot represent: spacing, delimiter sizes, styles, labels, redundant groups. What
MathML represents under another name gets one name: synonyms (`\le`, `\leq`, `≤`), upright text (`\text`,
`\mathrm`, `\operatorname`), bold, stretched accents, matrix environments. Subscripts come before
superscripts, and arguments always have braces. The form is for comparison only, not for display.
"""

import re

from pipeline.extraction.math.mathml_symbols import ACCENTS_OVER, ACCENTS_UNDER, FUNCTIONS, symbol

_TOKEN = re.compile(r"\\(?:[A-Za-z]+\*?|.)|[^\s\\]", re.S)
_DROPPED = frozenset([
    "left", "right", "middle", "big", "Big", "bigg", "Bigg", "bigl", "bigr", "Bigl", "Bigr", "biggl", "biggr",
    "Biggl", "Biggr", "bigm", "Bigm", "displaystyle", "textstyle", "scriptstyle", "scriptscriptstyle",
    "limits", "nolimits", "quad", "qquad", "enspace", "thinspace", "medspace", "thickspace", "negthinspace",
    "nonumber", "notag", "mathstrut", "relax", "mathord", "mathop", "mathbin", "mathrel", "mathopen",
    "mathclose", "mathpunct", "mathinner", "allowbreak", "nobreak", "rm", "it", "bf", "cal", "null",
    "ensuremath",
])  # fmt: skip
_DROPPED_WITH_ARGUMENT = frozenset([
    "label", "tag", "tag*", "hspace", "hspace*", "vspace", "mspace", "phantom", "hphantom", "vphantom",
    "color", "kern", "mkern",
])  # fmt: skip
_SYNONYMS = {
    "le": "leq", "ge": "geq", "ne": "neq", "to": "rightarrow", "gets": "leftarrow", "land": "wedge",
    "lor": "vee", "lnot": "neg", "owns": "ni",
    "iff": "Leftrightarrow", "implies": "Rightarrow", "impliedby": "Leftarrow",
    "Longrightarrow": "Rightarrow", "Longleftarrow": "Leftarrow",
    "Longleftrightarrow": "Leftrightarrow", "longrightarrow": "rightarrow", "longleftarrow": "leftarrow",
    "longmapsto": "mapsto", "dfrac": "frac", "tfrac": "frac",
    "cfrac": "frac", "dbinom": "binom", "tbinom": "binom", "widehat": "hat", "widecheck": "check",
    "widetilde": "tilde", "overline": "bar", "overrightarrow": "vec", "dots": "ldots",
    "cdots": "ldots", "dotsc": "ldots", "dotsb": "ldots", "dotsm": "ldots", "dotsi": "ldots", "colon": ":",
    "Vert": "|", "lVert": "|", "rVert": "|",
    "|": "|", "parallel": "|", "lvert": "vert", "rvert": "vert", "mid": "vert", "lbrace": "{", "rbrace": "}",
    "lbrack": "[", "rbrack": "]",
    "ast": "*", "star": "*", "bm": "mathbf", "boldsymbol": "mathbf", "pmb": "mathbf", "textbf": "mathbf",
    "bold": "mathbf", "mathrm": "text", "operatorname": "text",
    "operatorname*": "text", "textrm": "text", "textnormal": "text", "mbox": "text", "hbox": "text",
    "textit": "text", "mathit": "text", "mathnormal": "text",
    "textup": "text", "textsf": "mathsf", "texttt": "mathtt", "mathscr": "mathcal", "mathbfcal": "mathcal",
    "stackrel": "overset", "smallsetminus": "setminus", "backslash": "setminus",
    "emptyset": "varnothing", "doteqdot": "Doteq", "restriction": "upharpoonright", "perp": "bot",
    "models": "vDash", "langle": "langle", "hslash": "hbar",
    "triangleleft": "lhd", "triangleright": "rhd", "vartriangleleft": "lhd", "vartriangleright": "rhd",
    "trianglelefteq": "unlhd", "bullet": "cdot", "centerdot": "cdot",
    "leadsto": "rightsquigarrow", "lt": "<", "gt": ">", "And": "&", "bigstar": "*", "dag": "dagger",
    "ddag": "ddagger", "sp": "^", "sb": "_", "atop": "over",
    "lang": "langle", "rang": "rangle", "natnums": "N", "reals": "R", "triangle": "bigtriangleup",
    "vartriangle": "bigtriangleup", "Box": "square", "diamond": "diamond",
}  # fmt: skip
# Number of braced arguments of each command that has any.
_ARGUMENTS = dict.fromkeys([
    "text", "mathbf", "mathbb", "mathcal", "mathfrak", "mathsf", "mathtt", "hat", "bar", "tilde", "vec",
    "dot", "ddot", "dddot", "ddddot", "acute", "grave", "check", "breve", "mathring", "sqrt", "overbrace",
    "underbrace", "underline", "overleftarrow", "overleftrightarrow", "underrightarrow", "underleftarrow",
    "xrightarrow", "xleftarrow", "boxed", "cancel", "substack", "overbracket", "underbracket", "utilde",
    "not", "pmod", "bmod",
], 1) | dict.fromkeys(["frac", "binom", "overset", "underset"], 2)  # fmt: skip
_ENVIRONMENT_FENCES = {
    "pmatrix": "()",
    "bmatrix": "[]",
    "vmatrix": ("\\vert", "\\vert"),
    "Vmatrix": ("\\|", "\\|"),
    "Bmatrix": ("\\{", "\\}"),
    "cases": ("\\{", ""),
}
# Accent characters as the normal form writes them.
_ACCENT_FORMS = {
    "\\hat{}": "hat",
    "\\sim": "tilde",
    "\\_": "bar",
    "\\rightarrow": "vec",
    "\\grave{}": "grave",
    "\\acute{}": "acute",
    "\\bar{}": "bar",
}
_SCRIPT_FUNCTIONS = frozenset(FUNCTIONS)


def normalise_tex(tex: str) -> str:
    """Return the normal form of `tex`; two formulas that look the same mostly have the same one."""
    tokens = _TOKEN.findall(re.sub(r"(?<!\\)%[^\n]*", "", tex))
    parts, _ = _row(tokens, 0, ())
    return "".join(parts)


def _row(tokens: list[str], place: int, stops: tuple[str, ...]) -> tuple[list[str], int]:
    """Return the normal forms of atoms up to one of `stops` (not consumed) or the end."""
    out: list[str] = []
    while place < len(tokens) and tokens[place] not in stops:
        token = tokens[place]
        if token in ("^", "_", "'", "\\prime"):
            scripts, place = _scripts(tokens, place)
            out.append(scripts)
            continue
        atom, place = _atom(tokens, place)
        out.extend(atom)
    return out, place


def _scripts(tokens: list[str], place: int) -> tuple[str, int]:
    """Return all scripts that follow one base: subscript first, primes before the rest of the superscript."""
    below = above = primes = ""
    while place < len(tokens) and tokens[place] in ("^", "_", "'"):
        mark = tokens[place]
        if mark == "'":
            primes += "'"
            place += 1
            continue
        while place + 1 < len(tokens) and tokens[place + 1].lstrip("\\") in _DROPPED:
            place += 1
        inner, place = _argument(tokens, place + 1)
        if inner.startswith("^{") and inner.endswith("}") and inner.count("{") == 1:
            inner = inner[2:-1]
        if mark == "_":
            below += inner
        elif inner and not inner.strip("'"):
            primes += inner
        else:
            above += inner
    if place < len(tokens) and tokens[place] == "\\prime" and not (below or above or primes):
        return "'", place + 1
    above = primes + above
    return (f"_{{{below}}}" if below else "") + (f"^{{{above}}}" if above else ""), place


def _argument(tokens: list[str], place: int) -> tuple[str, int]:
    """Return the next group or atom without its braces."""
    if place >= len(tokens):
        return "", place
    if tokens[place] == "{":
        inner, place = _row(tokens, place + 1, ("}",))
        return "".join(inner), place + 1
    atom, place = _atom(tokens, place)
    return "".join(atom), place


def _atom(tokens: list[str], place: int) -> tuple[list[str], int]:
    token = tokens[place]
    if token == "{":
        inner, place = _row(tokens, place + 1, ("}",))
        for fraction in ("\\over", "\\choose"):
            if fraction in inner:
                split = inner.index(fraction)
                name = "\\frac" if fraction == "\\over" else "\\binom"
                inner = [f"{name}{{{''.join(inner[:split])}}}{{{''.join(inner[split + 1 :])}}}"]
        return inner, place + 1
    if token == "}":
        return [], place + 1
    if not token.startswith("\\"):
        if token == "~":
            return [], place + 1
        return _character(token), place + 1
    name = token[1:]
    if not name[0].isalpha():
        return ([] if name in ",;:!/> \n@" else ["\\\\"] if name == "\\" else [_name(name)]), place + 1
    if name == "begin":
        return _environment(tokens, place + 1)
    if name == "prime":
        return ["'"], place + 1
    if name in _DROPPED:
        after = place + 1
        if after < len(tokens) and tokens[after] == "." and name in ("left", "right", "middle"):
            after += 1
        return [], after
    if name in _DROPPED_WITH_ARGUMENT:
        _, place = _argument(tokens, place + 1)
        return [], place
    return _command(_SYNONYMS.get(name, name), tokens, place + 1)


def _character(char: str) -> list[str]:
    if char in "“”„":
        return ['"']
    if char.isascii():
        return ["\\vert" if char == "|" else char]
    latex = symbol(char)
    return [char] if latex == char else _row(_TOKEN.findall(latex), 0, ())[0]


def _name(name: str) -> str:
    name = _SYNONYMS.get(name, name)
    return name if len(name) == 1 and name not in "{}|&%#$_" else f"\\{name}"


def _command(name: str, tokens: list[str], place: int) -> tuple[list[str], int]:
    count = _ARGUMENTS.get(name, 0)
    if name == "genfrac":
        parts = []
        for _ in range(6):
            part, place = _argument(tokens, place)
            parts.append(part)
        return [f"\\binom{{{parts[4]}}}{{{parts[5]}}}"], place
    optional = ""
    if count and place < len(tokens) and tokens[place] == "[":
        inner, place = _row(tokens, place + 1, ("]",))
        optional, place = f"[{''.join(inner)}]", place + 1
    arguments = []
    for _ in range(count):
        argument, place = _argument(tokens, place)
        arguments.append(argument)
    if name == "text":
        words = arguments[0].replace("\\vert", "|")
        return ([f"\\{words}"] if words in _SCRIPT_FUNCTIONS else list(words)), place
    if name in ("xrightarrow", "xleftarrow"):
        return [f"\\overset{{{arguments[0]}}}{{\\{name[1:]}}}"], place
    if name in ("overset", "underset"):
        accents = ACCENTS_OVER if name == "overset" else ACCENTS_UNDER
        command = _ACCENT_FORMS.get(arguments[0]) if name == "overset" else None
        command = command or accents.get(arguments[0])
        if command:
            return [f"\\{_SYNONYMS.get(command, command)}{{{arguments[1]}}}"], place
    if name == "substack":
        return list(arguments[0]), place
    if name == "not":
        return [f"\\not{{{arguments[0]}}}"], place
    if name in ("pmod", "bmod"):
        return [f"\\text{{mod}}{arguments[0]}"] if name == "bmod" else [
            f"(\\text{{mod}}{arguments[0]})"
        ], place
    if count:
        return [f"\\{name}{optional}{''.join(f'{{{argument}}}' for argument in arguments)}"], place
    return [_name(name)], place


def _environment(tokens: list[str], place: int) -> tuple[list[str], int]:
    r"""Return a matrix or alignment as `\begin{matrix}` in its fences; rows have no trailing separators."""
    name, place = _argument(tokens, place)
    name = name.rstrip("*").removeprefix("\\text")
    if (
        name in ("array", "alignedat", "alignat", "subarray")
        and place < len(tokens)
        and tokens[place] in ("{", "[")
    ):
        if tokens[place] == "[":
            _, place = _row(tokens, place + 1, ("]",))
            place += 1
        _, place = _argument(tokens, place)
    body, place = _row(tokens, place, ("\\end",))
    _, place = _argument(tokens, place + 1)
    cells = "".join(part for part in body if part != "\\hline")
    rows = [line.rstrip("&") for line in cells.split("\\\\")]
    while rows and not rows[-1]:
        rows.pop()
    fences = _ENVIRONMENT_FENCES.get(name.removesuffix("*").replace("dcases", "cases"), ("", ""))
    return [fences[0], "\\begin{matrix}" + "\\\\".join(rows) + "\\end{matrix}", fences[1]], place
