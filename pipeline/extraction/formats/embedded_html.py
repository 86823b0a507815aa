"""Take HTML, scripts, styles and pictures out of Markdown, and keep what a reader sees as Markdown.

Notebooks mix HTML into their cells: coloured boxes, tables, anchors, embedded video. Code and formulas of the
Markdown are left as they are.

1. Pictures that lie in the text itself, as base64, go. Elsewhere (in code) three dots replace their bytes.
2. Elements that are not text go with everything in them: scripts, styles, comments, drawings, frames.
   Tables are written as pipe tables, `<pre>` as a fence.
3. Of all other HTML elements the tags go: a block becomes a paragraph, an item a bullet, a heading a heading.

Time is linear: a tag ends at the next angle bracket, and what has no closing tag is looked for once.
"""

import html
import re
from bisect import bisect_right

from lxml import etree

from filters.measure.spans import Span, find_spans
from pipeline.extraction.code.blocks import fence
from pipeline.extraction.tree.markdown import to_markdown
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.web.page import parse

# A picture, also one that is cut at the end of the text.
_PICTURE = re.compile(
    r"!\[[^\[\]\n]{0,500}\]\([ <]{0,4}(?:attachment:|data:)[^()\s]*(?:(?:[ \t][^()\n]{0,500})?\)|\s{0,9}\Z)"
)
_PICTURE_REFERENCE = re.compile(r"^ {0,3}\[[^\[\]\n]{1,200}\]:[ \t]{0,4}<?data:[^\n]*(?:\n|\Z)", re.M)
_DATA_URI = re.compile(r"(data:[\w.+-]{1,60}/[\w.+-]{1,60}[\w=.+;-]{0,100};base64,)[A-Za-z0-9+/=%_-]{16,}")
_NOT_TEXT = tuple(
    str.split("script style svg noscript template iframe object canvas audio video select head title")
)
_REGION = re.compile(rf"<!--|<({'|'.join((*_NOT_TEXT, 'table', 'pre'))})\b[^<>]*>", re.IGNORECASE)
_TABLE_TAG = re.compile(r"<(/?)table\b[^<>]*>", re.IGNORECASE)
_MAX_TABLE_TAGS = 200  # Our choice: a table with more tables in it than this ends at the first closing tag.
_MARKUP = re.compile(
    r"(?P<base>(?<![A-Za-z0-9])(?:[A-Za-z]|10|[2-9])|\))<(?P<script>su[bp])>(?P<index>[A-Za-z0-9+\-*]{1,6})</su[bp]>"
    r"|<(?:code|kbd|tt|samp)>(?P<code>[^<>`\n]{1,300})</(?:code|kbd|tt|samp)>"
    r"|<(?P<close>/?)(?P<tag>[A-Za-z][A-Za-z0-9]{0,14})(?P<attributes>(?:[\s/][^<>]*)?)>"
    r"|(?P<entity>&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)"
)
_CLOSING_TAG = re.compile(r"</([a-z][a-z0-9]{0,14})")
_ORDINALS = frozenset(("st", "nd", "rd", "th"))
_BLOCKS = frozenset(
    str.split(
        "div p center section article aside main header footer nav details summary figure figcaption address "
        "blockquote ul ol dl form fieldset legend hr html body tbody thead tfoot caption colgroup marquee"
    )
)
_LINES = {"br": "\x01", "li": "\x01- ", "dt": "\x01", "dd": "\x01", "tr": "\x01", "td": " ", "th": " "}
_INLINE = frozenset(
    str.split(
        "a abbr acronym b bdi bdo big button cite code col data del dfn em embed font i img input ins kbd "
        "label link mark meta nobr option param q rt ruby s samp small source span strike strong sub sup "
        "textarea time track tt u var wbr"
    )
)
# Words that manuals put between angle brackets: "convert <source> <time>".
_PLACEHOLDERS = frozenset(
    str.split("address button caption cite code data form input label link main mark option param section")
    + str.split("source summary time track var")
)
_BARE_ATTRIBUTES = frozenset(str.split("open controls disabled hidden nowrap compact checked reversed async"))
_BETWEEN_BLOCKS = "\n\x00\n"
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_LINE_CHARS = 2_000  # before a line break; a longer line is no row of a table


def without_pictures(text: str) -> str:
    """Remove pictures that lie in Markdown as base64, and the bytes of all other base64 in URIs."""
    if ";base64," not in text and "attachment:" not in text:
        return text
    return _DATA_URI.sub(r"\1...", _PICTURE_REFERENCE.sub("", _PICTURE.sub("", text)))


def without_html(markdown: str) -> str:
    """Return the Markdown of what a reader sees; code and formulas stay as they are."""
    seen = without_pictures(markdown)
    if "<" in seen or "&" in seen:
        seen = _without_tags(_without_regions(seen))
    return seen if seen == markdown else _with_single_blank_lines(seen).strip("\n")


def _with_single_blank_lines(markdown: str) -> str:
    pieces = []
    position = 0
    for span in find_spans(markdown):
        pieces += [_BLANK_LINES.sub("\n\n", markdown[position : span.start]), markdown[span.start : span.end]]
        position = span.end
    return "".join([*pieces, _BLANK_LINES.sub("\n\n", markdown[position:])])


class _Spans:
    """The places of code and formulas in a text."""

    def __init__(self, text: str) -> None:
        self.all: list[Span] = find_spans(text)
        self._starts = [span.start for span in self.all]

    def hold(self, position: int) -> bool:
        """Whether the position is inside code or a formula."""
        before = bisect_right(self._starts, position) - 1
        return before >= 0 and position < self.all[before].end


def _without_regions(markdown: str) -> str:
    spans = _Spans(markdown)
    lowered = markdown.lower()
    unclosed: set[str] = set()
    pieces = []
    position = 0
    for opening in _REGION.finditer(markdown):
        tag = (opening[1] or "!").lower()
        if opening.start() < position or tag in unclosed or spans.hold(opening.start()):
            continue
        end = _end_of_table(markdown, opening.start()) if tag == "table" else None
        if end is None:
            closing = "-->" if tag == "!" else f"</{tag}"
            found = lowered.find(closing, opening.end())
            if found < 0:
                unclosed.add(tag)
                continue
            end = found + len(closing) if tag == "!" else markdown.find(">", found) + 1 or len(markdown)
        pieces += [markdown[position : opening.start()], _rewritten(tag, markdown[opening.start() : end])]
        position = end
    return "".join([*pieces, markdown[position:]])


def _end_of_table(markdown: str, start: int) -> int | None:
    """Return where the table at `start` is closed; None if its tags are not in balance."""
    depth = 0
    for number, tag in enumerate(_TABLE_TAG.finditer(markdown, start)):
        depth += -1 if tag[1] else 1
        if depth == 0:
            return tag.end()
        if number == _MAX_TABLE_TAGS:
            break
    return None


def _rewritten(tag: str, markup: str) -> str:
    if tag == "pre":
        tree = parse(markup)
        code = "" if tree is None else "".join(tree.itertext()).strip("\n").rstrip()
        return f"{_BETWEEN_BLOCKS}{fence(code)}{_BETWEEN_BLOCKS}" if code else ""
    if tag != "table":
        return ""
    slots = Slots(markup)
    pieces = []
    position = 0
    for span in find_spans(markup):
        word = slots.add(markup[span.start : span.end], "inline" if span.kind == "code" else "math")
        pieces += [markup[position : span.start], word]
        position = span.end
    tree = parse("".join([*pieces, markup[position:]]))
    if tree is None:
        return ""
    etree.strip_elements(tree, *_NOT_TEXT, with_tail=False)
    return f"{_BETWEEN_BLOCKS}{slots.restore(to_markdown(tree, slots))}{_BETWEEN_BLOCKS}"


def _without_tags(markdown: str) -> str:
    """Remove tags. Until the end, the characters 0 and 1, which clean text lacks, part blocks and lines."""
    spans = _Spans(markdown)
    closed = set(_CLOSING_TAG.findall(markdown.lower()))

    def shown(match: re.Match[str]) -> str:
        if spans.hold(match.start()):
            return match[0]
        if match["entity"]:
            return html.unescape(match[0]).replace("\xa0", " ")
        if match["code"]:
            return f"`{html.unescape(match['code'])}`"
        if match["script"]:
            if match["index"] in _ORDINALS:
                return match["base"] + match["index"]
            index = match["index"] if len(match["index"]) == 1 else f"{{{match['index']}}}"
            return f"${match['base']}{'^' if match['script'] == 'sup' else '_'}{index}$"
        return _shown_for_tag(match, closed)

    marked = _MARKUP.sub(shown, markdown)
    if "\x00" not in marked and "\x01" not in marked:
        return marked
    return "\n\n".join(filter(None, map(_lines_joined, marked.split("\x00"))))


def _lines_joined(block: str) -> str:
    """Return a block with one line break at each mark of a line, whatever white space stood around it."""
    first, *others = block.split("\x01")
    lines = [first.rstrip(), *(line.removeprefix("\n").lstrip(" \t").rstrip() for line in others)]
    return "\n".join(line for line in lines if line not in ("", "-")).strip()


def _shown_for_tag(match: re.Match[str], closed: set[str]) -> str:
    """Return what stands for a tag: a mark, a bullet, nothing; the match itself if it is no HTML tag."""
    tag, attributes = match["tag"].lower(), match["attributes"].strip(" \t\n/")
    is_attributed = "=" in attributes or attributes in _BARE_ATTRIBUTES
    if attributes and not is_attributed:
        return match[0]  # "0 <i and j> 1"
    if tag in _PLACEHOLDERS and not (match["close"] or is_attributed or tag in closed):
        return match[0]
    if tag in _INLINE:
        return ""
    if tag in _LINES:
        line_start = match.string.rfind("\n", max(match.start() - _LINE_CHARS, 0), match.start()) + 1
        if match["close"] or match.string.startswith("|", line_start):
            return " "
        return _LINES[tag]
    if len(tag) == 2 and tag[0] == "h" and tag[1] in "123456":
        return "\x00" if match["close"] else f"\x00{'#' * int(tag[1])} "
    return "\x00" if tag in _BLOCKS else match[0]
