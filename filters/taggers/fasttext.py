"""The fastText student: four small fastText models over words, signs and marks.

1. `features` turns the document's first MAX_CHARS characters into one line of tokens: lower-case words and
   signs, numbers by their length, a mark at the end of each line and at the start of each formula and code
   span. A token that occurs n times is written 1 + log2 n times, rounded down, because the models average
   over tokens.
2. The domain is the most probable label of one model. A score is the expected label of an ordinal model,
   brought to the labels' own scale (scores.on_label_scale).

Cost: about 0.5 ms for 2.6 kB on a busy core, 0.2 ms of it for the tokens.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import fasttext

from filters.measure.spans import find_spans
from filters.taggers.scores import DIMENSIONS, MAX_CHARS, MAX_LABEL, Scores, hash_card, on_label_scale

MODELS = ("domain", *DIMENSIONS)

# The standard library's re is safe here: the alternatives start with disjoint classes, and no part can match
# what follows a repeat, so nothing backtracks.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")
_MAX_NUMBER_LENGTH = 5  # Our choice: years, counts and long constants are told apart; their digits are not.


class Predictor(Protocol):
    """The binding below fasttext's own predict(), which fails on numpy 2."""

    def predict(
        self, text: str, k: int, threshold: float, on_unicode_error: str
    ) -> list[tuple[float, str]]: ...


class FasttextTagger:
    """The loaded student of one folder."""

    def __init__(self, models: dict[str, Predictor], cuts: dict[str, list[float]], model_hash: str) -> None:
        self._models = models
        self._cuts = cuts
        self.model_hash = model_hash

    def score(self, text: str) -> Scores:
        """Return the scores of one document. The empty text has scores too (from an empty line)."""
        domain, expected = predict(self._models, features(text))
        return Scores(domain, *(on_label_scale(expected[name], self._cuts[name]) for name in DIMENSIONS))

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Return the scores of each document, in order."""
        return [self.score(text) for text in texts]


def load_fasttext_tagger(folder: Path, card: dict[str, Any]) -> FasttextTagger:
    """Load the models of a folder whose files were checked."""
    models = {name: load_predictor(folder / f"{name}.ftz") for name in MODELS}
    return FasttextTagger(models, card["cuts"], hash_card(card))


def features(text: str) -> str:
    """Return the one line that the models read, both in training and in use."""
    text = text[:MAX_CHARS]
    tokens: list[str] = []
    position = 0
    for span in find_spans(text):
        _add_tokens(text[position : span.start], tokens)
        tokens.append(f"#{span.kind}{'#' if span.is_block else ''}")
        _add_tokens(text[span.start : span.end], tokens)
        position = span.end
    _add_tokens(text[position:], tokens)
    counts = Counter(tokens)
    tokens = [token for token, count in counts.items() for _ in range(count.bit_length())]
    # A lone surrogate would raise TypeError in the binding, and NUL would end its string.
    line = " ".join(tokens).encode("utf-8", "ignore").decode().replace("\0", "")
    return line.replace("__label__", "label")  # fastText would read the word as a label


def load_predictor(file: Path) -> Predictor:
    """Load the model in one file."""
    predictor: Predictor = fasttext.load_model(str(file)).f
    return predictor


def predict(models: dict[str, Predictor], line: str) -> tuple[str, dict[str, float]]:
    """Return the domain, and the expectation of each dimension in [0, 1], for one line of features."""
    said = {name: label_probabilities(models[name], line) for name in MODELS}
    return most_probable(said["domain"]), {name: expectation(said[name]) for name in DIMENSIONS}


def most_probable(probabilities: dict[str, float]) -> str:
    """Return the label of the highest probability; of equal ones, the first by name."""
    return max(sorted(probabilities), key=probabilities.__getitem__)


def label_probabilities(model: Predictor, line: str) -> dict[str, float]:
    """Return the probability of each label by the label's name."""
    # The binding reads up to the first line break, and features() writes none. There are fewer than 100
    # labels.
    predicted = model.predict(line + "\n", 100, 0.0, "strict")
    return {label.removeprefix("__label__"): float(probability) for probability, label in predicted}


def expectation(probabilities: dict[str, float]) -> float:
    """Return the expected ordinal label divided by MAX_LABEL, in [0, 1]."""
    total = sum(probabilities.values())
    mean = sum(int(label) * probability for label, probability in probabilities.items()) / total
    return min(max(mean / MAX_LABEL, 0.0), 1.0)


def _add_tokens(text: str, tokens: list[str]) -> None:
    for number, line in enumerate(text.lower().split("\n")):
        if number and tokens and tokens[-1] != "#end":
            tokens.append("#end")
        for token in _TOKEN.findall(line):
            is_number = token[0].isdigit()
            tokens.append(f"#{min(len(token), _MAX_NUMBER_LENGTH)}" if is_number else token)
