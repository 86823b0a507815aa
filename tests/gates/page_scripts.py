"""Powers and indices of a page, read by the simplest means: what its `<sup>` and `<sub>` stand on."""

import re
from collections import Counter
from typing import NamedTuple

from lxml import etree

# A script is recognised in a page's text between these; they occur in no page.
RAISED, LOWERED, END = "\ue010", "\ue011", "\ue012"
_SCRIPT = re.compile(f"([{RAISED}{LOWERED}])([^{RAISED}{LOWERED}{END}]*){END}")
_ORDINAL = re.compile(r"st|nd|rd|th|er|e|o|a|os|as|TM|SM|R|®|©|™|°|∘|º", re.I)
_NOTE = re.compile(r"[*†‡§¶#]+|\[.*\]|\d+(?:\s?[,–]\s?\d+)+")
_BASE = re.compile(r"(?:[0-9]+|(?<![A-Za-z'’])[A-Za-z]|[)\]])\Z")
_YEAR = re.compile(r"(?:1[5-9]|20)\d\d\Z")
# How a formula, prose and code write what follows: all are taken away.
_SPELLING = re.compile(r"[\s${}()`\u200b\u2060]|\\(?:text|mathrm|left|right|,|;|!)|\\(?=[A-Za-z$|_{}])")


class Script(NamedTuple):
    """One power or index: the end of its base, `^` or `_`, its text, and the text before, all as `spelt`."""

    base: str
    mark: str
    text: str
    context: str

    @property
    def kept(self) -> str:
        """How it reads where it was kept: `x^2`."""
        return f"{self.base}{self.mark}{self.text}"

    @property
    def glued(self) -> str:
        """How it reads where the text lost it: `x2`, with the words before."""
        return f"{self.context}{self.text}"


def spelt(text: str) -> str:
    """`text` without the signs in which spellings of one formula differ."""
    text = text.replace("**", "^").replace("−", "-").replace("–", "-").replace("′", "'")
    return _SPELLING.sub("", text)


def marked_text(page: bytes) -> str:
    """The text of a page with every script between RAISED or LOWERED and END, links left out."""
    tree = etree.fromstring(page, etree.HTMLParser(encoding="utf-8", huge_tree=True, remove_comments=True))
    if tree is None:
        return ""
    etree.strip_elements(tree, "script", "style", "math", "svg", with_tail=False)
    for element in list(tree.iter("sup", "sub")):
        if element.find(".//a") is None and next(element.iterancestors("a"), None) is None:
            element.text = (RAISED if element.tag == "sup" else LOWERED) + (element.text or "")
            element.tail = END + (element.tail or "")
    return "".join(tree.itertext())


def scripts_of(text: str) -> list[Script]:
    """The scripts of a page's marked text that are powers or indices beyond doubt.

    They stand on a number, a single letter or a bracket, and are neither links, nor ordinals, nor marks of
    notes. A small number on a word or on a year is left out: nobody can tell it from a footnote.
    """
    found = []
    for match in _SCRIPT.finditer(text):
        script = " ".join(match[2].split())
        before = text[max(0, match.start() - 60) : match.start()]
        plain = spelt(re.sub(f"[{RAISED}{LOWERED}{END}]", "", before))
        is_short = 0 < len(script) <= 12 and " " not in script
        if not is_short or not _BASE.search(before) or not (script + plain[-1:]).isascii():
            continue
        is_mark = _ORDINAL.fullmatch(script) or _NOTE.fullmatch(script) or _YEAR.search(before)
        if match[1] == LOWERED or not is_mark:
            mark = "^" if match[1] == RAISED else "_"
            found.append(Script(plain[-1:], mark, spelt(script), plain[-12:]))
    return found


def script_counts(page: bytes, text: str) -> tuple[int, int, int]:
    """Wanted, kept and glued scripts of a page whose extracted text is `text`."""
    source = marked_text(page)
    scripts = scripts_of(source)
    if not scripts:
        return 0, 0, 0
    ours, theirs = spelt(text), spelt(source)
    wanted = Counter(script.kept for script in scripts)
    kept = sum(min(count, ours.count(spelling)) for spelling, count in wanted.items())
    # What the page itself writes without marks, in its code for instance, is not glued by us.
    glued = sum(max(0, ours.count(words) - theirs.count(words)) for words in {s.glued for s in scripts})
    return len(scripts), kept, glued
