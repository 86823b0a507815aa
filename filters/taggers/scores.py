"""The scores that every tagger returns, and its folder of model files with the card that describes them."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

DIMENSIONS = ("quality", "knowledge_density", "reasoning_depth")
MAX_LABEL = 5
"""Ordinal labels are 0 to 5 (the rubric of the quality labels, version 1)."""

MAX_CHARS = 6_000
"""Longest excerpt that the labels judge. Text beyond it was never seen in training."""

CARD = "card.json"

Numbers = npt.NDArray[np.float64]


class Scores(NamedTuple):
    """The domain by its name in the card, and three dimensions in [0, 1] (label divided by MAX_LABEL)."""

    domain: str
    quality: float
    knowledge_density: float
    reasoning_depth: float


class Tagger(Protocol):
    """A loaded student. It cannot be pickled: load it once per process."""

    model_hash: str
    """blake2b-128 of the hashes of its files. Tables made with the student state it."""

    def score(self, text: str) -> Scores:
        """Return the scores of one document. The empty text has scores too."""

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Return the scores of each document, in order."""


def read_card(folder: Path) -> dict[str, Any]:
    """Read the card of a folder of models; raise ValueError if it is missing or names no student or files."""
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
    """Raise ValueError with the file's name if a file is missing or differs from the card."""
    for name, entry in card["models"].items():
        file = folder / name
        if not file.is_file():
            raise ValueError(f"{file}: no such model; remedy: train it with pipeline.taggers.train_fasttext")
        if hash_bytes(file.read_bytes()) != entry["hash"]:
            raise ValueError(f"{file}: not the model that {CARD} describes; remedy: restore both or retrain")


def hash_card(card: dict[str, Any]) -> str:
    """Return the hash that tables made with these models state."""
    hashes = {name: entry["hash"] for name, entry in card["models"].items()}
    return hash_bytes(json.dumps(hashes, sort_keys=True).encode())


def hash_bytes(data: bytes) -> str:
    """Return the blake2b-128 hash in hexadecimal."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def on_label_scale(expected: float, cuts: Sequence[float]) -> float:
    """Map an expectation in [0, 1] to the scale of the labels: `cuts[k-1]` becomes (k - 1/2) / MAX_LABEL.

    Expectations vary less than the labels they predict, and least for a weak model. As many documents have an
    expectation at or above the cut of k as have label k or more, so that rounded scores have the same
    distribution as the annotators' labels. The map is linear between the cuts and keeps 0 and 1.
    Cost: reliability at the ends of the scale falls by 0.05 (see the card), while kappa rises by 0.01 to
    0.06.
    """
    marks = [0.0, *((k + 0.5) / MAX_LABEL for k in range(MAX_LABEL)), 1.0]
    return float(np.interp(expected, [0.0, *cuts, 1.0], marks))
