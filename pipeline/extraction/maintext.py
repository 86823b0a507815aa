"""Main content of a page: what remains when navigation, banners, related links and the like are taken away.

Four steps over one tree: (1) elements that never hold text are dropped; (2) every element is measured once: its characters, those in
links, and its mass, the characters of its running text; (3) elements whose names say boilerplate go, unless they hold much of the
mass; (4) from the body down, the content is the smallest element that still holds most of the mass, without its blocks of links.
"""

import re

from lxml import etree

from pipeline.extraction.names import is_boilerplate, is_marginal, is_teaser
from pipeline.extraction.phrases import is_invitation
from pipeline.extraction.tree import remove

_NEVER = (
    "script style noscript template iframe object embed svg canvas nav footer aside dialog select textarea button input audio video map form-actions "
    "link meta head source picture figure-actions"
).split()
_BLOCKS = frozenset(
    "address article blockquote body center dd details div dl dt fieldset figcaption figure form h1 h2 h3 h4 h5 h6 header hgroup li main ol p section "
    "summary table tbody td tfoot th thead tr ul caption".split()
)
_HEADINGS = frozenset("h1 h2 h3 h4 h5 h6".split())
_EARLIER_HEADINGS = etree.XPath("preceding::h1")
_NUMBERED = re.compile(r"\s*(?:fig(?:ure|\.)?|table|tab\.|listing|algorithm|scheme|abb(?:ildung|\.)?|tabelle)\s{0,3}\d", re.I)
# A heading, quotation or article is what it is, whatever its class.
_NOT_BY_NAME = _HEADINGS | {"article", "main", "blockquote"}
# Ours: running text is at least so long, links not counted; shorter text is labels. Swept 20 to 80.
MIN_RUNNING_CHARS = 40
# Ours: an element named like boilerplate stays when it holds more than this part of the mass. Swept .3 to .7.
MAX_BOILERPLATE_MASS = 0.5
# Ours: a line about the text (date, credit, category) is no longer than this. Swept 60 to 300.
MAX_MARGINAL_CHARS = 120
# Ours: a teaser with more of its text in links than this leads elsewhere.
MAX_TEASER_LINKS = 0.3
# Ours: a child is descended into while it holds this part of its parent's mass. Swept .6 to .95.
MIN_DESCENT_MASS = 0.8
# Ours: a page with less text than this is asked about.
MIN_CONFIDENT_CHARS = 250


class Measured:
    """Sizes of one element's text, everything under it included."""

    __slots__ = ("chars", "links", "mass")

    def __init__(self) -> None:
        self.chars = 0
        self.links = 0
        self.mass = 0


def main_content(tree: etree._Element) -> etree._Element:
    """The element that holds the main content, pruned in place."""
    body = tree.find("body")
    root = body if body is not None else tree
    etree.strip_elements(root, *_NEVER, with_tail=False)
    sizes: dict[etree._Element, Measured] = {}
    measure(root, sizes)
    total = sizes[root].mass
    _prune_by_name(root, sizes, total)
    heart = _descend(root, sizes)
    content = _surroundings(heart, root)
    _prune_siblings(heart, content, sizes)
    _prune_captions(content, sizes)
    _prune_links(content, sizes)
    return content


def measure(element: etree._Element, sizes: dict[etree._Element, Measured]) -> Measured:
    """Fill `sizes` for `element` and everything below it."""
    size = Measured()
    text = element.text
    own = len(text.strip()) if text else 0
    chars = links = mass = own_links = 0
    for child in element:
        inner = measure(child, sizes)
        tag = child.tag
        if tag in _BLOCKS:
            chars += inner.chars
            links += inner.links
            mass += inner.mass
        elif tag == "a":
            # What stands in a link is a teaser for another page, whatever its length.
            own += inner.chars
            own_links += inner.chars
        else:
            own += inner.chars
            own_links += inner.links
            mass += inner.mass
        text = child.tail
        if text:
            own += len(text.strip())
    if own - own_links >= MIN_RUNNING_CHARS and element.tag in _BLOCKS:
        mass += own - own_links
    size.chars = chars + own
    size.links = links + own_links
    size.mass = mass
    sizes[element] = size
    return size


def _prune_by_name(root: etree._Element, sizes: dict[etree._Element, Measured], total: int) -> None:
    for element in list(root.iter(etree.Element)):
        if element is root:
            continue
        names = element.get("class") or ""
        if (identifier := element.get("id")) is not None:
            names = f"{names} {identifier}"
        if (role := element.get("role")) is not None:
            names = f"{names} {role}"
        style = element.get("style")
        hidden = style is not None and "display" in style and "none" in style and "display:none" in style.replace(" ", "")
        if not names and not hidden and element.tag != "form":
            continue
        size = sizes.get(element)
        if size is None or (element.tag in _NOT_BY_NAME and not hidden):
            continue
        if hidden or element.tag == "form" or (element.tag != "p" and is_boilerplate(names)):
            if size.mass <= MAX_BOILERPLATE_MASS * total:
                _drop(element, sizes)
        elif size.chars <= MAX_MARGINAL_CHARS and is_marginal(names):
            _drop(element, sizes)
        elif size.links > MAX_TEASER_LINKS * size.chars and size.mass <= 0.2 * total and is_teaser(names):
            _drop(element, sizes)


def _drop(element: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Take `element` out of the tree and its sizes out of its ancestors'."""
    size = sizes[element]
    for ancestor in element.iterancestors():
        outer = sizes.get(ancestor)
        if outer is None:
            break
        outer.chars -= size.chars
        outer.links -= size.links
        outer.mass -= size.mass
    for inner in element.iter():
        sizes.pop(inner, None)
    remove(element)


def _descend(root: etree._Element, sizes: dict[etree._Element, Measured]) -> etree._Element:
    element = root
    while True:
        mass = sizes[element].mass
        heaviest = max(element, key=lambda child: sizes[child].mass if child in sizes else 0, default=None)
        if heaviest is None or heaviest not in sizes or mass == 0 or sizes[heaviest].mass < MIN_DESCENT_MASS * mass:
            return element
        if heaviest.tag in ("p", "li", "tr", "td", "tbody", "blockquote", "ul", "ol", "table", "span", "dl", "dd", "h1", "h2", "pre", "center", "font", "b", "em", "strong", "i", "u"):
            if heaviest.tag not in ("table", "tbody", "tr", "td", "center"):
                return element
        element = heaviest


def _surroundings(heart: etree._Element, root: etree._Element) -> etree._Element:
    """The element to read: the article that `heart` is part of, else what `heart` and the page's `<h1>` share."""
    article = next((ancestor for ancestor in (heart, *heart.iterancestors()) if ancestor.tag == "article"), heart)
    if heart is root or article.find(".//h1") is not None:
        return article
    headings = [heading for heading in _EARLIER_HEADINGS(heart) if len("".join(heading.itertext()).strip()) > 3]
    if not headings:
        return article
    above = {article, *article.iterancestors()}
    common = next((ancestor for ancestor in headings[-1].iterancestors() if ancestor in above), article)
    return article if common is root else common


def _prune_siblings(heart: etree._Element, content: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Of what stands beside the way from `content` down to `heart`, drop what is neither heading nor running text."""
    inner = heart
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
            linked = size.links > 0.5 * size.chars
            if before and not linked and (size.mass or child.find(".//h1") is not None or content.tag == "article"):
                continue
            if not before and size.links <= 0.3 * size.chars and (size.mass >= MIN_RUNNING_CHARS or content.tag == "article"):
                continue
            _drop(child, sizes)
        inner = outer


def _prune_captions(content: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Captions that name their figure stay; the others are credits and lines under press photographs."""
    for caption in list(content.iter("figcaption")):
        if caption in sizes and not _NUMBERED.match("".join(caption.itertext())):
            _drop(caption, sizes)


def _prune_links(content: etree._Element, sizes: dict[etree._Element, Measured]) -> None:
    """Drop blocks below `content` that are mostly links."""
    for element in list(content.iter("ul", "ol", "div", "section", "table", "dl", "header", "p")):
        if element is content or element not in sizes:
            continue
        size = sizes[element]
        if element.tag == "p":
            if size.links > 0.9 * size.chars and size.chars > 8:
                _drop(element, sizes)
            continue
        if size.chars and size.links > 0.7 * size.chars and size.mass < 80 and not (size.chars > 2000 and size.links < 0.8 * size.chars):
            _drop(element, sizes)


def is_confident(text: str) -> bool:
    """Whether the text is long enough to need no second opinion."""
    return len(text) >= MIN_CONFIDENT_CHARS


def without_idle_blocks(text: str) -> str:
    """Markdown without invitations to read elsewhere, and without headings that nothing follows but a heading of the same or a higher level, or the end."""
    kept: list[str] = []
    # What comes next: the level of a heading, 0 for the end, None for anything else.
    following: int | None = 0
    for block in reversed(text.split("\n\n")):
        if is_invitation(block):
            continue
        level = _level(block)
        if level and following is not None and level >= following:
            continue
        kept.append(block)
        following = level or None
    return "\n\n".join(reversed(kept))


def _level(block: str) -> int:
    """Level of a heading, 0 for other blocks."""
    marks = len(block) - len(block.lstrip("#"))
    return marks if 0 < marks < 7 and block[marks : marks + 1] == " " and "\n" not in block else 0
