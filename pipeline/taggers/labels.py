"""Labelled documents, pseudo-labelled ones, and the folds of whole groups that cross-validation holds out.

A pseudo-label is what a teacher (the encoder student) says of a text without labels. Its file states the
scores of the teacher of every fold, so that no student is tested on a document whose label its teacher saw.
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
"""Of the folds and the intervals."""

SPLITS = ("source", "document")
WHOLE = "all"
"""Name of the teacher that saw every label."""

WEB_SOURCES = frozenset({"fineweb"})
"""Sources whose documents come from a site each."""

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
    """A text and what each teacher says of it."""

    text: str
    parent: str
    """Id of the labelled document it is an excerpt of, or ""."""
    scores: dict[str, tuple[str, float, float, float]]
    """By teacher ("source 0", ..., "all"): domain, expected labels in [0, MAX_LABEL]."""


def read_labels(path: Path) -> list[Label]:
    """Labelled documents of a JSONL file, compressed or not. Raises ConfigError naming the line."""
    if not path.is_file():
        raise ConfigError(f"--labels: no file {path}; remedy: give a JSONL(.xz) file of labelled documents")
    labels = []
    for number, row in read_json_lines(path):
        try:
            labels.append(_label(row))
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                f"{path}: line {number}: {type(error).__name__}: {error}; remedy: every line needs text, "
                "source, domain (of the contract), quality, knowledge_density, reasoning_depth (0 to 5)"
            ) from None
    if len({label.domain for label in labels}) < 2 or len(labels) < 10 * NUM_FOLDS:
        raise ConfigError(
            f"{path}: {len(labels)} labels; remedy: give at least {10 * NUM_FOLDS}, of two domains or more"
        )
    return labels


def hash_labels(path: Path) -> str:
    """blake2b-128 of the lines, whether the file is compressed or not."""
    return hash_bytes(read_text(path).encode())


def read_pseudo_labels(path: Path, labels: Sequence[Label]) -> list[PseudoLabel]:
    """Pseudo-labels of a file that train_encoder wrote for these labels. Raises ConfigError."""
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
    """What must not be on both sides of a split: the source (of a web page: the page) or the document."""
    return label.id if split == "document" or label.source in WEB_SOURCES else label.source


def folds(units: Sequence[str]) -> list[Rows]:
    """Row numbers of each fold: whole units, the largest first, each to the smallest fold."""
    members: dict[str, list[int]] = {}
    for row, unit in enumerate(units):
        members.setdefault(unit, []).append(row)
    filled: list[list[int]] = [[] for _ in range(NUM_FOLDS)]
    by_hash = sorted(members, key=lambda unit: hashlib.md5(f"{SEED}{unit}".encode()).hexdigest())
    for unit in sorted(by_hash, key=lambda unit: -len(members[unit])):
        min(filled, key=len).extend(members[unit])
    return [np.array(sorted(fold), dtype=np.int64) for fold in filled]


def split_folds(labels: Sequence[Label], split: str) -> list[Rows]:
    """The folds of one of SPLITS."""
    return folds([independent_unit(label, split) for label in labels])


def hash_folds(labels: Sequence[Label]) -> str:
    """Changes with the labelled documents and with the folds they fall into."""
    parts = [[labels[row].id for row in fold] for split in SPLITS for fold in split_folds(labels, split)]
    return hash_json(parts)


def scores_of(label: Label) -> tuple[str, float, float, float]:
    """A label as a teacher's scores."""
    return (label.domain, label.quality, label.knowledge_density, label.reasoning_depth)


def spread(expected: Sequence[float]) -> npt.NDArray[np.float32]:
    """Distributions over labels 0 to MAX_LABEL [n, 6]: each over the two labels beside its expectation."""
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
