"""Train the fastText student on labelled documents: four models, and a card that says how good they are.

    python -m pipeline.taggers.train_fasttext --labels LABELS.jsonl[.xz] [--pseudo-labels PSEUDO.jsonl]
        [--base FOLDER] [--output DIR]

1. Compute starting vectors of words with the sentence encoder in FOLDER (pipeline.taggers.word_vectors);
   without --base they are random.
2. Cross-validate twice. The split "source" has no source on both sides (each web page is a source) and
   measures the taggers on kinds of text that they have not seen. The split "document" has no document on both
   sides and measures them on kinds of text that they have seen.
3. Train the four models on all labels; fit the cuts of the scale to the predictions of the document split.
4. Write the models, card.json, CARD.md and card.svg. Labels follow the rubric: the domain, and quality,
   knowledge_density and reasoning_depth from 0 to 5. Pseudo-labels come from train_encoder; every fold trains
   on those of its own teacher. The card contains no text; the models contain single words, each from several
   documents.
Cost: three minutes on two cores for 1,829 labels and 18,208 pseudo-labels (11 fits).
"""

import logging
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from configs.command import configure_logging, refusals_in_one_line, run_command
from configs.contract import DOMAINS
from filters import taggers
from filters.taggers.fasttext import MODELS, features, load_predictor, predict
from pipeline.taggers.card import write_card
from pipeline.taggers.fit_fasttext import Examples, FitSettings, fit
from pipeline.taggers.labels import (
    SPLITS,
    WHOLE,
    Label,
    PseudoLabel,
    Rows,
    read_labels,
    read_pseudo_labels,
    scores_of,
    split_folds,
    spread,
)
from pipeline.taggers.measure import Predictions, fitted_cuts, measure
from pipeline.taggers.word_vectors import Vectors, word_vectors

logger = logging.getLogger(__name__)

# Our choice: the best kappa in cross-validation by document; docs/log.md holds what was compared.
SETTINGS = FitSettings(
    dim=32,
    epochs=8,
    batch_documents=128,
    vector_rate=1e-2,
    output_rate=3e-2,
    vector_scale=0.3,
    max_words=30_000,
    min_documents=3,
    seed=1,
)
LABEL_COPIES = 3
"""Copies of each labelled document in an epoch. Our choice: a label counts as much as three pseudo-labels."""
EPOCHS_WITHOUT_PSEUDO_LABELS = 16
"""Epochs if there are no pseudo-labels. Our choice."""

LABELS: dict[str, tuple[str, ...]] = {"domain": DOMAINS} | dict.fromkeys(
    taggers.DIMENSIONS, tuple(map(str, range(taggers.MAX_LABEL + 1)))
)


def run(
    labels_path: Path, output: Path, pseudo_path: Path | None = None, base: Path | None = None
) -> dict[str, object]:
    """Cross-validate and train; write models and card. Returns the card.

    Raises ConfigError on unusable labels.
    """
    started = time.monotonic()
    labels = read_labels(labels_path)
    pseudo = read_pseudo_labels(pseudo_path, labels) if pseudo_path is not None else []
    corpus = Corpus(labels, pseudo, base)
    agreement = {}
    for split in SPLITS:
        predictions = cross_validate(corpus, split)
        agreement[split] = measure(labels, split, predictions)
        logger.info("train_fasttext: by %s: %s", split, {k: v["kappa"] for k, v in agreement[split].items()})
    output.mkdir(parents=True, exist_ok=True)
    corpus.fit(np.arange(len(labels)), WHOLE, output)
    facts = {
        "student": "fasttext",
        "num_pseudo_labels": len(pseudo),
        "num_word_vectors": len(corpus.vectors),
        "settings": asdict(corpus.settings),
    }
    files = [f"{model}.ftz" for model in MODELS]
    cuts = fitted_cuts(labels, predictions)
    card = write_card(output, files, labels, labels_path, agreement, cuts, facts)
    logger.info("train_fasttext: %d labels, %.0f s", len(labels), time.monotonic() - started)
    return card


class Corpus:
    """The documents as the lines that the models read, and the words' vectors; made once for every fit."""

    def __init__(
        self, labels: Sequence[Label], pseudo: Sequence[PseudoLabel], base: Path | None = None
    ) -> None:
        self.labels = labels
        self.pseudo = pseudo
        self.lines = [features(label.text) for label in labels]
        self._pseudo_lines = [features(row.text) for row in pseudo]
        self.settings = SETTINGS if pseudo else replace(SETTINGS, epochs=EPOCHS_WITHOUT_PSEUDO_LABELS)
        self.vectors: Vectors = {}
        if base is not None:
            counts = Counter(word for line in (*self.lines, *self._pseudo_lines) for word in line.split(" "))
            known = {w: n for w, n in counts.items() if w and n >= SETTINGS.min_documents}
            self.vectors = word_vectors(known, base, SETTINGS.dim)

    def fit(self, rows: Rows, teacher: str, folder: Path) -> None:
        """Train the models on the labelled `rows` and `teacher`'s pseudo-labels; write them to `folder`."""
        fit(self.examples(rows, teacher), LABELS, self.vectors, folder, self.settings)

    def examples(self, rows: Rows, teacher: str) -> Examples:
        """Return the labelled `rows`, and `teacher`'s pseudo-labels whose parent is one of them or "".

        Excerpts of held-out documents are thus left out.
        """
        known = {self.labels[row].id for row in rows} | {""}
        chosen = [number for number, row in enumerate(self.pseudo) if row.parent in known]
        lines = [self.lines[row] for row in rows] * LABEL_COPIES
        lines += [self._pseudo_lines[number] for number in chosen]
        given = [scores_of(self.labels[row]) for row in rows] * LABEL_COPIES
        given += [self.pseudo[number].scores[teacher] for number in chosen]
        domains = np.array([DOMAINS.index(scores[0]) for scores in given])
        targets = {"domain": np.eye(len(DOMAINS), dtype=np.float32)[domains]}
        for place, name in enumerate(taggers.DIMENSIONS, 1):
            targets[name] = spread([float(scores[place]) for scores in given])
        return Examples(lines, targets)


def cross_validate(corpus: Corpus, split: str) -> Predictions:
    """Predict each fold with quantised models that were trained on the other folds."""
    labels = corpus.labels
    domains = np.zeros(len(labels), dtype=np.int64)
    scores = {name: np.zeros(len(labels)) for name in taggers.DIMENSIONS}
    with tempfile.TemporaryDirectory() as folder:
        for number, fold in enumerate(split_folds(labels, split)):
            corpus.fit(np.setdiff1d(np.arange(len(labels)), fold), f"{split} {number}", Path(folder))
            models = {name: load_predictor(Path(folder, f"{name}.ftz")) for name in MODELS}
            for row in fold:
                domain, expected = predict(models, corpus.lines[row])
                domains[row] = DOMAINS.index(domain)
                for name in taggers.DIMENSIONS:
                    scores[name][row] = expected[name]
    return Predictions(domains, scores)


def command(
    labels: Annotated[Path, typer.Option(help="JSONL(.xz) of labelled documents")],
    pseudo_labels: Annotated[Path | None, typer.Option(help="JSONL written by train_encoder")] = None,
    base: Annotated[
        Path | None, typer.Option(help="folder of a BERT sentence encoder with tokenizer.json")
    ] = None,
    output: Annotated[Path, typer.Option(help="folder for the models and the card")] = Path(
        "filters/taggers/models"
    ),
) -> None:
    """Train the fastText student and write its card."""
    configure_logging()
    with refusals_in_one_line():
        run(labels, output, pseudo_labels, base)


if __name__ == "__main__":
    run_command(command)
