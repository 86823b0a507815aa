"""Prepare pages that LaTeXML made (arXiv's HTML, ar5iv, DLMF): their numbered displays, items and footnotes.

A group of equations is a table with a row for each; every row becomes a display of its own. The label of a
list item is text before a paragraph; a usual one is left out, because the list gets its own. A footnote
stands in the middle of its sentence and moves behind its paragraph.
"""

import re

from lxml import etree

from pipeline.extraction.math.formulas import formula_word, latex_of_math, maths_of
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove

_TABLES = etree.XPath("//table[contains(@class,'ltx_eqn_table')]")
_PARAGRAPHS = etree.XPath("//p[starts-with(@class,'ltx_p')]")
_ITEM_LABELS = etree.XPath("//li/span[contains(@class,'ltx_tag_item')]")
_NOTES = etree.XPath("//span[contains(@class,'ltx_note ')]|//span[@class='ltx_note']")
_USUAL_LABEL = re.compile(r"\d{1,3}[.)]|[•·∙*–—◦-]")
_DISPLAY_STYLE = re.compile(r"\\displaystyle\s*(?![A-Za-z])")


def take_out_latexml(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Take the displays of a page of LaTeXML out and bring its items and footnotes into the usual form."""
    if "ltx_" not in inventory.classes:
        return
    for table in _TABLES(tree):
        if table.getparent() is not None:
            _take_table(table, slots)
    for paragraph in _PARAGRAPHS(tree):
        # Every paragraph has this class, so that it says nothing about the text.
        del paragraph.attrib["class"]
    for label in _ITEM_LABELS(tree):
        _place_label(label)
    # From behind, so that the footnotes of one paragraph keep their order.
    for note in reversed(_NOTES(tree)):
        _place_note(note)


def _take_table(table: etree._Element, slots: Slots) -> None:
    paragraphs = []
    for line in table.iter("tr"):
        parts = [_DISPLAY_STYLE.sub("", latex_of_math(math)).strip() for math in maths_of(line)]
        if parts:
            word = formula_word(" ".join(parts), True, slots)
            paragraphs.append(_paragraph(word, "slot"))
        else:
            cells = [cell for cell in line.iter("td", "th") if "ltx_eqn_eqno" not in class_of(cell)]
            paragraphs.append(_paragraph(" ".join("".join(cell.itertext()) for cell in cells), ""))
    if any(paragraph.get("class") == "slot" for paragraph in paragraphs):
        table.clear(keep_tail=True)
        table.tag = "div"
        table.extend(paragraph for paragraph in paragraphs if (paragraph.text or "").strip())


def _paragraph(text: str, name: str) -> etree._Element:
    paragraph = etree.Element("p", {"class": name} if name else {})
    paragraph.text = text
    return paragraph


def _place_label(label: etree._Element) -> None:
    """Leave the usual label of an item out; any other goes into the item's first paragraph."""
    text = "".join(label.itertext()).strip()
    item = label.getparent()
    paragraph = next(item.iter("p"), None)
    remove(label)
    if paragraph is not None and not _USUAL_LABEL.fullmatch(text):
        paragraph.text = f"{text} {paragraph.text or ''}"


def _place_note(note: etree._Element) -> None:
    """Move a footnote behind its paragraph."""
    for part in list(note.iter("sup", "span")):
        if "ltx_note_mark" in class_of(part) or "ltx_tag_note" in class_of(part):
            remove(part)
    paragraph = next(note.iterancestors("p"), None)
    content = next((part for part in note.iter("span") if "ltx_note_content" in class_of(part)), None)
    if paragraph is None or content is None or paragraph.getparent() is None:
        return
    remove(note)
    content.tag, content.tail = "p", None
    del content.attrib["class"]
    paragraph.addnext(content)
