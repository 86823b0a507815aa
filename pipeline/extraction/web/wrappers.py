"""Change the elements that pages put around text and that extractors take for something else.

Extractors drop forms, asides and what a page hides. Some of these hold text: a thread in a `<form>`, a note in
an `<aside>`, the second tab, the solution of an exercise. `unwrap_text` makes plain `<div>`s of them. Sections
whose id is made from their heading lose the id: it does not say what they are on the page.
"""

import re

from lxml import etree

from pipeline.extraction.tree.tree import Inventory, class_of
from pipeline.extraction.web.names import is_annotation, is_boilerplate

_TEXT_FIELDS = etree.XPath(
    "count(.//textarea|.//select|.//input[not(@type) or @type='text' or @type='email' or @type='password'"
    " or @type='search' or @type='tel' or @type='url' or @type='number'])"
)
_TEXTS = etree.XPath(".//p|.//pre|.//li|.//blockquote|.//h1|.//h2|.//h3|.//h4")
# Our choice: a form is there to be filled in if it has less text per field that takes text.
MIN_CHARS_PER_FIELD = 400
# Our choice: a form with less text is a button with a label.
MIN_FORM_CHARS = 40
_NOTES = frozenset([
    "note", "notes", "tip", "tips", "hint", "hints", "warning", "caution", "important", "danger", "attention", "info",
    "admonition", "callout", "key-point", "keypoint", "special", "success", "example", "exercise", "sidenote",
    "solution", "proof", "theorem", "objective", "topic", "marginnote", "definition", "remark", "error", "question",
])  # fmt: skip
_HIDDEN = etree.XPath("//*[@hidden]|//*[@style][contains(@style,'none')]")
# Names of what a reader opens: solutions, tabs, folded parts.
_OPENED = re.compile(
    r"spoiler|solution|answer|hint|explanation|explain|reveal|tab-?_?(?:pane|panel|content|item|body|block)|tabbed"
    r"|(?:^|\s)tabs?(?:\s|$)|tabpanel|collaps|accordion|toggle|expand|fold|details|proof|show|more|panel|editorial"
    r"|loesung|lösung|reponse|réponse|soluc|respuesta|risposta|ответ|решение|答案|解答|解析"
)
_BEGINS_ANSWER = re.compile(
    r"\s*(?:solution|answer|hint|explanation|proof|spoiler|editorial|lösung|antwort|hinweis|réponse|solution"
    r"|corrigé|solución|respuesta|risposta|soluzione|resposta|решение|ответ|подсказка|答案|解答|解析|提示|解説|정답|풀이)\b",
    re.I,
)
_CODE = etree.XPath("boolean(.//pre|self::pre)")
_SECTION_NAMES = re.compile(
    r"(?:section|sect\d?|level\d|chapter|docutils|unnumbered|outline-\d|ltx_\w+|\w+-level-extent|subsection|tex2jax\w*)"
)
_HEADING_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def unwrap_text(tree: etree._Element, page: str, inventory: Inventory) -> None:
    """Make plain elements of the forms, asides and hidden parts of `tree` (of the source `page`) that hold text."""
    if "form" in inventory.tags:
        for form in list(tree.iter("form")):
            if _holds_text(form):
                form.tag = "div"
    if "aside" in inventory.tags:
        for aside in list(tree.iter("aside")):
            if _is_note(aside):
                aside.tag = "div"
                aside.set("class", "admonition")
    if "none" in page or "hidden" in page:
        for element in _HIDDEN(tree):
            if _is_opened(element):
                element.attrib.pop("hidden", None)
                element.attrib.pop("style", None)
    for section in tree.iter("section", "div"):
        if section.get("id") and len(section) and _is_generated(section):
            del section.attrib["id"]


def _holds_text(form: etree._Element) -> bool:
    """Whether the form is a wrapper around text, and not one to fill in."""
    chars = sum(len(" ".join("".join(text.itertext()).split())) for text in _TEXTS(form))
    return chars >= max(MIN_FORM_CHARS, MIN_CHARS_PER_FIELD * _TEXT_FIELDS(form))


def _is_note(aside: etree._Element) -> bool:
    """Whether the aside is a note in the text; footnotes and the like stay asides."""
    if is_annotation(f"{class_of(aside)} {aside.get('id', '')}"):
        return False
    names = {re.split("--|__", name)[0] for name in class_of(aside).lower().split()}
    return aside.get("role") in ("note", "doc-tip", "doc-notice") or not names.isdisjoint(_NOTES)


def _is_opened(element: etree._Element) -> bool:
    """Whether a hidden element is there to be opened by the reader: a solution, a tab, a folded part."""
    names = f"{class_of(element)} {element.get('id', '')} {element.get('role', '')}".lower()
    if is_boilerplate(names) or element.tag in ("input", "button", "span", "img", "svg", "script", "style", "nav"):
        return False
    if _CODE(element) or _OPENED.search(names):
        return True
    return _BEGINS_ANSWER.match("".join(element.itertext())[:200]) is not None


def _is_generated(section: etree._Element) -> bool:
    """Whether a documentation generator wrote the section: its id comes from the heading that it begins with."""
    names = class_of(section).split()
    if not names or not all(_SECTION_NAMES.fullmatch(name) for name in names):
        return False
    first = next((child for child in section if child.tag not in ("span", "a", "header")), None)
    return first is not None and first.tag in _HEADING_TAGS
