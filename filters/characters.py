"""Character classes of a text as a numpy array, so that counting them costs microseconds, not a loop."""

import unicodedata
from functools import lru_cache

import numpy as np
import numpy.typing as npt

UPPER = 1
DIGIT = 2
ALPHANUMERIC = 4
ACCENTED = 8
HAN = 16
SPACE = 32

# Planes 0 to 2 hold every letter in use; what lies above is private use, tags and rare Han.
_TABLE_SIZE = 0x30000


def classify(text: str) -> npt.NDArray[np.uint8]:
    """One byte per character, the sum of the classes it belongs to."""
    if text.isascii():
        return _classes()[:128][np.frombuffer(text.encode("ascii"), dtype=np.uint8)]
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return _classes()[np.minimum(codes, _TABLE_SIZE - 1)]


def count(classes: npt.NDArray[np.uint8], wanted: int) -> int:
    """How many characters belong to the class `wanted`."""
    return int(np.count_nonzero(classes & np.uint8(wanted)))


@lru_cache(maxsize=1)
def _classes() -> npt.NDArray[np.uint8]:
    table = np.zeros(_TABLE_SIZE, dtype=np.uint8)
    for code in range(_TABLE_SIZE - 1):
        character = chr(code)
        if character.isalnum():
            table[code] = ALPHANUMERIC | (UPPER if character.isupper() else 0)
            if character.isnumeric() and not character.isalpha():
                table[code] |= DIGIT
            if code >= 0x80 and "LATIN" in unicodedata.name(character, "") and _is_accented(character):
                table[code] |= ACCENTED
        elif character.isspace():
            table[code] = SPACE
    for first, last in ((0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0x20000, 0x2FFFE)):
        table[first : last + 1] |= HAN
    return table


def _is_accented(letter: str) -> bool:
    return any(unicodedata.combining(part) for part in unicodedata.normalize("NFD", letter))
