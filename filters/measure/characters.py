"""Represent a text's characters as numpy arrays, so that counting them needs no Python loop."""

import unicodedata
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

UPPER = 1
DIGIT = 2  # numerals that are not letters: 7, ², ½
ALPHABETIC = 4
ALPHANUMERIC = DIGIT | ALPHABETIC  # either
ACCENTED = 8  # Latin letters with diacritics
HAN = 16
SPACE = 32
SENTENCE_END = 64  # . ! ? … and their full-width forms
INVISIBLE = 128  # soft hyphens, joiners, direction marks

SENTENCE_MARKS = ".!?…。！？｡"

Mask = npt.NDArray[np.bool_]

# Planes 0 to 2 hold every letter in use. Higher planes hold private use, tags and rare Han characters.
_TABLE_SIZE = 0x30000


class Characters(NamedTuple):
    """The code points of a text, and for each the union of the classes above that it belongs to."""

    codes: npt.NDArray[np.unsignedinteger]
    classes: npt.NDArray[np.uint8]

    def are(self, wanted: int) -> Mask:
        """Return a mask of the characters that belong to `wanted`, one class or the union of several."""
        mask: Mask = (self.classes & np.uint8(wanted)) != 0
        return mask

    def count(self, wanted: int) -> int:
        """Return the number of characters that belong to `wanted`."""
        return int(np.count_nonzero(self.classes & np.uint8(wanted)))


def classify(text: str) -> Characters:
    """Return the code points and classes of `text`; both arrays are as long as the text."""
    if text.isascii():
        codes = np.frombuffer(text.encode("ascii"), dtype=np.uint8)
        return Characters(codes, _classes().take(codes))
    wide = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return Characters(wide, _classes().take(wide, mode="clip"))


@lru_cache(maxsize=1)
def _classes() -> npt.NDArray[np.uint8]:
    table = np.zeros(_TABLE_SIZE, dtype=np.uint8)
    for code in range(_TABLE_SIZE - 1):
        character = chr(code)
        if character.isalnum():
            is_digit = character.isnumeric() and not character.isalpha()
            table[code] = (DIGIT if is_digit else ALPHABETIC) | (UPPER if character.isupper() else 0)
            if code >= 0x80 and "LATIN" in unicodedata.name(character, "") and _is_accented(character):
                table[code] |= ACCENTED
        elif character.isspace():
            table[code] = SPACE
        elif unicodedata.category(character) == "Cf":
            table[code] = INVISIBLE
    for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2FFFE)):
        table[first : last + 1] |= HAN
    for mark in SENTENCE_MARKS:
        table[ord(mark)] |= SENTENCE_END
    return table


def _is_accented(letter: str) -> bool:
    return any(unicodedata.combining(part) for part in unicodedata.normalize("NFD", letter))
