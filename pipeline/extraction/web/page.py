"""Parse a page into a tree and take its formulas and code out."""

from lxml import etree

from pipeline.extraction.code.blocks import take_out_code
from pipeline.extraction.math.delimiters import shield_less_than, take_out_delimited
from pipeline.extraction.math.formulas import take_out_math
from pipeline.extraction.math.html.fractions import take_out_fractions
from pipeline.extraction.math.html.scripts import take_out_scripts, write_code_scripts
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory

# Control characters that XML, and therefore lxml, refuses in text, although HTML parsers accept them.
_CONTROLS = bytes(code for code in [*range(32), 127] if code not in b"\t\n\r")


def parse(page: str) -> etree._Element | None:
    """Return the tree of a page, or None if it has no element."""
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(
            shield_less_than(page).encode("utf-8", "replace").translate(None, _CONTROLS), parser
        )
    except etree.ParserError:
        return None
    except etree.XMLSyntaxError:
        return None


def take_out(tree: etree._Element, page: str, inventory: Inventory) -> Slots:
    """Replace formulas and code in `tree` (of the source `page`) by placeholders.

    Rendered formulas come first, because they may stand in code; powers and indices come last, because they
    may stand on any of these.
    """
    slots = Slots(page)
    take_out_math(tree, inventory, slots)
    etree.strip_elements(tree, "script", "style", "noscript", "template", with_tail=False)
    write_code_scripts(tree, inventory)
    take_out_code(tree, inventory, slots)
    take_out_delimited(tree, page, slots)
    take_out_fractions(tree, page, inventory, slots)
    take_out_scripts(tree, inventory, slots)
    return slots


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
