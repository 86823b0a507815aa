"""Convert what fences belong to: matrices, cases and binomials."""

import re
from collections.abc import Callable

from lxml import etree

from pipeline.extraction.math.mathml_leaves import COMMAND_END, join, name_of, text_of
from pipeline.extraction.math.mathml_symbols import symbol

# Converts children, depth and own text of an element to LaTeX.
Row = Callable[[list[etree._Element], int, str | None], str]
# How a fraction without its bar begins.
BAR_LESS = r"\genfrac{}{}{0pt}{}"


def matrix(element: etree._Element, environment: str, depth: int, row: Row) -> str:
    """Return rows and cells of `element` in a LaTeX environment; labels of rows are left out."""
    rows = []
    for line in element.iter():
        if name_of(line) in ("mtr", "mlabeledtr") and _nearest_table(line) is element:
            cells = list(line)[1:] if name_of(line) == "mlabeledtr" else list(line)
            rows.append(" & ".join(row(list(cell), depth, cell.text) for cell in cells))
    if not rows:
        return row(list(element), depth, element.text)
    return f"\\begin{{{environment}}}\n" + " \\\\\n".join(rows) + f"\n\\end{{{environment}}}"


def _nearest_table(line: etree._Element) -> etree._Element | None:
    parent = line.getparent()
    while parent is not None and name_of(parent) != "mtable":
        parent = parent.getparent()
    return parent


def cases_or_fence(children: list[etree._Element], names: list[str], depth: int, row: Row) -> str | None:
    """Convert a table between fences to a matrix, or after a single brace to cases; else return None."""
    if len(children) not in (2, 3) or names[0] != "mo" or names[1] not in ("mtable", "mrow"):
        return None
    table = children[1]
    if names[1] == "mrow":
        inner = list(table)
        if len(inner) != 1 or name_of(inner[0]) != "mtable":
            return None
        table = inner[0]
    left = text_of(children[0])
    right = text_of(children[2]) if len(children) == 3 and names[2] == "mo" else ""
    if len(children) == 3 and names[2] != "mo":
        return None
    if left == "{" and not right:
        return matrix(table, "cases", depth, row)
    environment = {"()": "pmatrix", "[]": "bmatrix", "||": "vmatrix", "{}": "Bmatrix", "‖‖": "Vmatrix"}.get(
        left + right
    )
    return matrix(table, environment, depth, row) if environment else None


def binomials(parts: list[str]) -> list[str]:
    r"""Join each fraction without a bar with the round brackets around it: `\binom{n}{k}`."""
    for place in range(1, len(parts) - 1):
        if parts[place - 1] == "(" and parts[place + 1] == ")" and _is_bar_less(parts[place]):
            parts[place] = "\\binom" + parts[place].removeprefix(BAR_LESS)
            parts[place - 1] = parts[place + 1] = ""
    return parts


def _is_bar_less(latex: str) -> bool:
    """Whether `latex` is a fraction without a bar and nothing else."""
    if not latex.startswith(BAR_LESS):
        return False
    depth = 0
    ends = []
    for place, piece in enumerate(re.findall(r"\\.|.", latex[len(BAR_LESS) :], re.S)):
        depth += (piece == "{") - (piece == "}")
        if depth == 0:
            ends.append(place)
    return len(ends) == 2


def fenced(left: str, right: str, parts: list[str]) -> str:
    """Return `parts` between two fences that grow with them; a fraction without a bar becomes a binomial."""
    if len(parts) == 1 and left + right == "()" and _is_bar_less(parts[0]):
        return binomials(["(", *parts, ")"])[1]
    inner, opening = join(parts), _fence(left)
    gap = " " if COMMAND_END.search(opening) and inner[:1].isalpha() else ""
    return f"\\left{opening}{gap}{inner}\\right{_fence(right)}"


def _fence(char: str) -> str:
    char = char.strip()
    return symbol(char) if len(char) == 1 else "."
