"""Convert tables of MathML: matrices, cases, and rows that consist of a table between fences."""

from collections.abc import Callable

from lxml import etree

from pipeline.extraction.math.mathml_leaves import name_of, text_of

# Converts children, depth and own text of an element to LaTeX.
Row = Callable[[list[etree._Element], int, str | None], str]


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
