"""Read labelled and pseudo-labelled documents, and divide the labelled ones into folds for cross-validation.

A pseudo-label is the prediction of a teacher (the encoder student) for a text without labels. The file of
pseudo-labels holds one prediction per fold's teacher, so that a student never depends on the labels of the
fold on which it is tested.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from configs.contract import DOMAINS
from configs.loader import ConfigError
from configs.tables import hash_bytes, hash_json
from configs.text_files import read_json_lines, read_text
from filters import taggers

NUM_FOLDS = 5
SEED = 1
"""Seed of the folds and of the intervals."""

SPLITS = ("source", "document")
WHOLE = "all"
"""Name of the teacher that was trained on all labels."""

WEB_SOURCES = frozenset({"fineweb"})
"""Sources whose documents each come from a different site."""

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Label:
    """One labelled document."""

    id: str
    source: str
    text: str
    domain: str
    quality: int
    knowledge_density: int
    reasoning_depth: int


@dataclass(frozen=True)
class PseudoLabel:
    """A text with the predictions of every teacher."""

    text: str
    parent: str
    """Id of the labelled document of which the text is an excerpt; "" if there is none."""
    scores: dict[str, tuple[str, float, float, float]]
    """Per teacher ("source 0", ..., "all"): the domain, and the expected labels in [0, MAX_LABEL]."""


def read_labels(path: Path) -> list[Label]:
    """Read labelled documents from a JSONL file, compressed or not.

    Raises ConfigError naming a faulty line.
    """
    if not path.is_file():
        raise ConfigError(f"--labels: no file {path}; remedy: give a JSONL(.xz) file of labelled documents")
    labels = []
    for number, row in read_json_lines(path):
        try:
            labels.append(_label(row))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: line {number}: {type(error).__name__}: {error}; remedy: give every line text, "
                "source, domain (of the contract), quality, knowledge_density, reasoning_depth (0 to 5)"
            ) from None
    if len({label.domain for label in labels}) < 2 or len(labels) < 10 * NUM_FOLDS:
        raise ConfigError(
            f"{path}: {len(labels)} labels; remedy: give at least {10 * NUM_FOLDS}, of at least two domains"
        )
    return labels


def hash_labels(path: Path) -> str:
    """Return the blake2b-128 hash of the uncompressed lines."""
    return hash_bytes(read_text(path).encode())


def read_pseudo_labels(path: Path, labels: Sequence[Label]) -> list[PseudoLabel]:
    """Read a file of pseudo-labels that train_encoder wrote for these labels.

    Raises ConfigError if the file was made for other labels or has a faulty line.
    """
    found = []
    for number, row in read_json_lines(path):
        if number == 1:
            if row.get("folds") != hash_folds(labels):
                raise ConfigError(
                    f"{path}: made for other labels or folds; remedy: run pipeline.taggers.train_encoder"
                )
            continue
        try:
            scores = {teacher: tuple(values) for teacher, values in row["scores"].items()}
            found.append(PseudoLabel(row["text"], row["parent"], scores))
        except (KeyError, TypeError, AttributeError) as error:
            raise ConfigError(
                f"{path}: line {number}: {type(error).__name__}: {error}; "
                "remedy: run pipeline.taggers.train_encoder"
            ) from None
    return found


def independent_unit(label: Label, split: str) -> str:
    """Return the unit that a split keeps together: the source (for a web page, the page) or the document."""
    return label.id if split == "document" or label.source in WEB_SOURCES else label.source


def folds(units: Sequence[str]) -> list[Rows]:
    """Return the row numbers of each fold. Whole units go, the largest first, to the smallest fold so far."""
    members: dict[str, list[int]] = {}
    for row, unit in enumerate(units):
        members.setdefault(unit, []).append(row)
    filled: list[list[int]] = [[] for _ in range(NUM_FOLDS)]
    by_hash = sorted(members, key=lambda unit: hashlib.md5(f"{SEED}{unit}".encode()).hexdigest())
    for unit in sorted(by_hash, key=lambda unit: -len(members[unit])):
        min(filled, key=len).extend(members[unit])
    return [np.array(sorted(fold), dtype=np.int64) for fold in filled]


def split_folds(labels: Sequence[Label], split: str) -> list[Rows]:
    """Return the folds of one of SPLITS."""
    return folds([independent_unit(label, split) for label in labels])


def hash_folds(labels: Sequence[Label]) -> str:
    """Return a hash of the labelled documents' ids and of their folds."""
    parts = [[labels[row].id for row in fold] for split in SPLITS for fold in split_folds(labels, split)]
    return hash_json(parts)


def scores_of(label: Label) -> tuple[str, float, float, float]:
    """Return a label in the form of a teacher's scores."""
    return (label.domain, label.quality, label.knowledge_density, label.reasoning_depth)


def spread(expected: Sequence[float]) -> npt.NDArray[np.float32]:
    """Return distributions over the labels 0 to MAX_LABEL, [n, 6].

    Each has the given expectation and is zero except at the two labels nearest to it.
    """
    places = np.clip(np.asarray(expected, dtype=np.float64), 0.0, taggers.MAX_LABEL)
    return np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(taggers.MAX_LABEL + 1))).astype(
        np.float32
    )


def _label(row: dict[str, Any]) -> Label:
    if row["domain"] not in DOMAINS:
        raise ValueError(f"domain is {row['domain']!r}")
    ordinals = {name: row[name] for name in taggers.DIMENSIONS}
    for name, value in ordinals.items():
        if not isinstance(value, int) or not 0 <= value <= taggers.MAX_LABEL:
            raise ValueError(f"{name} is {value!r}")
    return Label(
        id=str(row.get("id") or hash_bytes(str(row["text"]).encode())),
        source=str(row["source"]),
        text=str(row["text"]),
        domain=str(row["domain"]),
        **ordinals,
    )
