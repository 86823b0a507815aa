"""What every tagger gives, and the folder it is loaded from: model files and the card with their hashes."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

DIMENSIONS = ("quality", "knowledge_density", "reasoning_depth")
MAX_LABEL = 5
"""Ordinal labels are 0..5 (the rubric of the quality labels, version 1)."""

MAX_CHARS = 6_000
"""The labels judge excerpts of at most this length; what follows was never seen in training."""

CARD = "card.json"

Numbers = npt.NDArray[np.float64]


class Scores(NamedTuple):
    """The domain by its name in the card, the three dimensions in [0, 1]: label over MAX_LABEL."""

    domain: str
    quality: float
    knowledge_density: float
    reasoning_depth: float


class Tagger(Protocol):
    """A student, loaded. Not picklable: load it once per process."""

    model_hash: str
    """blake2b-128 of the hashes of its files: what tables made with it state."""

    def score(self, text: str) -> Scores:
        """Scores of one document. The empty text is scored too."""

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Scores of each document, in order."""


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a folder of models. Raises ValueError if there is none that names its student and files."""
    try:
        card: dict[str, Any] = json.loads((folder / CARD).read_text(encoding="utf-8"))
        _ = (
            card["student"],
            card["domains"],
            card["cuts"],
            {name: entry["hash"] for name, entry in card["models"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{folder / CARD}: {type(error).__name__}: {error}; remedy: train the taggers first"
        ) from None
    return card


def check_files(folder: Path, card: dict[str, Any]) -> None:
    """Raise ValueError naming the file if one is missing or is not what the card says."""
    for name, entry in card["models"].items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{file}: no such model; remedy: train it with pipeline.taggers.train_fasttext")
        if hash_bytes(file.read_bytes()) != entry["hash"]:
            raise ValueError(f"{file}: not the model that {CARD} describes; remedy: restore both or retrain")


def hash_card(card: dict[str, Any]) -> str:
    """The hash that tables made with these models state."""
    hashes = {name: entry["hash"] for name, entry in card["models"].items()}
    return hash_bytes(json.dumps(hashes, sort_keys=True).encode())


def hash_bytes(data: bytes) -> str:
    """blake2b-128."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def on_label_scale(expected: float, cuts: Sequence[float]) -> float:
    """An expectation in [0, 1] on the scale of the labels: `cuts[k-1]` becomes (k - 1/2) / MAX_LABEL.

    An expectation varies less than the labels it predicts, the less so the weaker the model. The cuts are the
    expectations at or above which lie as many documents as have label k or more, so that rounding gives every
    label as often as the annotators did. Linear between the cuts, 0 and 1 stay. Cost: 0.05 of reliability at
    the ends of the scale (see the card), for 0.01 to 0.06 of kappa.
    """
    marks = [0.0, *((k + 0.5) / MAX_LABEL for k in range(MAX_LABEL)), 1.0]
    return float(np.interp(expected, [0.0, *cuts, 1.0], marks))
