"""Tell what stands beside code from code: line numbers, copy buttons, toolbars, prompts of notebooks."""

import re

import re2
from lxml import etree

from pipeline.extraction.code.class_roles import role_of
from pipeline.extraction.code.stated import known_language
from pipeline.extraction.tree.tree import class_of

_HEADER_TAGS = frozenset(("div", "header", "p", "ul", "figcaption", "section"))
# What buttons above code say.
_TOOL_TEXT = re2.compile(
    r"(?i)(?:\s|[\[\]()|:!?·•«»+–-]"
    r"|copy(?: code| to clipboard| text| link| snippet)?\b|copied\b|code\b|select(?: all| code)?\b|expand\b"
    r"|collapse\b"
    r"|view (?:plain|raw|source|code)\b|plain text\b|raw\b|print\b|run(?: code)?\b|edit\b|download\b|toggle\b"
    r"|wrap(?: text| lines)?\b|try it(?: yourself)?\b|docs\b|source\b|open in (?:playground|new window)\b"
    r"|show\b|hide\b|fold\b"
    r"|复制(?:代码|成功)?|拷贝(?:代码)?|已复制|代码(?:解读)?|收起|展开|登录后复制|一键复制|查看|運行|运行|コピー|복사"
    r"|kopieren\b|copier\b|copiar(?: código)?\b|copia\b|kopiuj\b|скопировать|копировать|код){1,12}"
)
_PROMPT = re.compile(r"(?:In|Out)?\s{0,3}\[\s{0,3}(?:\d{1,5}|\*)?\s{0,3}\]\s{0,3}:?")
_PROMPT_CLASS = re.compile(r"prompt", re.I)
_NUMBER = re.compile(r"\s{0,20}(\d{1,6})[.:|]?\s{0,20}")
# Classes of highlighters for numbers that are part of the code.
_LITERAL = re.compile(
    r"(?:^|\s)(?:m|mi|mf|mh|mo|il|nu\d|no|lit|literal|hljs-number|cm-number|token|constant|pl-c1|dv|fl|bn|value)(?=\s|$)"
)
_NUMBER_ATTRIBUTES = frozenset(
    ("data-line-number", "data-line-num", "data-linenos", "data-n", "data-pseudo-content")
)
_GUTTER_TEXT = re.compile(r"[\d\s|:.¶#]*")
# Elements that may hold the numbers of all lines.
_COLUMN_TAGS = frozenset(("td", "th", "ul", "ol"))
_CELL_TAGS = frozenset(("td", "th", "a"))
# Our choice: the text of buttons above a code block is shorter.
MAX_TOOL_CHARS = 80


def counts_up(texts: list[str]) -> bool:
    """Whether `texts` are two or more numbers, each one more than the one before."""
    if len(texts) < 2 or not all(text.isascii() and text.isdigit() and len(text) < 8 for text in texts):
        return False
    first = int(texts[0])
    return all(int(text) == first + place for place, text in enumerate(texts))


def line_number(element: etree._Element) -> int | None:
    """Return the number if the element holds nothing but a number that is not a literal of the code."""
    text = element.text or ""
    if len(element) == 1 and not len(element[0]):
        text += (element[0].text or "") + (element[0].tail or "")
    elif len(element):
        return None
    match = _NUMBER.fullmatch(text) if len(text) < 40 else None
    if match is None or _LITERAL.search(class_of(element)):
        return None
    return int(match[1])


def has_number_class(element: etree._Element) -> bool:
    """Whether an element that holds only a number, or its one child, has a class of line numbers."""
    return any(_has_number_name(part) for part in (element, *element[:1]))


def _has_number_name(element: etree._Element) -> bool:
    role = role_of(class_of(element))
    return role.is_cell_number if element.tag in _CELL_TAGS else role.is_number


def links_to_itself(element: etree._Element) -> bool:
    """Whether the element, or its one child, is a link to its own place, as line numbers are."""
    for part in (element, *element[:1]):
        name = part.get("name") or part.get("id")
        if part.tag == "a" and name and part.get("href") in (None, f"#{name}"):
            return True
    return False


def is_gutter(element: etree._Element) -> bool:
    """Whether the element holds line numbers (or nothing) and stands beside the code."""
    if _has_number_attribute(element) and not (element.text or "").strip() and not len(element):
        return True
    if _has_number_name(element) and _holds_only(element, _GUTTER_TEXT):
        return True
    return element.tag in _COLUMN_TAGS and counts_lines(element)


def counts_lines(element: etree._Element) -> bool:
    """Whether the element holds two or more numbers that count up, each in a line or element of its own."""
    numbers: list[str] = []
    for text in element.itertext():
        words = text.split()
        if not all(word.isdigit() for word in words) or len(words) > text.count("\n") + 1:
            return False
        numbers += words
    return counts_up(numbers)


def _holds_only(element: etree._Element, pattern: re.Pattern[str]) -> bool:
    return all(pattern.fullmatch(text) for text in element.itertext())


def short_text(element: etree._Element) -> str | None:
    """Return the texts in the element, parted by spaces; None if they are longer than those of buttons."""
    words: list[str] = []
    length = 0
    for text in element.itertext():
        length += len(text)
        if length > 4 * MAX_TOOL_CHARS:
            return None
        words += text.split()
    return " ".join(words)


def _has_number_attribute(element: etree._Element) -> bool:
    return any(name in _NUMBER_ATTRIBUTES for name in element.attrib)


def is_tool(element: etree._Element) -> bool:
    """Whether the element is a button or bar of a highlighter, by its class and its text."""
    if element.tag == "button" or element.get("download") is not None:
        return True
    role = role_of(class_of(element))
    is_header = role.is_header and element.tag in _HEADER_TAGS
    if not is_header and not role.is_tool:
        return False
    text = short_text(element)
    if text is None:
        return False
    return says_tool(text) or (is_header and is_label(text)) or "headerlink" in class_of(element)


def says_tool(text: str) -> bool:
    """Whether `text` is what buttons above code say ("Copy code", "Select all")."""
    text = text.strip()
    return 0 < len(text) <= MAX_TOOL_CHARS and _TOOL_TEXT.fullmatch(text) is not None


def is_label(text: str) -> bool:
    """Whether `text` is the name of a language, alone or with the words of buttons."""
    if len(text) > MAX_TOOL_CHARS:
        return False
    rest = " ".join(word for word in text.split() if not known_language(word.strip("[]:()")))
    return bool(text) and (not rest or says_tool(rest))


def is_prompt(element: etree._Element, text: str) -> bool:
    """Whether the element holds a notebook's prompt (`In [3]:`) and nothing else."""
    text = text.replace("\u00a0", " ").strip()
    if not _PROMPT.fullmatch(text):
        return False
    return text.endswith(":") or bool(_PROMPT_CLASS.search(class_of(element)))
