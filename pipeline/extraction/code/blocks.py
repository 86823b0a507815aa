"""Take the code blocks and inline code out of a page: exact lines, and the language where the page states it.

`take_out_code` replaces every block by its placeholder. Line-number gutters, copy buttons and the plain-text
copies that highlighters leave behind are dropped. Prompts (`>>>` and `$`) are part of the code and stay;
those of notebooks (`In [3]:`) count cells and go.
"""

import copy
import re

from lxml import etree

from pipeline.extraction.code.containers import (
    code_tables,
    holds_other,
    likely_containers,
    listing_source,
    looks_like_code,
    numbered_lines,
    sure_containers,
    text_areas,
)
from pipeline.extraction.code.gutters import is_gutter
from pipeline.extraction.code.lines import code_text
from pipeline.extraction.code.monospace import has_monospaced, monospaced_runs
from pipeline.extraction.code.stated import language_in_classes, stated_language
from pipeline.extraction.code.surroundings import remove_headers, remove_inner_headers, remove_prompts
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import Inventory, class_of, remove, replace_by_text

_PLAIN_COPIES = etree.XPath(
    "//*[contains(@class,'crayon-plain-wrap') or contains(@class,'copy-code') or "
    "contains(@class,'zeroclipboard')]"
)
# An unclosed `<code>` holds the rest of the page.
_HOLDS_TEXT = etree.XPath("boolean(.//ul|.//h2|.//h3|.//form|.//img|.//table)")
_COPY_CLASSES = ("crayon-plain", "copy-code", "zeroclipboard")
_BLOCK_TAGS = ("pre", "listing", "xmp")
_CELLS = ("td", "th", "dt")
# What these hold is one line of Markdown.
_ONE_LINE = ("h1", "h2", "h3", "h4", "h5", "h6", *_CELLS)
_INLINE_TAGS = ("code", "tt", "kbd", "samp")
# Our choice: a one-line `<code>` outside `<pre>` is inline code up to this length; a longer one stays text.
MAX_INLINE_CHARS = 300
# Our choice: `<code>` without `<br>` is a block if it has at least two line ends and this many characters;
# else its source was wrapped by an editor.
MIN_BLOCK_CHARS = 40


def take_out_code(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Replace the code of `tree` by its placeholders in `slots`."""
    tags = inventory.tags
    has_blocks = not tags.isdisjoint(_BLOCK_TAGS)
    _take_named(tree, inventory, slots)
    if has_blocks:
        for block in list(tree.iter(*_BLOCK_TAGS)):
            if is_gutter(block):
                remove(block)
            elif block.getparent() is not None:
                _take_pre(block, slots)
    for element in list(likely_containers(tree, inventory)):
        code = code_text(element, slots) if _is_attached(element, tree) and not holds_other(element) else ""
        if ("\n" in code or "code" in class_of(element).lower()) and looks_like_code(element, code):
            _take_block(element, code, stated_language(element), slots)
    if "textarea" in tags:
        for area in list(text_areas(tree)):
            _take_block(area, code_text(area, slots), stated_language(area), slots)
    if has_monospaced(tree, inventory):
        for run in list(monospaced_runs(tree)):
            _take_run(run, slots)
    if not tags.isdisjoint(_INLINE_TAGS):
        if "br" in tags:
            for run in [run for element in tree.iter(*_INLINE_TAGS) if (run := _lines_of_code(element))]:
                _take_run(run, slots)
        for element in list(tree.iter(*_INLINE_TAGS)):
            if element.getparent() is not None:
                _take_inline(element, slots)


def _take_named(tree: etree._Element, inventory: Inventory, slots: Slots) -> None:
    """Take the code whose class or structure marks it, and remove prompts and copies."""
    if any(part in inventory.classes for part in _COPY_CLASSES):
        for element in _PLAIN_COPIES(tree):
            remove(element)
    remove_prompts(tree, inventory)
    for element in list(sure_containers(tree, inventory)):
        if _is_attached(element, tree):
            code = _with_source(code_text(element, slots), listing_source(element))
            _take_block(element, code, stated_language(element), slots)
    for table in list(code_tables(tree, inventory)):
        if _is_attached(table, tree):
            _take_block(table, code_text(table, slots), _language_of_table(table), slots)
    for block in list(numbered_lines(tree, inventory)):
        # Numbered lines with formulas are an algorithm in prose.
        if _is_attached(block, tree) and slots.mark not in "".join(block.itertext()):
            _take_block(block, code_text(block, slots), stated_language(block), slots)


def _is_attached(element: etree._Element, tree: etree._Element) -> bool:
    """Whether the element is still in the tree: an earlier block may have held it."""
    *_, root = element, *element.iterancestors()
    return root is tree


def _with_source(code: str, source: str) -> str:
    """Return `source`, which has the exact white space, if it is the code that is shown."""
    return source if "".join(source.split()) == "".join(code.split()) else code


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


def _take_block(element: etree._Element, code: str, language: str, slots: Slots) -> None:
    if not code.strip():
        remove(element)
        return
    label = remove_headers(element)
    language = language or label
    if language == "math":
        replace_by_text(element, slots.add(f"$$\n{code}\n$$", "display"), block=True)
        return
    replace_by_text(element, slots.add(fence(code, language), "code"), block=True)


def _language_of_table(table: etree._Element) -> str:
    """Return the language that a cell of code states, or the table, or what is around it."""
    for element in table.iter("td", "pre", "code"):
        if not is_gutter(element) and (language := language_in_classes(class_of(element), True)):
            return language
    return stated_language(table)


def _take_pre(block: etree._Element, slots: Slots) -> None:
    words = slots.numbers("".join(block.itertext()))
    label = remove_inner_headers(block)
    code = code_text(block, slots)
    if (
        len(words) == 1
        and slots.kinds[words[0]] == "display"
        and code.strip("$\n ") == slots.pieces[words[0]].strip("$\n ")
    ):
        replace_by_text(block, f"{slots.mark}{words[0]}e", block=True)
        return
    _take_block(block, code, stated_language(block) or label, slots)


def _lines_of_code(element: etree._Element) -> list[etree._Element]:
    """Return the lines of nothing but `<code>` that begin with `element`, with the `<br>` between them."""
    following = element.getnext()
    if following is None or following.tag != "br":
        return []
    previous, parent = element.getprevious(), element.getparent()
    if previous is None:
        is_begin = not (parent.text or "").strip()
    else:
        earlier = previous.getprevious()
        follows_code = (
            earlier is not None and earlier.tag in _INLINE_TAGS and not (earlier.tail or "").strip()
        )
        is_begin = previous.tag == "br" and not (previous.tail or "").strip() and not follows_code
    if not is_begin:
        return []
    run = [element]
    while run[-1].tag in ("br", *_INLINE_TAGS) and not (run[-1].tail or "").strip():
        following = run[-1].getnext()
        if following is None or (following.tag != "br" and run[-1].tag != "br"):
            break
        run.append(following)
    while run and (run[-1].tag not in _INLINE_TAGS or (run[-1].tail or "").strip()):
        run.pop()
    return run if len(run) > 1 else []


def _take_run(run: list[etree._Element], slots: Slots) -> bool:
    """Take a run of elements as one block if it looks like code, and say so."""
    if not run or any(holds_other(member) for member in run):
        return False
    joined = etree.Element("div")
    joined.extend(copy.deepcopy(member) for member in run)
    code = code_text(joined, slots)
    if "\n" not in code or not looks_like_code(joined, code):
        return False
    for member in run[1:]:
        remove(member)
    _take_block(run[0], code, stated_language(run[0]), slots)
    return True


def _take_inline(element: etree._Element, slots: Slots) -> None:
    text = "".join(element.itertext())
    if slots.mark in text or (len(element) and _HOLDS_TEXT(element)):
        return
    has_breaks = len(element) > 0 and element.find(".//br") is not None
    if has_breaks or (text.strip().count("\n") > 1 and len(text.strip()) > MIN_BLOCK_CHARS):
        code = code_text(element, slots)
        holder = next(element.iterancestors(*_ONE_LINE), None)
        if "\n" in code and (holder is None or (holder.tag in _CELLS and len(code) > MIN_BLOCK_CHARS)):
            _take_block(element, code, stated_language(element), slots)
            return
        text = code
    # Lines in a heading or a cell become pieces of inline code beside each other.
    lines = [" ".join(line.split()) for line in (text.split("\n") if has_breaks else [text])]
    lines = [line for line in lines if line]
    if not lines or sum(map(len, lines)) > MAX_INLINE_CHARS:
        return
    if "math" in class_of(element).split():
        replace_by_text(element, slots.add(f"${' '.join(lines).strip('$')}$", "math"), block=False)
    else:
        words = [slots.add(inline_code(line), "inline") for line in lines]
        replace_by_text(element, " ".join(words), block=False)
