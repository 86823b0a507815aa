"""Domain, quality, knowledge density and reasoning depth of a document, by four small fastText models.

1. features: the document's first MAX_CHARS characters become one line of tokens: lower-case words and signs,
   numbers by their length, a mark at each line's end and at the start of each formula and code span.
2. The domain is the most probable label. A score is the expected label of an ordinal model (0-5), over 5.

The models and the card with their agreement lie in filters/models; pipeline.train_taggers makes them.
Cost: about 6 ms for 5 kB of dense math (two shared cores).
"""

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple, Protocol

import fasttext

from filters.spans import find_spans

DIMENSIONS = ("quality", "knowledge_density", "reasoning_depth")
MAX_LABEL = 5
"""Ordinal labels are 0..5 (the rubric of the quality labels, version 1)."""

MAX_CHARS = 6_000
"""The labels judge excerpts of at most this length; what follows was never seen in training."""

MODELS = "models"
CARD = "card.json"

# stdlib re: alternatives start with disjoint classes, and what a repeat takes nothing after it could: no
# backtracking.
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d]+|[^\w\s]")
_MAX_NUMBER_LENGTH = 5  # Ours: years, counts and long constants differ, their digits do not matter.


class Scores(NamedTuple):
    """The domain by its name in the card, the three dimensions in [0, 1]."""

    domain: str
    quality: float
    knowledge_density: float
    reasoning_depth: float


class Predictor(Protocol):
    """The binding below fasttext's own predict(), which fails on numpy 2."""

    def predict(
        self, text: str, k: int, threshold: float, on_unicode_error: str
    ) -> list[tuple[float, str]]: ...


class Tagger:
    """The four models of one folder, loaded. Not picklable: load it once per process."""

    def __init__(self, models: dict[str, Predictor], model_hash: str) -> None:
        self._models = models
        self.model_hash = model_hash
        """blake2b-128 of the model files, in the order of their names."""

    def score(self, text: str) -> Scores:
        """Scores of one document. The empty text is scored too (by its empty line)."""
        line = features(text)
        probabilities = label_probabilities(self._models["domain"], line)
        values = [expectation(label_probabilities(self._models[name], line)) for name in DIMENSIONS]
        return Scores(most_probable(probabilities), *values)

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Scores of each document, in order."""
        return [self.score(text) for text in texts]


def load(path: str | Path | None = None) -> Tagger:
    """Load the models of a folder; without one, those shipped in filters/models.

    Raises ValueError naming the file if one is missing or is not what card.json says.
    """
    folder = Path(path) if path is not None else shipped()
    expected = _read_card(folder)
    models: dict[str, Predictor] = {}
    for name in ("domain", *DIMENSIONS):
        file = folder / f"{name}.ftz"
        if not file.is_file():
            raise ValueError(f"{file}: no such model; remedy: train it with pipeline.train_taggers")
        if _hash(file.read_bytes()) != expected[name]:
            raise ValueError(f"{file}: not the model that {CARD} describes; remedy: restore both or retrain")
        models[name] = load_predictor(file)
    return Tagger(models, hash_models(folder))


def hash_models(path: str | Path | None = None) -> str:
    """The hash that tables made with these models state. Raises ValueError if there is no card."""
    card = _read_card(Path(path) if path is not None else shipped())
    return _hash(json.dumps(card, sort_keys=True).encode())


def shipped() -> Path:
    """The folder of the models in filters/models; out of a zip (spark-submit --py-files) unpacked first."""
    inside = files("filters") / MODELS
    return inside if isinstance(inside, Path) else Path(_unpacked().name)


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    """Deleted when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="reasonmill-models-")
    for file in (files("filters") / MODELS).iterdir():
        (Path(folder.name) / file.name).write_bytes(file.read_bytes())
    return folder


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
    return " ".join(tokens).encode("utf-8", "ignore").decode().replace("\0", "")


def load_predictor(file: Path) -> Predictor:
    """The model of one file."""
    predictor: Predictor = fasttext.load_model(str(file)).f
    return predictor


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


def _read_card(folder: Path) -> dict[str, str]:
    """Hash of each model file, as the card beside them states."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        return {name: str(card["models"][name]["hash"]) for name in ("domain", *DIMENSIONS)}
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(
            f"{folder / CARD}: {type(error).__name__}: {error}; remedy: train the taggers first"
        ) from None


def _hash(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=16).hexdigest()
