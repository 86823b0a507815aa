"""The fastText student: four small fastText models over words, and a linear layer over what they say.

1. features: the document's first MAX_CHARS characters become one line of tokens: lower-case words and signs,
   numbers by their length, a mark at each line's end and at the start of each formula and code span.
2. Four models (domain, and one per ordinal dimension) give label probabilities.
3. The layer reads the log probabilities and the TextStats measurements; it gives a value per domain, of which
   the largest wins, and the expected label of each dimension (least squares, hence calibrated).

Cost: about 0.8 ms for 2.6 kB (0.2 tokens, 0.1 models, 0.45 measurements).
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import fasttext
import numpy as np

from filters.spans import find_spans
from filters.tagger_scores import DIMENSIONS, MAX_CHARS, MAX_LABEL, Numbers, Scores, hash_card, to_scores
from filters.tagger_statistics import statistics

MODELS = ("domain", *DIMENSIONS)
LAYER = "layer.npz"
_FLOOR = 0.01
"""Least probability that the layer sees: below it, fastText's figures say nothing (swept: 0.001, 0.01)."""

# stdlib re: alternatives start with disjoint classes, and what a repeat takes nothing after it could: no
# backtracking.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")
_MAX_NUMBER_LENGTH = 5  # Ours: years, counts and long constants differ, their digits do not matter.


class Predictor(Protocol):
    """The binding below fasttext's own predict(), which fails on numpy 2."""

    def predict(
        self, text: str, k: int, threshold: float, on_unicode_error: str
    ) -> list[tuple[float, str]]: ...


class Layer(NamedTuple):
    """Linear in (inputs - mean) / scale; clipped to +-4 first, so that odd documents stay within bounds."""

    mean: Numbers
    scale: Numbers
    weight: Numbers
    """[inputs, domains + dimensions]"""
    bias: Numbers

    def apply(self, inputs: Numbers) -> Numbers:
        """[n, inputs] -> [n, domains + dimensions]."""
        return np.clip((inputs - self.mean) / self.scale, -4.0, 4.0) @ self.weight + self.bias


class FasttextTagger:
    """The student of one folder, loaded."""

    def __init__(
        self, models: dict[str, Predictor], layer: Layer, domains: tuple[str, ...], model_hash: str
    ) -> None:
        self._models = models
        self._layer = layer
        self._domains = domains
        self.model_hash = model_hash

    def score(self, text: str) -> Scores:
        """Scores of one document. The empty text is scored too (by its empty line)."""
        return self.score_many([text])[0]

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Scores of each document, in order."""
        inputs = [
            layer_inputs(self._models, features(text), statistics(text), self._domains) for text in texts
        ]
        if not inputs:
            return []
        # Row by row, not as one product: a document's scores must not depend on its neighbours.
        return [self._scores(self._layer.apply(row)) for row in inputs]

    def _scores(self, outputs: Numbers) -> Scores:
        num_domains = len(self._domains)
        return to_scores(self._domains[int(outputs[:num_domains].argmax())], outputs[num_domains:])


def load_fasttext_tagger(folder: Path, card: dict[str, Any]) -> FasttextTagger:
    """Load the models and the layer of a folder whose files were checked."""
    models = {name: load_predictor(folder / f"{name}.ftz") for name in MODELS}
    with np.load(folder / LAYER) as arrays:
        layer = Layer(*(arrays[name].astype(np.float64) for name in Layer._fields))
    return FasttextTagger(models, layer, tuple(card["domains"]), hash_card(card))


def layer_inputs(
    models: dict[str, Predictor], line: str, measured: Numbers, domains: tuple[str, ...]
) -> Numbers:
    """[len(domains) + 3 x (MAX_LABEL + 2) + len(measured)]: what the layer reads of one document."""
    found: list[float] = []
    for name in MODELS:
        probabilities = label_probabilities(models[name], line)
        labels = domains if name == "domain" else tuple(map(str, range(MAX_LABEL + 1)))
        found += [float(np.log(max(probabilities.get(label, 0.0), _FLOOR))) for label in labels]
        if name != "domain":
            found.append(expectation(probabilities) * MAX_LABEL)
    return np.concatenate([found, measured])


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
    # Lone surrogates would be a TypeError in the binding; NUL would end its string.
    line = " ".join(tokens).encode("utf-8", "ignore").decode().replace("\0", "")
    return line.replace("__label__", "label")  # fastText would take the word for a label


def load_predictor(file: Path) -> Predictor:
    """The model of one file."""
    predictor: Predictor = fasttext.load_model(str(file)).f
    return predictor


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
