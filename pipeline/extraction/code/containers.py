"""Find code that stands outside `<pre>`: tables with a line per row, editors, `<div>`s named code, textareas.

Every function yields elements; `lines.code_text` reads them. A name alone is not always enough: "highlight"
may be a box of prose. Such elements count as code if their lines look like code.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice

from lxml import etree

from pipeline.extraction.code.class_roles import NUMBER_CLASSES, role_of
from pipeline.extraction.code.gutters import counts_up, is_gutter, short_text
from pipeline.extraction.tree.tree import Inventory, class_of

# Classes of code, whatever the text.
_SURE = frozenset([
    "w3-code", "dp-highlighter", "syntaxhighlighter", "CodeMirror-code", "view-lines", "ace_text-layer",
    "cm-content", "ltx_lstlisting", "bbcode_code", "bbc_code", "crayon-main", "fragment", "notion-code-block",
    "enlighter", "FileContents", "react-code-lines", "file-code", "codehilite", "highlight-source",
    "sourceCode", "phpcode",
])  # fmt: skip
# Classes of code, if the lines look like code.
_LIKELY = frozenset([
    "code", "Code", "codeblock", "code-block", "code_block", "codeBlock", "CodeBlock", "codebox", "code-box",
    "codeBox",
    "code-snippet", "codesnippet", "source-code", "sourcecode", "source", "highlight", "listing", "snippet",
    "console", "terminal", "program", "programlisting", "code-example", "codeexample", "code-container",
    "code-content",
    "codecontent", "code-text", "monospace", "mono", "screen", "prettyprint", "hljs", "example-code",
    "codeStyle",
    "wp-block-code", "syntax", "geshi", "bbcode-code", "quote-code", "code-area", "codearea", "sample-code",
])  # fmt: skip
_CONTAINER_TAGS = frozenset(
    ["div", "p", "td", "blockquote", "section", "ol", "ul", "dd", "article", "center"]
)
# What a container of code does not hold; code in `<pre>` is found as such.
holds_other = etree.XPath(
    "boolean(.//pre|.//h1|.//h2|.//h3|.//h4|.//h5|.//img|.//form|.//p[@class='slot']|.//listing|.//xmp"
    "|.//article|.//section|.//time|.//figure|.//nav|.//label)"
)
_HOLDS_SLOT = etree.XPath("boolean(.//p[@class='slot'])")
_EDITORS = frozenset(("CodeMirror-code", "syntaxhighlighter", "dp-highlighter", "crayon-main"))
_BY_CLASS = etree.XPath("//*[@class]")
_CODE_TABLES = etree.XPath(
    "//td[contains(@class,'code') or contains(@class,'lntd')]/ancestor::table[1]"
    "[contains(@class,'highlight') or contains(@class,'rouge') or contains(@class,'lntable') or "
    "contains(@class,'js-file-line')"
    " or contains(@class,'hljs-ln') or contains(@class,'crayon') or contains(@class,'blob') or "
    "contains(@class,'code')"
    " or ancestor::*[contains(@class,'syntaxhighlighter') or contains(@class,'highlight') or "
    "contains(@class,'CodeRay')]]"
)
_CODE_WORDS = ("code", "highlight", "blob", "line", "source", "src", "diff", "syntax", "lnt", "listing")
# Parts of the classes of line numbers in cells.
_NUMBER_PARTS = (
    "ineno", "ineNum", "inenum", "ine-n", "ine_n", "source", "blob", "gutter", "diff", "lines-", "src",
)  # fmt: skip
_IN_PRE = etree.XPath("boolean(ancestor::pre)")
_COPY = re.compile(
    r"embed|iframe|permalink|(?:^|[-_\s])(?:share|comment|message|reply|url|link|bbcode|search|feedback)",
    re.I,
)
# Beginnings of code that other sites are to embed.
_EMBEDDED = ("<iframe", "<a ", "<script src", "<script type", "<object", "<embed", "http:", "https:", "//www")
_CODE_AREA = re.compile(
    r"code|source|snippet|brush|prettyprint|listing|highlight|console|editor|syntax", re.I
)
_LISTING_SOURCE = re.compile(r"data:text/plain[^,]{0,60};base64,")
_SIGN = re.compile(
    r"[;{}]\s*$|[=<>!+*-]=|[\w)\]]\s?=\s?[\w\"'(\[{$-]|\w\(|\(\)|::|->|=>|//|/\*|</?\w|\$\w|\w\[|^\s*[#$>%@]\s?\w"
    r"|^\s*(?:def|class|import|from|for|if|elif|else|while|return|public|private|static|int|var|let|const"
    r"|function|SELECT|INSERT|UPDATE|echo|print|begin|end|sudo|npm|pip|git|apt-get|cd)\b[^.!?]*$"
)
# Our choice: more textareas on a page are an editor's.
MAX_TEXT_AREAS = 50
# Our choice: so many rows of a table show whether it holds code.
MAX_ROWS = 40
# Our choice: a line of prose is longer than most lines of code, or is a sentence of so many words.
MAX_LINE_CHARS, MIN_SENTENCE_WORDS = 160, 8


def code_tables(tree: etree._Element, inventory: Inventory) -> Iterator[etree._Element]:
    """Yield the tables whose cells hold line numbers and code, outside `<pre>`."""
    if "table" not in inventory.tags:
        return
    named = set(_CODE_TABLES(tree)) if "code" in inventory.classes or "lntd" in inventory.classes else set()
    has_numbers = (
        "pre" in inventory.tags
        or "code" in inventory.class_names
        or any(part in inventory.classes for part in _NUMBER_PARTS)
    )
    for table in tree.iter("table") if has_numbers else named:
        if (table in named or (has_numbers and _has_number_cells(table))) and not _IN_PRE(table):
            yield table


def _has_number_cells(table: etree._Element) -> bool:
    """Whether rows begin with line numbers, and the names in the table are those of code."""
    numbers: list[str] = []
    num_gutters = 0
    code = None
    for place, row in enumerate(islice(table.iter("tr"), MAX_ROWS)):
        cells = [cell for cell in row if cell.tag in ("td", "th")]
        if len(cells) < 2:
            continue
        text = short_text(cells[0])
        if is_gutter(cells[0]):
            num_gutters += 1
        elif text is not None and text.isdigit():
            numbers.append(text)
        elif place:
            # Only the first row may hold something else, as headings.
            return False
        code = cells[-1]
    if code is None or not (num_gutters or counts_up(numbers)):
        return False
    if code.find(".//pre") is not None:
        return True
    around = () if numbers else (*islice(code.iter(etree.Element), 5), *islice(table.iterancestors("div"), 3))
    names = " ".join(map(class_of, (table, code, *around))).lower()
    return any(word in names for word in _CODE_WORDS)


def sure_containers(tree: etree._Element, inventory: Inventory) -> Iterator[etree._Element]:
    """Yield the elements whose class is that of code whatever their text, from the outside in."""
    for element in _with_class(tree, _SURE & inventory.class_names):
        names = class_of(element).split()
        holds = holds_other if _EDITORS.isdisjoint(names) else _HOLDS_SLOT
        if not holds(element) and ("fragment" not in names or element.find("div[@class='line']") is not None):
            yield element


def likely_containers(tree: etree._Element, inventory: Inventory) -> Iterator[etree._Element]:
    """Yield the elements that hold no `<pre>` and whose class is one of code, from the inside out."""
    for element in reversed(_with_class(tree, _LIKELY & inventory.class_names)):
        if not holds_other(element):
            yield element


def _with_class(tree: etree._Element, names: frozenset[str]) -> list[etree._Element]:
    """Return the elements outside `<pre>` that may hold code and have one of the class names."""
    if not names:
        return []
    return [element for element in _with_class_of(names)(tree) if element.tag in _CONTAINER_TAGS]


@lru_cache(maxsize=1024)
def _with_class_of(names: frozenset[str]) -> etree.XPath:
    tests = " or ".join(
        f"contains(concat(' ',normalize-space(@class),' '),' {name} ')" for name in sorted(names)
    )
    return etree.XPath(f"//*[@class][{tests}][not(ancestor::pre)]")


def numbered_lines(tree: etree._Element, inventory: Inventory) -> Iterator[etree._Element]:
    """Yield the elements outside `<pre>` and tables whose children each begin with a line number."""
    if NUMBER_CLASSES.isdisjoint(inventory.class_names):
        return
    seen: set[etree._Element] = set()
    for element in _BY_CLASS(tree):
        if element.tag not in ("a", "span", "div", "td") or not role_of(class_of(element)).is_number:
            continue
        line = element.getparent()
        block = line.getparent() if line is not None else None
        if (
            block is None
            or block in seen
            or line.tag not in ("div", "li", "p")
            or block.tag not in ("div", "ol", "ul")
        ):
            continue
        seen.add(block)
        lines = [child for child in block if isinstance(child.tag, str)]
        is_numbered = len(lines) > 1 and all(len(child) and is_gutter(child[0]) for child in lines)
        if is_numbered and not _IN_PRE(block):
            yield block


def text_areas(tree: etree._Element) -> Iterator[etree._Element]:
    """Yield the textareas that show code, and not a copy of it, code to embed a page, or a reader's text."""
    for area in islice(tree.iter("textarea"), MAX_TEXT_AREAS):
        text = (area.text or "").strip()
        names = f"{class_of(area)} {area.get('id', '')} {area.get('name', '')}"
        is_named = _CODE_AREA.search(names) is not None
        is_shown = area.get("readonly") is not None and "\n" in text
        if not text or not (is_named or is_shown) or _COPY.search(names) or text.startswith(_EMBEDDED):
            continue
        first = "".join(text.partition("\n")[0].split())
        around = next(islice(area.iterancestors(), 1, 2), None)
        texts = "" if around is None else "".join("".join(around.itertext()).split())
        # The text of the area itself is one of them.
        if texts.count(first) < 2:
            yield area


def listing_source(listing: etree._Element) -> str:
    """Return the source that LaTeXML puts beside a listing as a link to download it; "" if there is none."""
    for link in listing.iter("a"):
        data = link.get("href", "")
        match = _LISTING_SOURCE.match(data)
        if match:
            try:
                return base64.b64decode(data[match.end() :]).decode("utf-8", "replace").strip("\n")
            except (binascii.Error, ValueError):
                return ""
    return ""


def looks_like_code(element: etree._Element, code: str) -> bool:
    """Whether most lines of `code`, the text of `element`, have the signs of a programming language.

    An indented line counts where the page shows the indent: white space of the source does not.
    """
    shows_indents = any("\u00a0" in text for text in element.itertext()) or "pre" in element.get("style", "")
    lines = [line for line in code.split("\n") if line.strip()]
    signs = sum(
        (shows_indents and line.startswith(("  ", "\t"))) or _SIGN.search(line[:MAX_LINE_CHARS]) is not None
        for line in lines
    )
    prose = sum(len(line) for line in lines if _is_prose(line))
    links = sum(
        len("".join(link.itertext())) for link in element.iter("a") if link.get("href", "#")[:1] != "#"
    )
    return bool(lines) and 2 * signs >= len(lines) and 4 * prose <= len(code) and 4 * links <= len(code)


def _is_prose(line: str) -> bool:
    ends = line.rstrip().endswith((".", "?", "!", "。", "：", ","))
    return len(line) > MAX_LINE_CHARS or (
        ends and len(line.split()) >= MIN_SENTENCE_WORDS and "(" not in line
    )
