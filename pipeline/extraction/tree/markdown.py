"""Write an HTML tree (or trafilatura's XML tree) as Markdown blocks.

One recursive walk collects inline content in a line until a block begins. Emphasis marks are dropped, their
text is kept. Placeholders of `Slots` pass through like ordinary words; they are restored after all text
around them is escaped.
"""

import re

from lxml import etree

from pipeline.extraction.tree.grid import spread
from pipeline.extraction.tree.lists import integer, numbering_of
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import INLINE, class_of

_HEADINGS = {"h1": 1, "h2": 2, "h3": 3, "h4": 4, "h5": 5, "h6": 6}
_SKIPPED = frozenset([
    "script", "style", "noscript", "template", "svg", "canvas", "iframe", "object", "embed", "audio", "video",
    "select", "textarea", "button", "input", "head", "meta", "link", "rt", "rp", "map", "graphic", "img",
])  # fmt: skip
_LISTS = frozenset(("ul", "ol", "menu", "dir", "list"))
_QUOTES = frozenset(("blockquote", "quote"))
_LINE_BREAK = "\x00"
# Our choice: a reader can follow at most this nesting; anything deeper is written as plain text.
MAX_DEPTH = 150
# Our choice: a longer heading is a paragraph in large print.
MAX_HEADING_CHARS = 200
# Our choice: a data table has short cells; a table with longer ones is page layout.
MAX_CELL_CHARS = 400


def to_markdown(root: etree._Element, slots: Slots) -> str:
    """Return Markdown of everything under `root`, with the placeholders of `slots` still in it."""
    return join_blocks(_Walk(slots).blocks_of(root, 0))


def join_blocks(blocks: list[str]) -> str:
    """Join blocks with a blank line between them."""
    return "\n\n".join(block for block in blocks if block)


def escape_prose(text: str) -> str:
    """Escape literal `$` and `|` in one line of prose."""
    if "$" in text:
        text = text.replace("\\$", "$").replace("$", "\\$")
    return text.replace("|", "\\|") if "|" in text else text


class _Walk:
    """The finished blocks and the line that is being collected."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.blocks: list[str] = []
        self.line: list[str] = []

    def blocks_of(self, element: etree._Element, depth: int) -> list[str]:
        """Return all blocks after `element` was walked."""
        self.walk(element, depth)
        self.flush()
        return self.blocks

    def inside(self, element: etree._Element, depth: int) -> list[str]:
        """Return the blocks of `element` alone."""
        return _Walk(self.slots).blocks_of(element, depth + 1)

    def flush(self) -> None:
        """Turn the collected line into one or more paragraphs."""
        if not self.line:
            return
        text = "".join(self.line)
        self.line = []
        if _LINE_BREAK not in text:
            text = " ".join(text.split())
            if text:
                self.blocks.append(escape_prose(text))
            return
        paragraph: list[str] = []
        for part in text.split(_LINE_BREAK):
            part = " ".join(part.split())
            if part:
                paragraph.append(escape_prose(part))
            elif paragraph:
                self.blocks.append("\n".join(paragraph))
                paragraph = []
        if paragraph:
            self.blocks.append("\n".join(paragraph))

    def walk(self, element: etree._Element, depth: int) -> None:
        """Add the text and the children of `element` to the line and the blocks."""
        if depth > MAX_DEPTH:
            self.line.append(" ".join(element.itertext()))
            return
        line = self.line
        if element.text:
            line.append(element.text)
        for child in element:
            tag = child.tag
            if tag in INLINE:
                if tag != "a" or "headerlink" not in class_of(child):
                    self.walk(child, depth + 1)
            elif tag == "br" or tag == "lb":
                self.line.append(_LINE_BREAK)
            elif tag in _SKIPPED or not isinstance(tag, str):
                pass
            else:
                self.flush()
                self._block(child, tag, depth)
                self.flush()
            if child.tail:
                self.line.append(child.tail)

    def _block(self, element: etree._Element, tag: str, depth: int) -> None:
        if tag in _HEADINGS or tag == "head":
            level = _HEADINGS.get(tag) or _HEADINGS.get(element.get("rend", ""), 2)
            text = " ".join(" ".join(self.inside(element, depth)).split())
            if len(text) > MAX_HEADING_CHARS:
                self.blocks.append(text)
            elif text:
                self.blocks.append(f"{'#' * level} {text}")
        elif tag in _LISTS:
            self._list(element, depth)
        elif tag == "table":
            self._table(element, depth)
        elif tag in _QUOTES:
            self.blocks.extend(quoted(self.inside(element, depth), self.slots))
        elif tag == "hr":
            pass
        else:
            self.walk(element, depth + 1)

    def _list(self, element: etree._Element, depth: int) -> None:
        lines: list[str] = []
        numbering = numbering_of(element) if element.tag == "ol" else None
        number = numbering.first if numbering else 0
        for child in element:
            if not isinstance(child.tag, str) or child.tag in _SKIPPED:
                continue
            if child.tag in _LISTS:
                lines.extend(_indented(block, self.slots) for block in self.inside_list(child, depth))
                continue
            blocks = self.inside(child, depth)
            if not blocks:
                continue
            bullet = "- "
            if numbering:
                stated = integer(child.get("value"))
                number = number if stated is None else stated
                bullet = f"{numbering.label(number)} "
                number += numbering.step
            for place, block in enumerate(blocks):
                if self.slots.is_block(block):
                    lines.append(f"\n{block}\n")
                elif place == 0:
                    lines.append(bullet + block.replace("\n", "\n  "))
                else:
                    lines.append(_indented(block, self.slots))
        if lines:
            self.blocks.append(re.sub(r"\n\n\n+", "\n\n", "\n".join(lines)).strip("\n"))

    def inside_list(self, element: etree._Element, depth: int) -> list[str]:
        """Return the blocks of a list that stands directly in a list."""
        walk = _Walk(self.slots)
        walk._list(element, depth + 1)
        return walk.blocks

    def _table(self, table: etree._Element, depth: int) -> None:
        rows = [line for line in table.iter("tr", "row") if next(line.iterancestors("table"), None) is table]
        cells = [[cell for cell in line if cell.tag in ("td", "th", "cell")] for line in rows]
        caption = table.find("caption")
        if caption is not None:
            self.blocks.extend(self.inside(caption, depth))
        nested = table.find(".//table") is not None or table.find(".//pre") is not None
        if not nested and max(map(len, cells), default=0) > 1:
            texts = [[self.inside(cell, depth) for cell in line] for line in cells]
            if _is_data(texts, self.slots):
                self._pipe_table(
                    [[" ".join(blocks) for blocks in line] for line in spread(table, cells, texts)]
                )
                return
            self.blocks.extend(block for line in texts for blocks in line for block in blocks)
            return
        if not cells:
            self.walk(table, depth + 1)
        for line in cells:
            for cell in line:
                self.blocks.extend(self.inside(cell, depth))

    def _pipe_table(self, texts: list[list[str]]) -> None:
        width = max(map(len, texts), default=0)
        lines = []
        for line in texts:
            if not any(line):
                continue
            padded = [self._cell(text) for text in line] + [""] * (width - len(line))
            lines.append(f"| {' | '.join(padded)} |")
            if len(lines) == 1:
                lines.append(f"|{' --- |' * width}")
        if lines:
            self.blocks.append("\n".join(lines))

    def _cell(self, text: str) -> str:
        """Return the text of a cell in one line, with a backslash before each pipe in inline code."""
        for number in self.slots.numbers(text):
            piece = self.slots.pieces[number]
            if self.slots.kinds[number] == "inline" and "|" in piece:
                escaped = self.slots.add(piece.replace("|", "\\|"), "inline")
                text = text.replace(f"{self.slots.mark}{number}e", escaped)
        return text.replace("\n", " ")


def quoted(blocks: list[str], slots: Slots) -> list[str]:
    """Return the blocks as one `>` quote; code and displayed formulas inside stay as they are, unquoted."""
    out: list[str] = []
    run: list[str] = []
    for block in blocks:
        if slots.is_block(block):
            if run:
                out.append("\n>\n".join(run))
            run = []
            out.append(block)
        else:
            run.append("\n".join(_quoted_line(line, slots) for line in block.split("\n")))
    return [*out, "\n>\n".join(run)] if run else out


def _quoted_line(line: str, slots: Slots) -> str:
    if slots.is_block(line.strip()):
        return line.strip()
    return f"> {line}" if line else ">"


def _indented(block: str, slots: Slots) -> str:
    """Indent a block under a list item. Code stays at the margin, because its lines must stay exact."""
    return "\n".join(
        line if not line or slots.is_block(line.strip()) else f"  {line}" for line in block.split("\n")
    )


def _is_data(texts: list[list[list[str]]], slots: Slots) -> bool:
    """Whether the cells hold values (short, with few blocks each) and are not page layout."""
    if sum(1 for line in texts if sum(bool(blocks) for blocks in line) > 1) < 2:
        return False
    return all(
        len(blocks) <= 3
        and sum(map(len, blocks)) <= MAX_CELL_CHARS
        and not any(slots.is_code(block) or block.startswith("#") for block in blocks)
        for line in texts
        for blocks in line
    )
