"""Convert the small formulas that pages write in plain HTML (letters, `<sup>`, `<sub>`) to LaTeX."""

import re

from lxml import etree

from pipeline.extraction.math.mathml_leaves import escape_text, join
from pipeline.extraction.math.mathml_symbols import FUNCTIONS, symbol
from pipeline.extraction.tree.slots import Slots

# Our choice: nobody writes scripts of scripts deeper than this; anything below is written as plain text.
MAX_DEPTH = 8
_ATOM = re.compile(r"[A-Za-z]+|\d+|\s+|.", re.S)
_AROUND_OPERATOR = re.compile(r" ?([-+*/=<>,]) ?")
_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]|[A-Za-z] [A-Za-z]{2,}")


def latex_of_html(element: etree._Element, slots: Slots, depth: int = 0) -> str:
    """Return the LaTeX of everything inside `element`, with the formulas that its placeholders stand for."""
    if depth > MAX_DEPTH:
        return latex_of_text("".join(element.itertext()), slots)
    parts = [latex_of_text(element.text or "", slots)]
    for child in element:
        if child.tag in ("sup", "sub"):
            mark = "^" if child.tag == "sup" else "_"
            parts.append(script_latex(mark, latex_of_html(child, slots, depth + 1), "".join(parts)))
        elif isinstance(child.tag, str):
            parts.append(latex_of_html(child, slots, depth + 1))
        parts.append(latex_of_text(child.tail or "", slots))
    return join(parts)


def latex_of_text(text: str, slots: Slots) -> str:
    """Return the LaTeX of a piece of text; placeholders of `slots` become their formulas."""
    pieces = slots.split(text)
    parts = [_latex_of_plain(piece) for piece in pieces[::2]]
    for place, number in enumerate(pieces[1::2]):
        parts.insert(2 * place + 1, _latex_of_slot(int(number), slots))
    return join(parts)


def script_latex(mark: str, latex: str, before: str = "") -> str:
    """Return a super- or subscript (`mark` is `^` or `_`) that follows the LaTeX `before`.

    An empty group stands between two scripts of the same kind, because TeX refuses them on one base.
    """
    latex = latex.strip()
    if mark == "^" and latex and not latex.strip("'"):
        return latex
    script = f"{mark}{latex}" if len(latex) == 1 else f"{mark}{{{latex}}}"
    return f"{{}}{script}" if mark in _end_scripts(before) else script


def _end_scripts(latex: str) -> str:
    """Return the marks of the scripts at the end of `latex`."""
    marks = ""
    while (place := _start_of_last_atom(latex)) > 0 and latex[place - 1] in "^_":
        marks += latex[place - 1]
        latex = latex[: place - 1]
    return marks


def _start_of_last_atom(latex: str) -> int:
    """Return where the last group, command or character of `latex` begins."""
    if not latex.endswith("}") or latex.endswith("\\}"):
        command = re.search(r"\\(?:[A-Za-z]{1,20}|.)\Z", latex[-21:])
        return len(latex) - (len(command[0]) if command else 1)
    depth = 0
    for place in range(len(latex) - 1, -1, -1):
        depth += (latex[place] == "}") - (latex[place] == "{")
        if depth == 0:
            return place
    return 0


def _latex_of_plain(text: str) -> str:
    text = " ".join(text.replace("\u2060", "").replace("\u200b", "").split(" "))
    return join([_latex_of_atom(atom) for atom in _ATOM.findall(text)])


def _latex_of_atom(atom: str) -> str:
    if atom.isspace():
        return " "
    if len(atom) > 1:
        return f"\\{atom}" if atom in FUNCTIONS else atom
    return "^" if atom == "^" else symbol(atom)


def _latex_of_slot(number: int, slots: Slots) -> str:
    piece, kind = slots.pieces[number], slots.kinds[number]
    return f"\\text{{{escape_text(piece.strip('`'))}}}" if kind in ("inline", "code") else piece.strip("$\n")


def latex_of_script(element: etree._Element, slots: Slots) -> str:
    """Return the LaTeX of the content of a script: `n+1` without spaces, several words as text."""
    text = " ".join("".join(element.itertext()).replace("\u00a0", " ").split())
    if not len(element) and slots.mark not in text:
        if text.isascii() and text.isalnum():
            return text
        if _WORDS.search(text) and not any(word in FUNCTIONS for word in text.split()):
            return f"\\text{{{escape_text(text)}}}"
    latex = " ".join(latex_of_html(element, slots).split())
    return _AROUND_OPERATOR.sub(r"\1", latex)
