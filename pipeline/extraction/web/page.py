"""Parse a page into a tree and take its formulas and code out."""

from typing import NamedTuple

from lxml import etree

from pipeline.extraction.code.blocks import take_out_code
from pipeline.extraction.math.delimiters import shield_less_than, take_out_delimited
from pipeline.extraction.math.elements import take_out_elements
from pipeline.extraction.math.formulas import take_out_math
from pipeline.extraction.math.html.fractions import take_out_fractions
from pipeline.extraction.math.html.scripts import take_out_scripts, write_code_scripts
from pipeline.extraction.math.images import take_out_images
from pipeline.extraction.math.latexml import take_out_latexml
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, inventory_of
from pipeline.extraction.web.wrappers import unwrap_text

# Control characters that XML, and therefore lxml, refuses in text, although HTML parsers accept them.
_CONTROLS = bytes(code for code in [*range(32), 127] if code not in b"\t\n\r")


class Page(NamedTuple):
    """A page with its formulas and code taken out of the tree."""

    source: str
    tree: etree._Element
    inventory: Inventory
    slots: Slots
    title: str


def read(source: str) -> Page | None:
    """Parse a page and take its formulas and code out; None if it has no element."""
    tree = parse(source)
    if tree is None:
        return None
    inventory, title, slots = inventory_of(tree), title_of(tree), Slots(source)
    if take_out(tree, source, inventory, slots):
        return Page(source, tree, inventory, slots, title)
    shielded = shield_less_than(source)
    tree, slots = parse(shielded), Slots(shielded)
    assert tree is not None
    inventory = inventory_of(tree)
    take_out(tree, shielded, inventory, slots)
    return Page(shielded, tree, inventory, slots, title)


def parse(page: str) -> etree._Element | None:
    """Return the tree of a page, or None if it has no element."""
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(page.encode("utf-8", "replace").translate(None, _CONTROLS), parser)
    except etree.ParserError:
        return None
    except etree.XMLSyntaxError:
        return None


def take_out(tree: etree._Element, page: str, inventory: Inventory, slots: Slots) -> bool:
    """Replace formulas and code in `tree` (of the source `page`) by placeholders.

    Rendered formulas come first, because they may stand in code; powers and indices come last, because they
    may stand on any of these. The result is False if formulas were taken for tags by the parser.
    """
    unwrap_text(tree, inventory)
    take_out_elements(tree, inventory, slots)
    take_out_latexml(tree, inventory, slots)
    take_out_math(tree, inventory, slots)
    take_out_images(tree, inventory, slots)
    etree.strip_elements(tree, "script", "style", "noscript", "template", with_tail=False)
    write_code_scripts(tree, inventory)
    take_out_code(tree, inventory, slots)
    is_whole = take_out_delimited(tree, page, slots)
    take_out_fractions(tree, page, inventory, slots)
    take_out_scripts(tree, inventory, slots)
    return is_whole


def title_of(tree: etree._Element) -> str:
    """Return the page's title: `og:title`, else `<title>`, else the first `<h1>`."""
    for meta in tree.iter("meta"):
        if meta.get("property") == "og:title" and meta.get("content", "").strip():
            return " ".join(meta.get("content", "").split())
    for tag in ("title", "h1"):
        for element in tree.iter(tag):
            text = " ".join("".join(element.itertext()).split())
            if text:
                return text
    return ""
