"""Put the cells of a table into rows of equal columns, where cells span rows and columns."""

from lxml import etree

from pipeline.extraction.tree.lists import integer

_HAS_SPANS = etree.XPath("boolean(.//@rowspan[.!='1']|.//@colspan[.!='1'])")
# Our choice: spans that would make a table more than this many times larger are not followed.
MAX_GROWTH = 4


def spread(
    table: etree._Element, rows: list[list[etree._Element]], texts: list[list[list[str]]]
) -> list[list[list[str]]]:
    """Return `texts`, the blocks of each cell, with a place for every row and column that a cell spans.

    A cell stands again in each further row, so that every row can be read alone, and is empty in each further
    column. A column that is empty in every row is left out.
    """
    if not _HAS_SPANS(table):
        return texts
    spans = [[_span(cell, place, len(rows)) for cell in row] for place, row in enumerate(rows)]
    area = sum(height * width for row in spans for height, width in row)
    num_cells = sum(map(len, rows))
    if area == num_cells or area > MAX_GROWTH * num_cells:
        return texts
    grid: list[dict[int, list[str]]] = [{} for _ in rows]
    for place, (row, row_spans) in enumerate(zip(texts, spans, strict=True)):
        column = 0
        for blocks, (height, width) in zip(row, row_spans, strict=True):
            while column in grid[place]:
                column += 1
            for below in grid[place : place + height]:
                below.setdefault(column, blocks)
                for right in range(column + 1, column + width):
                    below.setdefault(right, [])
            column += width
    columns = sorted({column for line in grid for column, blocks in line.items() if blocks})
    return [[line.get(column, []) for column in columns] if line else [] for line in grid]


def _span(cell: etree._Element, place: int, num_rows: int) -> tuple[int, int]:
    """Return how many rows and columns a cell in row `place` takes; 0 rows in HTML means all that follow."""
    height, width = integer(cell.get("rowspan")), integer(cell.get("colspan"))
    rest = num_rows - place
    height = 1 if height is None or height < 0 else rest if height == 0 else min(height, rest)
    return height, 1 if width is None or width < 1 else width
