"""Remove what highlighters and notebooks put around a code block: headers, buttons, prompts.

A header that only names a language ("Python  Copy code") states the language of its block.
"""

from lxml import etree

from pipeline.extraction.code.gutters import counts_lines, is_label, is_prompt, is_tool, says_tool, short_text
from pipeline.extraction.code.stated import known_language
from pipeline.extraction.tree.tree import Inventory, class_of, remove

# A header stands in these, or is one of these in a wrapper whose class speaks of code.
_HEADER_TAGS = frozenset(
    ["div", "header", "p", "dt", "span", "figcaption", "ul", "summary", "a", "caption", "section"]
)
_BLOCK_HEADERS = frozenset(["div", "header", "figcaption", "ul", "section", "p"])
_WRAPPERS = frozenset(["div", "figure", "dl", "dd", "section", "td", "details", "span", "tr", "tbody"])
_CODE_WORDS = ("code", "Code", "ighlight", "snippet", "prism", "hljs", "shiki", "listing", "syntax", "editor")
_HEADER_WORDS = ("header", "title", "lang", "label", "bar", "tool", "caption", "name", "meta", "head", "info")
_NAMED_PROMPTS = etree.XPath("//div[contains(@class,'prompt') or contains(@class,'Prompt')]")
_PLAIN_PROMPTS = etree.XPath("//pre[contains(.,']:') and string-length(.) < 24]")
# Our choice: wrappers nest at most so deep around a block.
MAX_WRAPPERS = 4


def remove_prompts(tree: etree._Element, inventory: Inventory) -> None:
    """Remove the prompts of notebooks, which stand before cells (`In [3]:`, `[4]:`)."""
    named = _NAMED_PROMPTS(tree) if "rompt" in inventory.classes else []
    for element in [*named, *(_PLAIN_PROMPTS(tree) if "pre" in inventory.tags else ())]:
        if is_prompt(element, "".join(element.itertext())):
            remove(element)


def remove_inner_headers(block: etree._Element) -> str:
    """Remove headers in `<pre>` that stand beside its `<code>`; return the language that they name, or ""."""
    code = block.find(".//code")
    if code is None:
        return ""
    language = ""
    inner = code
    while inner is not block:
        outer = inner.getparent()
        for child in list(outer):
            is_header = child.tag in _BLOCK_HEADERS or is_tool(child) or _speaks_of(child, _HEADER_WORDS)
            if child is not inner and is_header and child.find(".//code") is None:
                language = _remove_header(child, names_only=False) or language
        inner = outer
    return language


def remove_headers(block: etree._Element) -> str:
    """Remove buttons and headers around a code block; return the language that they name, or ""."""
    language = ""
    inner = block
    for _ in range(MAX_WRAPPERS):
        for is_before in (True, False):
            while (named := _remove_neighbour(inner, is_before)) is not None:
                language = language or named
        outer = inner.getparent()
        if outer is None or outer.tag not in _WRAPPERS or not _is_alone(inner, outer):
            break
        inner = outer
    return language


def _remove_neighbour(inner: etree._Element, is_before: bool) -> str | None:
    """Remove the element before or after `inner` if it is a header or holds line numbers."""
    sibling = inner.getprevious() if is_before else inner.getnext()
    if sibling is None or sibling.tag not in _HEADER_TAGS:
        return None
    between = sibling.tail if is_before else inner.tail
    if between and between.strip():
        return None
    if sibling.tag in ("div", "ul", "span") and counts_lines(sibling):
        remove(sibling)
        return ""
    in_code = _speaks_of(sibling, _CODE_WORDS) or _speaks_of(inner.getparent(), _CODE_WORDS)
    return _remove_header(sibling, names_only=not in_code)


def _remove_header(element: etree._Element, names_only: bool) -> str | None:
    """Remove a header and return the language that it names, or ""; None if it is none.

    With `names_only`, only buttons are removed: a language's name may be a heading of the text.
    """
    if element.find(".//p[@class='slot']") is not None or element.get("class") == "slot":
        return None
    text = short_text(element)
    if text is None:
        return None
    if not text and element.tag in ("div", "span", "a"):
        remove(element)
        return ""
    if says_tool(text) and (not names_only or text.lower() not in ("code", "code:")):
        remove(element)
        return ""
    if names_only and not _speaks_of(element, _HEADER_WORDS):
        return None
    if not is_label(text):
        return None
    remove(element)
    return next(filter(None, (known_language(word.strip("[]:()")) for word in text.split())), "")


def _is_alone(inner: etree._Element, outer: etree._Element) -> bool:
    """Whether nothing but `inner` has text in `outer`."""
    if (outer.text or "").strip() or (inner.tail or "").strip():
        return False
    return all(
        child is inner
        or (not (child.tail and child.tail.strip()) and not any(text.strip() for text in child.itertext()))
        for child in outer
    )


def _speaks_of(element: etree._Element | None, words: tuple[str, ...]) -> bool:
    if element is None:
        return False
    classes = class_of(element)
    return bool(classes) and any(word in classes for word in words)
