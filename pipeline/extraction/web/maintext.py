"""Find the main content of a page: remove navigation, banners, related links and the like.

The steps work on one tree:
1. Elements that never hold text are dropped.
2. Every element is measured once: its characters, those in links, and its mass, which is the number of
   characters of running text.
3. Elements whose names say boilerplate are dropped, unless they hold much of the mass.
4. From the body down, the content is the smallest element that still holds most of the mass, without its
   blocks of links.
5. Blocks in the content that are unlikely to be content by their look and position are dropped (`blocks`).
"""

import re
from dataclasses import dataclass

from lxml import etree

from pipeline.extraction.web.blocks import BlockModel, drop_unlikely
from pipeline.extraction.web.names import is_annotation, is_boilerplate, is_marginal, is_teaser
from pipeline.extraction.web.sizes import MIN_RUNNING_CHARS, Block, Measured, drop, measure
from pipeline.extraction.web.wrappers import is_opened

_NEVER = (
    "script", "style", "noscript", "template", "iframe", "object", "embed", "svg", "canvas", "nav", "footer",
    "dialog", "select", "textarea", "button", "input", "audio", "video", "map", "link", "meta", "head",
    "source", "picture",
)  # fmt: skip
# The content is never a single paragraph, list or inline element.
_TEXT_TAGS = frozenset([
    "p", "li", "blockquote", "ul", "ol", "span", "dl", "dd", "h1", "h2", "pre", "figcaption", "font", "b",
    "em", "strong", "i", "u",
])  # fmt: skip
_HEADINGS = frozenset(["h1", "h2", "h3", "h4", "h5", "h6"])
_EARLIER_HEADINGS = etree.XPath("preceding::h1")
_NUMBERED = re.compile(
    r"\s*(?:fig(?:ure|\.)?|table|tab\.|listing|algorithm|scheme|abb(?:ildung|\.)?|tabelle)\s{0,3}\d", re.I
)
# These are kept whatever their class says.
_NOT_BY_NAME = _HEADINGS | {"article", "main", "blockquote"}
# These are boilerplate unless they hold much of the text.
_BY_TAG = frozenset(("form", "aside"))
_SLOT = etree.XPath("boolean(descendant::p[@class='slot'])")
# Our choice: an element named like boilerplate stays if it holds more than this fraction of the mass. Swept
# .3 to .7.
MAX_BOILERPLATE_MASS = 0.5
# Our choice: a line about the text (date, credit, category) is at most this long. Swept 60 to 300.
MAX_MARGINAL_CHARS = 120
# The next four lines: results depend little on these values (docs/log.md).
# Our choice: a teaser with a larger fraction of its text in links leads to another page, unless it holds this
# fraction of the mass.
MAX_TEASER_LINKS, MAX_TEASER_MASS = 0.3, 0.2
# Our choice: outside the content, a part with a larger fraction of its text in links is a menu. The bound is
# lower for parts after the content.
MAX_LINKS_BEFORE, MAX_LINKS_AFTER = 0.5, 0.3
# Our choice: inside the content, a block with a larger fraction of its text in links is a list of links. It
# stays if it holds a sentence or two of running text, or if it is long and not all links (an index page).
MAX_BLOCK_LINKS, MAX_LINKED_MASS, MIN_INDEX_CHARS, MAX_INDEX_LINKS = 0.7, 80, 2000, 0.8
# Our choice: a paragraph of more than one word that is nothing but a link leads to another page.
MAX_PARAGRAPH_LINKS, MAX_LINKED_WORD_CHARS = 0.9, 8
# Our choice: the search descends into a child that holds this fraction of its parent's mass. Swept .6 to .95.
MIN_DESCENT_MASS = 0.8
# Our choice: a page with less text than this falls back to the second engine. Swept 50 to 250: F1 falls below
# 100, the cost rises above 150.
MIN_CONFIDENT_CHARS = 150


@dataclass(frozen=True)
class Page:
    """A page's tree with its measurements."""

    root: etree._Element
    sizes: dict[etree._Element, Measured]
    blocks: list[Block]
    mass: int


def main_content(tree: etree._Element, title: str, mark: str) -> etree._Element:
    """Prune the tree in place and return the element that holds the main content.

    `mark` begins the placeholders of code and formulas.
    """
    page = measured(tree)
    content = content_by_rules(page)
    drop_unlikely(content, BlockModel(page.blocks, title, page.mass), page.sizes, mark)
    return content


def measured(tree: etree._Element) -> Page:
    """Do steps 1 and 2: drop the elements that never hold text and measure all others."""
    body = tree.find("body")
    root = body if body is not None else tree
    etree.strip_elements(root, *_NEVER, with_tail=False)
    sizes: dict[etree._Element, Measured] = {}
    blocks: list[Block] = []
    return Page(root, sizes, blocks, measure(root, sizes, blocks).mass)


def content_by_rules(page: Page) -> etree._Element:
    """Do steps 3 and 4 and return the content element; dropped elements leave the tree."""
    root, sizes = page.root, page.sizes
    _prune_by_name(root, sizes, page.mass)
    core = _descend(root, sizes)
    content = _surroundings(core, root)
    _prune_siblings(core, content, sizes)
    _prune_captions(content, sizes)
    _prune_links(content, sizes)
    return content


def _prune_by_name(root: etree._Element, sizes: dict[etree._Element, Measured], total: int) -> None:
    """Drop hidden elements and those named like boilerplate; `total` is the mass of the page."""
    for element in list(root.iterdescendants(etree.Element)):
        names = _names_of(element)
        style = element.get("style")
        hidden = (
            style is not None
            and "display" in style
            and "none" in style
            and "display:none" in style.replace(" ", "")
        )
        if not names and not hidden and element.tag not in _BY_TAG:
            continue
        size = sizes.get(element)
        if size is None or (element.tag in _NOT_BY_NAME and not hidden):
            continue
        hidden = hidden and not (size.chars and is_opened(element))
        by_tag = element.tag in _BY_TAG and not (element.tag == "aside" and is_annotation(names))
        if hidden or by_tag or (element.tag != "p" and is_boilerplate(names)):
            # Code and displayed formulas are content wherever they stand.
            if size.mass <= MAX_BOILERPLATE_MASS * total and (hidden or not _SLOT(element)):
                drop(element, sizes)
        elif (size.chars <= MAX_MARGINAL_CHARS and is_marginal(names)) or (
            size.links > MAX_TEASER_LINKS * size.chars
            and size.mass <= MAX_TEASER_MASS * total
            and is_teaser(names)
        ):
            drop(element, sizes)


def _names_of(element: etree._Element) -> str:
    """Return class, id and role of an element.

    An id that only repeats the heading below it is left out: documentation generators write such ids.
    """
    names = element.get("class") or ""
    if (identifier := element.get("id")) is not None:
        generated = names in ("", "section") and (element.tag == "section" or names == "section")
        heading = (
            next((child for child in element[:3] if child.tag in _HEADINGS), None) if generated else None
        )
        text = "" if heading is None else "".join(heading.itertext()).lower()
        if heading is None or not all(word in text for word in re.findall("[a-z]+", identifier.lower())):
            names = f"{names} {identifier}"
    if (role := element.get("role")) is not None:
        names = f"{names} {role}"
    return names


def _descend(root: etree._Element, sizes: dict[etree._Element, Measured]) -> etree._Element:
    """Return the smallest element below `root` that still holds most of the mass."""
    element = root
    while True:
        mass = sizes[element].mass
        heaviest = max(element, key=lambda child: sizes[child].mass if child in sizes else 0, default=None)
        if (
            heaviest is None
            or heaviest not in sizes
            or mass == 0
            or sizes[heaviest].mass < MIN_DESCENT_MASS * mass
        ):
            return element
        if heaviest.tag in _TEXT_TAGS:
            return element
        element = heaviest


def _surroundings(core: etree._Element, root: etree._Element) -> etree._Element:
    """Return the article around `core`, or the element that `core` and the page's `<h1>` have in common."""
    article = next(
        (ancestor for ancestor in (core, *core.iterancestors()) if ancestor.tag == "article"), core
    )
    if core is root or article.find(".//h1") is not None:
        return article
    headings = [
        heading for heading in _EARLIER_HEADINGS(core) if len("".join(heading.itertext()).strip()) > 3
    ]
    if not headings:
        return article
    above = {article, *article.iterancestors()}
    common = next((ancestor for ancestor in headings[-1].iterancestors() if ancestor in above), article)
    return article if common is root else common


def _prune_siblings(
    core: etree._Element, content: etree._Element, sizes: dict[etree._Element, Measured]
) -> None:
    """Drop siblings of the path from `content` down to `core` that are neither headings nor running text."""
    inner = core
    while inner is not content:
        outer = inner.getparent()
        if outer is None:
            return
        before = True
        for child in list(outer):
            if child is inner:
                before = False
                continue
            size = sizes.get(child)
            if size is None or (child.tag == "h1" and before):
                continue
            linked = size.links > MAX_LINKS_BEFORE * size.chars
            if (
                before
                and not linked
                and (size.mass or child.find(".//h1") is not None or content.tag == "article")
            ):
                continue
            if (
                not before
                and size.links <= MAX_LINKS_AFTER * size.chars
                and (size.mass >= MIN_RUNNING_CHARS or content.tag == "article")
            ):
                continue
            drop(child, sizes)
        inner = outer


def _prune_captions(content: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Drop captions that do not name their figure: they are credits and captions of press photographs."""
    for caption in list(content.iter("figcaption")):
        if caption in sizes and not _NUMBERED.match("".join(caption.itertext())):
            drop(caption, sizes)


def _prune_links(content: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Drop blocks below `content` that are mostly links."""
    for element in list(content.iter("ul", "ol", "div", "section", "table", "dl", "header", "p")):
        if element is content or element not in sizes:
            continue
        size = sizes[element]
        if element.tag == "p":
            if size.links > MAX_PARAGRAPH_LINKS * size.chars and size.chars > MAX_LINKED_WORD_CHARS:
                drop(element, sizes)
            continue
        if (
            size.chars
            and size.links > MAX_BLOCK_LINKS * size.chars
            and size.mass < MAX_LINKED_MASS
            and not (size.chars > MIN_INDEX_CHARS and size.links < MAX_INDEX_LINKS * size.chars)
        ):
            drop(element, sizes)


def is_confident(text: str) -> bool:
    """Whether the text is long enough, so that the second engine is not needed."""
    return len(text) >= MIN_CONFIDENT_CHARS
