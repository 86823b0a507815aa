"""The fastText student: four small fastText models over words, signs and marks.

1. features: the document's first MAX_CHARS characters become one line of tokens: lower-case words and signs,
   numbers by their length, a mark at each line's end and at the start of each formula and code span. One of
   n occurrences stands there 1 + log2 n times, rounded down: the models average over tokens.
2. The domain is the most probable label of one model; a score is the expected label of an ordinal model,
   brought to the labels' own scale (tagger_scores.on_label_scale).

Cost: about 0.5 ms for 2.6 kB on a busy core, 0.2 of it for the tokens.
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

# stdlib re: alternatives start with disjoint classes, and what a repeat takes nothing after it could: no
# backtracking.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")
_MAX_NUMBER_LENGTH = 5  # Ours: years, counts and long constants differ, their digits do not matter.


class Predictor(Protocol):
    """The binding below fasttext's own predict(), which fails on numpy 2."""

    def predict(
        self, text: str, k: int, threshold: float, on_unicode_error: str
    ) -> list[tuple[float, str]]: ...


class FasttextTagger:
    """The student of one folder, loaded."""

    def __init__(self, models: dict[str, Predictor], cuts: dict[str, list[float]], model_hash: str) -> None:
        self._models = models
        self._cuts = cuts
        self.model_hash = model_hash

    def score(self, text: str) -> Scores:
        """Scores of one document. The empty text is scored too (by its empty line)."""
        domain, expected = predict(self._models, features(text))
        return Scores(domain, *(on_label_scale(expected[name], self._cuts[name]) for name in DIMENSIONS))

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Scores of each document, in order."""
        return [self.score(text) for text in texts]


def load_fasttext_tagger(folder: Path, card: dict[str, Any]) -> FasttextTagger:
    """Load the models of a folder whose files were checked."""
    models = {name: load_predictor(folder / f"{name}.ftz") for name in MODELS}
    return FasttextTagger(models, card["cuts"], hash_card(card))


def features(text: str) -> str:
    """The one line that the models read, in training and in use."""
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
    # Lone surrogates would be a TypeError in the binding; NUL would end its string.
    line = " ".join(tokens).encode("utf-8", "ignore").decode().replace("\0", "")
    return line.replace("__label__", "label")  # fastText would take the word for a label


def load_predictor(file: Path) -> Predictor:
    """The model of one file."""
    predictor: Predictor = fasttext.load_model(str(file)).f
    return predictor


def predict(models: dict[str, Predictor], line: str) -> tuple[str, dict[str, float]]:
    """What the models say of one line: the domain, and each dimension's expectation in [0, 1]."""
    said = {name: label_probabilities(models[name], line) for name in MODELS}
    return most_probable(said["domain"]), {name: expectation(said[name]) for name in DIMENSIONS}


def most_probable(probabilities: dict[str, float]) -> str:
    """The label of highest probability; of equal ones the first by name."""
    return max(sorted(probabilities), key=probabilities.__getitem__)


def label_probabilities(model: Predictor, line: str) -> dict[str, float]:
    """Probability of each label, by its name."""
    # The binding reads up to the first line break; features() makes none. 100 is more than there are labels.
    predicted = model.predict(line + "\n", 100, 0.0, "strict")
    return {label.removeprefix("__label__"): float(probability) for probability, label in predicted}


def expectation(probabilities: dict[str, float]) -> float:
    """Expected ordinal label over MAX_LABEL, in [0, 1]."""
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
