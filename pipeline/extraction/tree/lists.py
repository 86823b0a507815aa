"""The labels of list items as a browser shows them: `3.`, `B.`, `iv.`."""

import re
from dataclasses import dataclass
from string import ascii_lowercase

from lxml import etree

# HTML's `type`, and the names that CSS and documentation generators use, for the five ways to count.
_STYLES = {
    "1": "1", "a": "a", "A": "A", "i": "i", "I": "I",
    "decimal": "1", "arabic": "1",
    "lower-alpha": "a", "loweralpha": "a", "lower-latin": "a",
    "upper-alpha": "A", "upperalpha": "A", "upper-latin": "A",
    "lower-roman": "i", "lowerroman": "i", "upper-roman": "I", "upperroman": "I",
}  # fmt: skip
_STYLE_TYPE = re.compile(r"list-style(?:-type)?\s{0,3}:\s{0,3}([a-z-]{4,12})")
_INTEGER = re.compile(r"\s*(-?\d{1,8})\s*")
_ROMAN = (
    (1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l"), (40, "xl"),
    (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i"),
)  # fmt: skip
# Our choice: longer lists are not counted in Roman numbers.
MAX_ROMAN = 3999


@dataclass(frozen=True)
class Numbering:
    """How an ordered list counts: from `first` in steps of `step`, in a style of HTML's `type`."""

    first: int
    step: int
    style: str

    def label(self, number: int) -> str:
        """Return the label of the item with this number."""
        return f"{ordinal(number, self.style)}."


def numbering_of(element: etree._Element) -> Numbering:
    """Return how the ordered list counts."""
    is_reversed = element.get("reversed") is not None
    num_items = sum(child.tag == "li" for child in element) if is_reversed else 1
    first = integer(element.get("start"))
    style = _STYLES.get(element.get("type", ""))
    if style is None:
        stated = _STYLE_TYPE.search(element.get("style", ""))
        names = [stated[1]] if stated else element.get("class", "").split()
        style = next((_STYLES[name] for name in names if len(name) > 1 and name in _STYLES), "1")
    return Numbering(num_items if first is None else first, -1 if is_reversed else 1, style)


def integer(value: str | None) -> int | None:
    """Return the value of an attribute as a number; None if it is absent or none."""
    match = _INTEGER.fullmatch(value) if value else None
    return int(match[1]) if match else None


def ordinal(number: int, style: str) -> str:
    """Return `number` in digits ("1"), letters ("a", "A") or Roman numbers ("i", "I"), as HTML counts."""
    if style in ("a", "A") and number > 0:
        text = ""
        while number > 0:
            number, rest = divmod(number - 1, 26)
            text = ascii_lowercase[rest] + text
    elif style in ("i", "I") and 0 < number <= MAX_ROMAN:
        text = ""
        for value, letters in _ROMAN:
            times, number = divmod(number, value)
            text += letters * times
    else:
        return str(number)
    return text.upper() if style.isupper() else text
