"""Change the elements that pages put around text and that extractors take for something else.

Extractors drop forms, asides and what a page hides. Some of these hold text: a thread in a `<form>`, a note
in an `<aside>`, the second tab, the solution of an exercise. `unwrap_text` makes plain `<div>`s of forms and
asides, and `is_opened` finds what is hidden only until the reader asks for it. Sections whose id is made from
their heading lose the id: it does not say what they are on the page.
"""

import re
from functools import lru_cache
from itertools import islice

from lxml import etree

from pipeline.extraction.code.gutters import short_text
from pipeline.extraction.tree.tree import Inventory, class_of
from pipeline.extraction.web.names import is_annotation, is_boilerplate

_TEXT_FIELDS = etree.XPath(
    "count(.//textarea|.//select|.//input[not(@type) or @type='text' or @type='email' or @type='password'"
    " or @type='search' or @type='tel' or @type='url' or @type='number'])"
)
_TEXTS = etree.XPath(".//p|.//pre|.//li|.//blockquote|.//h1|.//h2|.//h3|.//h4")
_CHOICES = etree.XPath("count(.//input[@type='radio' or @type='checkbox'])")
_QUIZ = re.compile(r"quiz|question|exercise|exam|test|mcq|problem|answer|frage|aufgabe")
# Our choice: a form is there to be filled in if it has less text per field that takes text.
MIN_CHARS_PER_FIELD = 400
# Our choice: shorter paragraphs in a form are labels and remarks about its fields.
MIN_PARAGRAPH_CHARS = 80
_NOTES = frozenset([
    "note", "notes", "tip", "tips", "hint", "hints", "warning", "caution", "important", "danger",
    "attention", "info",
    "admonition", "callout", "key-point", "keypoint", "special", "success", "example", "exercise", "sidenote",
    "solution", "proof", "theorem", "objective", "topic", "marginnote", "definition", "remark", "error",
    "question",
])  # fmt: skip
# Names of what a reader opens: solutions, tabs, folded parts.
_OPENED = re.compile(
    r"spoiler|solution|(?:^|[\s_-])sol(?:n|\d|[\s_-]|$)|answer|hint|explanation|explain|reveal|tab-?_?(?:pane|panel|content|item|body|block)|tabbed"
    r"|(?:^|\s)tabs?(?:\s|$)|tabpanel|collaps|accordion|proof|editorial|details-?(?:content|body)|(?:toggle|expand\w*|fold\w*|more|hidden)-?_?(?:content|text|body)"
    r"|loesung|lösung|reponse|réponse|soluc|respuesta|risposta|ответ|решение|答案|解答|解析"
)
_TABS = re.compile(r"(?:^|[\s_-])tabs?(?:[\s_-]|$)|tabbed")
_SWITCHES = frozenset(["button", "a", "summary", "input", "p", "div", "span", "h3", "h4", "h5", "label"])
_NEVER_OPENED = frozenset(
    ["input", "button", "span", "img", "svg", "script", "style", "nav", "a", "select", "form"]
)
_BEGINS_ANSWER = re.compile(
    r"\s*(?:the\s)?(?:solution|answer|hint|explanation|proof|spoiler|editorial|lösung|antwort|réponse"
    r"|corrigé|solución|respuesta|risposta|soluzione|resposta|решение|ответ|подсказка|答案|解答|解析|提示|解説|정답|풀이)\b",
    re.I,
)
_CODE = etree.XPath("boolean(self::p[@class='slot']|.//p[@class='slot'])")
# Classes of the sections that documentation generators make (docutils, pandoc, LaTeXML, Texinfo, Asciidoctor,
# Org).
_SECTION_NAMES = frozenset([
    "section", "subsection", "chapter", "docutils", "unnumbered", "numbered",
    *(f"level{n}" for n in range(1, 7)),
    *(f"sect{n}" for n in range(6)), *(f"outline-{n}" for n in range(1, 7)),
    *(f"outline-text-{n}" for n in range(1, 7)), "ltx_section", "ltx_subsection", "ltx_subsubsection",
    "ltx_appendix", "ltx_chapter", *(f"{kind}section-level-extent" for kind in ("", "sub", "subsub")),
    "chapter-level-extent", "appendix-level-extent",
])  # fmt: skip
_HEADING_TAGS = ("h1", "h2", "h3", "h4", "h5", "h6")


def unwrap_text(tree: etree._Element, inventory: Inventory) -> None:
    """Make plain elements of the forms and asides of `tree` that hold text."""
    wrappers = [tag for tag in ("form", "aside") if tag in inventory.tags]
    for element in list(tree.iter(*wrappers)) if wrappers else ():
        if element.tag == "form":
            if _holds_text(element):
                element.tag = "div"
        elif _is_note(element):
            element.tag = "div"
            element.set("class", "admonition")
    if not _SECTION_NAMES.isdisjoint(inventory.class_names):
        for section in tree.iter("section", "div"):
            if section.get("id") and len(section) and _is_generated(section):
                del section.attrib["id"]


def _holds_text(form: etree._Element) -> bool:
    """Whether the form is a wrapper around text or a quiz, and not one to fill in."""
    num_fields = _TEXT_FIELDS(form)
    missing = max(MIN_PARAGRAPH_CHARS, MIN_CHARS_PER_FIELD * num_fields)
    for text in _TEXTS(form) if missing <= sum(map(len, form.itertext())) else ():
        length = len(" ".join("".join(text.itertext()).split()))
        missing -= length if length >= MIN_PARAGRAPH_CHARS else 0
        if missing <= 0:
            return True
    is_quiz = _QUIZ.search(f"{class_of(form)} {form.get('id', '')}".lower()) is not None
    return is_quiz and not num_fields and _CHOICES(form) > 1


def _is_note(aside: etree._Element) -> bool:
    """Whether the aside is a note in the text; footnotes and the like stay asides."""
    if is_annotation(f"{class_of(aside)} {aside.get('id', '')}"):
        return False
    names = {re.split("--|__", name)[0] for name in class_of(aside).lower().split()}
    return aside.get("role") in ("note", "doc-tip", "doc-notice") or not names.isdisjoint(_NOTES)


def is_opened(element: etree._Element) -> bool:
    """Whether a hidden element is there to be opened by the reader: a solution, a tab, a folded part.

    Code and formulas are placeholders already.
    """
    names = _names_of(element)
    if element.tag in _NEVER_OPENED or is_boilerplate(names):
        return False
    previous, parent = element.getprevious(), element.getparent()
    if previous is not None and previous.get("class") == "slot":
        # It shows in another way what stands there as text.
        return False
    if _is_opened_name(names) or (parent is not None and _is_tabs_name(_names_of(parent))):
        return True
    if previous is not None and previous.tag in _SWITCHES and _opens_answer(previous):
        return True
    begin = "".join(islice(element.itertext(), 5))
    return _BEGINS_ANSWER.match(begin) is not None or _CODE(element)


def _opens_answer(switch: etree._Element) -> bool:
    """Whether a button or line before a hidden part says that it shows a solution."""
    text = short_text(switch)
    return text is not None and _OPENED.search(f"{text} {switch.get('value', '')}".lower()) is not None


def _names_of(element: etree._Element) -> str:
    return f"{class_of(element)} {element.get('id', '')} {element.get('role', '')}"


@lru_cache(maxsize=65536)
def _is_opened_name(names: str) -> bool:
    return _OPENED.search(names.lower()) is not None


@lru_cache(maxsize=65536)
def _is_tabs_name(names: str) -> bool:
    return _TABS.search(names.lower()) is not None


def _is_generated(section: etree._Element) -> bool:
    """Whether a documentation generator wrote the section: its id comes from its heading."""
    names = class_of(section).split()
    if not names or not _SECTION_NAMES.issuperset(names):
        return False
    if names[0].startswith("outline-text"):
        return True
    first = next((child for child in section if child.tag not in ("span", "a", "header")), None)
    return first is not None and first.tag in _HEADING_TAGS
