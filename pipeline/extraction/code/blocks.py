"""Take the code blocks and inline code out of a page: exact lines, and the language where the page states it.

`take_out_code` replaces every block by its placeholder. Line-number gutters, copy buttons and the plain-text
copies that highlighters leave behind are dropped. Prompts (`>>>` and `$`) are part of the code and stay.
"""

import re

from lxml import etree

from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove, replace_by_text

_CODE_TABLES = etree.XPath(
    "//table[.//td[contains(@class,'code') or contains(@class,'hljs-ln-code') or contains(@class,'lntd')]]"
    "[contains(@class,'highlight') or contains(@class,'rouge') or contains(@class,'lntable') or "
    "contains(@class,'js-file-line')"
    " or contains(@class,'hljs-ln') or contains(@class,'crayon') or contains(@class,'blob') or "
    "contains(@class,'code')"
    " or ancestor::*[contains(@class,'syntaxhighlighter') or contains(@class,'highlight') or "
    "contains(@class,'CodeRay')]]"
)
_CODE_CELLS = etree.XPath(
    ".//td[contains(@class,'code') or contains(@class,'hljs-ln-code')]"
    "|.//td[contains(@class,'lntd')][last()]"
)  # fmt: skip
_FRAGMENTS = etree.XPath("//div[@class='fragment'][div[contains(@class,'line')]]")
_PLAIN_COPIES = etree.XPath(
    "//textarea[ancestor::*[contains(@class,'crayon') or contains(@class,'highlight') or "
    "contains(@class,'code')]]"
    "|//*[contains(@class,'crayon-plain-wrap') or contains(@class,'copy-code') or "
    "contains(@class,'zeroclipboard')]"
)
_GUTTER = re.compile(
    r"(?:^|\s)(?:linenos?|lineno|linenodiv|line-?numbers?(?:-rows)?|lnt|ln|gutter|rouge-gutter"
    r"|hljs-ln-numbers|hljs-ln-n|blob-num|crayon-nums?"
    r"|gl|copy\S*|copybtn\S*|btn\S*|clipboard\S*|headerlink|code-toolbar|toolbar(?:-item)?"
    r"|react-code-\S*number|CodeMirror-(?:gutter|linenumber)\S*)(?=\s|$)"
)
_LINE = re.compile(
    r"(?:^|\s)(?:line|code-line|token-line|CodeMirror-line|view-line|cl|crayon-line|blob-code-inner"
    r"|hljs-ln-line)(?=\s|$)"
)
_BLOCK_LINES = frozenset(["div", "li", "tr", "p"])
_STATED = re.compile(
    r"(?:^|[\s:;])(?:language-|lang-|lang:|highlight-source-|highlight-text-|highlight-|brush:\s{0,3}|src-"
    r"|sourceCode\s|hljs\s|syntaxhighlighter\s|code-block-)"
    r"([A-Za-z][\w+#.-]{0,24})"
)
_UNSTATED = frozenset([
    "default", "none", "text", "plain", "plaintext", "nohighlight", "txt", "notranslate", "highlight", "hljs",
    "lang", "language", "code", "raw", "literal", "output", "nohighlighting", "auto", "source", "wrapper",
    "line", "numbers", "sourcecode",
])  # fmt: skip
_ALIASES = {
    "python3": "python", "py": "python", "python2": "python", "py3": "python", "ipython": "python",
    "ipython3": "python", "ipython2": "python",
    "js": "javascript", "ts": "typescript", "sh": "bash", "zsh": "bash", "rb": "ruby", "rs": "rust",
    "golang": "go", "c++": "cpp", "cs": "csharp",
    "c#": "csharp", "yml": "yaml", "md": "markdown", "tex": "latex", "hs": "haskell", "kt": "kotlin",
    "pl": "perl", "objectivec": "objective-c",
    "ps1": "powershell", "docker": "dockerfile", "make": "makefile", "rest": "rst",
    "restructuredtext": "rst", "vb.net": "vbnet",
}  # fmt: skip
_BARE_NAMES = frozenset([
    "bash", "shell", "console", "python", "pycon", "javascript", "typescript", "java", "c", "cpp", "csharp",
    "go", "rust", "ruby", "php", "perl", "r", "julia", "haskell", "scala", "kotlin", "swift", "sql", "html",
    "css", "xml", "json", "yaml", "toml", "ini", "diff", "latex", "matlab", "octave", "lua", "fortran",
    "lisp", "scheme", "clojure", "erlang", "elixir", "ocaml", "fsharp", "dart", "groovy", "powershell",
    "dockerfile", "makefile", "cmake", "rst", "markdown", "cython", "prolog", "asm", "nasm", "vhdl",
    "verilog", "vim", "awk", "sed", "objective-c", "pascal", "delphi", "vbnet", "nix", "zig", "solidity",
    "graphql", "protobuf", "http", "nginx", "coffeescript", "less", "scss", "sass", "doctest", "pytb", "coq",
    "lean", "isabelle", "agda", "idris", "sage", "maple", "mathematica", "stata", "sas",
])  # fmt: skip
_BLOCK_TAGS = ("pre", "listing", "xmp")
_INLINE_TAGS = ("code", "tt", "kbd", "samp")
# Classes of highlighters that use a table without `<pre>`, with one line per row.
_LINE_TABLES = ("blob-code", "hljs-ln", "syntaxhighlighter", "js-file-line")
_NO_CODE = frozenset(("button", "svg", "script", "style", "textarea", "template"))
# Our choice: highlighters nest tokens only a few levels deep.
MAX_DEPTH = 200
# Our choice: a one-line `<code>` outside `<pre>` is inline code up to this length; a longer one stays text.
MAX_INLINE_CHARS = 300


def take_out_code(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace code tables, `<pre>` blocks and `<code>` of `tree` by their placeholders in `slots`."""
    tags, classes = inventory.tags, inventory.classes
    if not tags.isdisjoint(_BLOCK_TAGS) or any(name in classes for name in _LINE_TABLES):
        for copy in _PLAIN_COPIES(tree):
            remove(copy)
        for table in _CODE_TABLES(tree) if "table" in tags else ():
            if table.getparent() is not None:
                _take_table(table, slots)
        for block in list(tree.iter(*_BLOCK_TAGS)):
            if block.getparent() is not None:
                _take_pre(block, slots)
    if "fragment" in classes:
        for fragment in _FRAGMENTS(tree):
            _take_block(fragment, code_text(fragment, slots), stated_language(fragment) or "cpp", slots)
    if not tags.isdisjoint(_INLINE_TAGS):
        for element in list(tree.iter(*_INLINE_TAGS)):
            if element.getparent() is not None:
                _take_inline(element, slots)


def fence(code: str, language: str = "") -> str:
    """Return a fenced block; the fence is longer than any run of backticks in the code."""
    longest = max((len(run) for run in re.findall(r"`{3,}", code)), default=2)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{code}\n{ticks}"


def inline_code(code: str) -> str:
    """Return inline code; backticks in the code are kept by a longer delimiter."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    ticks = "`" * (longest + 1) if longest else "`"
    pad = " " if longest and (code[0] == "`" or code[-1] == "`") else ""
    return f"{ticks}{pad}{code}{pad}{ticks}"


def canonical_language(name: str) -> str:
    """Return the usual lower-case name of a language, "" for names that say nothing."""
    name = name.strip().lower().rstrip(";")
    return "" if name in _UNSTATED else _ALIASES.get(name, name)


def stated_language(element: etree._Element) -> str:
    """Return the language that the element, its child `<code>`, or one of four wrappers around it states."""
    candidates = [element, *element.iterchildren("code")]
    ancestor = element.getparent()
    for _ in range(4):
        if ancestor is None or ancestor.tag in ("body", "article", "main", "section", "li"):
            break
        candidates.append(ancestor)
        ancestor = ancestor.getparent()
    for place, candidate in enumerate(candidates):
        language = _language_of(candidate, bare=place < 2 or len(candidates[-1]) == 1)
        if language:
            return language
    return ""


def _language_of(element: etree._Element, bare: bool) -> str:
    for attribute in (
        "data-lang",
        "data-language",
        "data-enlighter-language",
        "data-syntax",
        "data-code-language",
    ):
        if element.get(attribute):
            language = canonical_language(element.get(attribute, ""))
            if language:
                return language
    classes = class_of(element)
    for match in _STATED.finditer(classes):
        language = canonical_language(match[1])
        if language and language not in ("sourcecode", "numberlines"):
            return language
    if bare:
        for name in classes.split():
            language = canonical_language(name)
            if language in _BARE_NAMES:
                return language
        language = canonical_language(element.get("lang", ""))
        return language if language in _BARE_NAMES and len(language) > 2 else ""
    return ""


def code_text(element: etree._Element, slots: Slots) -> str:
    """Return the text of a code element with its lines as shown, without gutters and buttons."""
    parts: list[str] = []
    line_spans = sum(1 for span in element.iter("span", "code") if _LINE.search(class_of(span)))
    has_newlines = "\n" in "".join(element.itertext()).strip()
    _collect(element, parts, span_lines=line_spans > 1 and not has_newlines, depth=0)
    text = "".join(parts).replace("\u00a0", " ").replace("\u200b", "")
    if slots.mark in text:
        pieces = slots.split(text)
        pieces[1::2] = [slots.pieces[int(number)].strip("$`\n") for number in pieces[1::2]]
        text = "".join(pieces)
    lines = text.split("\n")
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    return "\n".join(lines)


def _collect(element: etree._Element, parts: list[str], span_lines: bool, depth: int) -> None:
    if element.text:
        parts.append(element.text)
    for child in element:
        tag = child.tag
        if tag == "br":
            parts.append("\n")
        elif isinstance(tag, str) and tag not in _NO_CODE and not _is_gutter(child):
            is_line = tag in _BLOCK_LINES or (span_lines and bool(_LINE.search(class_of(child))))
            if is_line and parts and not parts[-1].endswith("\n"):
                parts.append("\n")
            before = len(parts)
            if depth < MAX_DEPTH:
                _collect(child, parts, span_lines, depth + 1)
            else:
                parts.append("".join(child.itertext()))
            if is_line and (len(parts) == before or not parts[-1].endswith("\n")):
                parts.append("\n")
        if child.tail:
            parts.append(child.tail)


def _is_gutter(element: etree._Element) -> bool:
    if element.get("data-line-number") and not (element.text or "").strip() and not len(element):
        return True
    classes = class_of(element)
    if not classes or not _GUTTER.search(classes):
        return False
    text = "".join(element.itertext()).strip()
    return (
        element.tag in ("button", "a", "td", "th")
        or bool(re.fullmatch(r"[\d\s|:.¶#]*|copy(?: code)?|copied!?", text[:2000], re.I))
        or "gutter" in classes
    )


def _take_block(element: etree._Element, code: str, language: str, slots: Slots) -> None:
    if not code.strip():
        remove(element)
        return
    if language == "math":
        replace_by_text(element, slots.add(f"$$\n{code}\n$$", "display"), block=True)
        return
    replace_by_text(element, slots.add(fence(code, language), "code"), block=True)


def _take_table(table: etree._Element, slots: Slots) -> None:
    """Take a table of gutter and code out: one cell with all lines, or one row per line."""
    cells = [cell for cell in _CODE_CELLS(table) if not _is_gutter(cell)]
    if not cells:
        return
    language = (
        stated_language(cells[0])
        or next((stated_language(pre) for pre in cells[0].iter("pre", "code")), "")
        or stated_language(table)
    )
    code = "\n".join(code_text(cell, slots) for cell in cells)
    _take_block(table, code, language, slots)


def _take_pre(block: etree._Element, slots: Slots) -> None:
    words = slots.numbers("".join(block.itertext()))
    code = code_text(block, slots)
    if (
        len(words) == 1
        and slots.kinds[words[0]] == "display"
        and code.strip("$\n ") == slots.pieces[words[0]].strip("$\n ")
    ):
        replace_by_text(block, f"{slots.mark}{words[0]}e", block=True)
        return
    _take_block(block, code, stated_language(block), slots)


def _take_inline(element: etree._Element, slots: Slots) -> None:
    text = "".join(element.itertext())
    if slots.mark in text:
        return
    if (
        text.count("\n") and (element.find(".//br") is not None or text.strip().count("\n") > 1)
    ) or element.find(".//br") is not None:
        code = code_text(element, slots)
        if "\n" in code and len(code) > 40:
            _take_block(element, code, stated_language(element), slots)
            return
    text = " ".join(text.replace("\u00a0", " ").split())
    if not text:
        return
    if "math" in class_of(element).split():
        replace_by_text(element, slots.add(f"${text.strip('$')}$", "math"), block=False)
    elif len(text) <= MAX_INLINE_CHARS:
        replace_by_text(element, slots.add(inline_code(text), "inline"), block=False)
