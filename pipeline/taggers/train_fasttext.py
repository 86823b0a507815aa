"""Train the fastText student from labelled documents: four models, and a card of how far to trust them.

    python -m pipeline.taggers.train_fasttext --labels LABELS.jsonl[.xz] [--pseudo-labels PSEUDO.jsonl]
        [--base FOLDER] [--output DIR]

1. Vectors of words from the sentence encoder in FOLDER (pipeline.taggers.word_vectors), else at random.
2. Cross-validate, twice: no source on both sides of a split ("source": how the taggers do on kinds of text
   never seen; web pages are a source each), then no document ("document": on kinds that were seen).
3. Train the four models on everything; fit the cuts of the scale to the predictions of the document split.
4. Write models, card.json, CARD.md and card.svg.
Labels follow the rubric: domain, and quality, knowledge_density, reasoning_depth from 0 to 5. Pseudo-labels
come from train_encoder; every fold trains on those of its own teacher. No text goes into the card;
the models hold single words, each of several documents. Cost: three minutes on two cores for 1,829 labels and
18,208 pseudo-labels (11 fits).

By document, on four folds (domain, quality, density, depth): fastText's own training .70, .70, .79, .78; its
own with these vectors .71 for the domain; trained here on every occurrence of a word .74, .69, .77, .77, on
one .71, .68, .78, .78, on 1 + log2 n .73, .70, .79, .79, and those from smaller vectors .74, .71, .80, .80.
Word pairs gave density and depth .005, cost the domain .007 and twice the time; dropping words gave nothing.

By document, all folds: pseudo-labels of 14,513 excerpts of the labelled documents .710, .705, .798, .771;
with those of 3,695 other texts (encyclopedia, news, documentation, code, problems; at most 5 % of the 8-word
runs of a text stand in the labelled documents) .733, .706, .811, .793.
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

from configs import tables
from configs.command import configure_logging, refusals_in_one_line, run_command
from configs.contract import DOMAINS
from configs.text_files import write_json
from filters import taggers
from filters.taggers.fasttext import MODELS, features, load_predictor, predict
from pipeline.taggers.card import card_markdown
from pipeline.taggers.fit_fasttext import Examples, FitSettings, fit
from pipeline.taggers.labels import (
    NUM_FOLDS,
    SPLITS,
    WHOLE,
    Label,
    PseudoLabel,
    Rows,
    hash_labels,
    read_labels,
    read_pseudo_labels,
    scores_of,
    split_folds,
    spread,
)
from pipeline.taggers.measure import Predictions, fit_cuts, measure
from pipeline.taggers.picture import card_picture
from pipeline.taggers.word_vectors import Vectors, word_vectors

logger = logging.getLogger(__name__)

# Ours: by document on four folds. Vectors of scale 1 lose .01 in every dimension, of .1 .01 in the domain;
# 60,000 words gain nothing and double the size.
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
"""Ours: a label counts as much as three pseudo-labels."""
PASSES_WITHOUT_PSEUDO_LABELS = 16
"""Ours: of LABEL_COPIES each."""

LABELS: dict[str, tuple[str, ...]] = {"domain": DOMAINS} | dict.fromkeys(
    taggers.DIMENSIONS, tuple(map(str, range(taggers.MAX_LABEL + 1)))
)


def run(
    labels_path: Path, output: Path, pseudo_path: Path | None = None, base: Path | None = None
) -> dict[str, object]:
    """Cross-validate, train, write models and card. Raises ConfigError on unusable labels."""
    started = time.monotonic()
    labels = read_labels(labels_path)
    pseudo = read_pseudo_labels(pseudo_path, labels) if pseudo_path is not None else []
    corpus = Corpus(labels, pseudo, base)
    agreement = {}
    for split in SPLITS:
        predictions = cross_validate(corpus, split)
        agreement[split] = measure(labels, split, predictions)
        logger.info("train_taggers: by %s: %s", split, {k: v["kappa"] for k, v in agreement[split].items()})
    output.mkdir(parents=True, exist_ok=True)
    corpus.fit(np.arange(len(labels)), WHOLE, output)
    card = {
        "student": "fasttext",
        "domains": list(DOMAINS),
        "labels": {"hash": hash_labels(labels_path), "num_documents": len(labels)},
        "num_pseudo_labels": len(pseudo),
        "num_word_vectors": len(corpus.vectors),
        "settings": asdict(corpus.settings),
        "models": {name: describe(output / name) for name in (f"{model}.ftz" for model in MODELS)},
        "num_folds": NUM_FOLDS,
        "cuts": fitted_cuts(labels, predictions),
        "agreement": agreement,
    }
    write_card(output, card)
    logger.info("train_taggers: %d labels, %.0f s", len(labels), time.monotonic() - started)
    return card


class Corpus:
    """What the models train on, as the lines that they read; made once, used by every fit."""

    def __init__(
        self, labels: Sequence[Label], pseudo: Sequence[PseudoLabel], base: Path | None = None
    ) -> None:
        self.labels = labels
        self.pseudo = pseudo
        self.lines = [features(label.text) for label in labels]
        self._pseudo_lines = [features(row.text) for row in pseudo]
        self.settings = SETTINGS if pseudo else replace(SETTINGS, epochs=PASSES_WITHOUT_PSEUDO_LABELS)
        self.vectors: Vectors = {}
        if base is not None:
            counts = Counter(word for line in (*self.lines, *self._pseudo_lines) for word in line.split(" "))
            known = {w: n for w, n in counts.items() if w and n >= SETTINGS.min_documents}
            self.vectors = word_vectors(known, base, SETTINGS.dim)

    def fit(self, rows: Rows, teacher: str, folder: Path) -> None:
        """Write the models that learned from the labelled `rows` and from `teacher`."""
        fit(self.examples(rows, teacher), LABELS, self.vectors, folder, self.settings)

    def examples(self, rows: Rows, teacher: str) -> Examples:
        """The labelled `rows`, and the pseudo-labels of `teacher` whose parent is among them."""
        known = {self.labels[row].id for row in rows} | {""}
        chosen = [number for number, row in enumerate(self.pseudo) if row.parent in known]
        lines = [self.lines[row] for row in rows] * LABEL_COPIES
        lines += [self._pseudo_lines[number] for number in chosen]
        said = [scores_of(self.labels[row]) for row in rows] * LABEL_COPIES
        said += [self.pseudo[number].scores[teacher] for number in chosen]
        domains = np.array([DOMAINS.index(scores[0]) for scores in said])
        targets = {"domain": np.eye(len(DOMAINS), dtype=np.float32)[domains]}
        for place, name in enumerate(taggers.DIMENSIONS, 1):
            targets[name] = spread([float(scores[place]) for scores in said])
        return Examples(lines, targets)


def cross_validate(corpus: Corpus, split: str) -> Predictions:
    """Predict each fold by quantised models that were trained on the others."""
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


def fitted_cuts(labels: Sequence[Label], predictions: Predictions) -> dict[str, list[float]]:
    """Per dimension, the scores where labels 1 to 5 begin."""
    return {
        name: [round(cut, 4) for cut in fit_cuts(_given(labels, name), predictions.scores[name])]
        for name in taggers.DIMENSIONS
    }


def describe(file: Path) -> dict[str, object]:
    """Hash and size of a model file, as the card states them."""
    data = file.read_bytes()
    return {"hash": tables.hash_bytes(data), "bytes": len(data)}


def write_card(output: Path, card: dict[str, object]) -> None:
    """card.json, CARD.md and card.svg."""
    write_json(output / taggers.CARD, card)
    (output / "CARD.md").write_text(card_markdown(card))
    (output / "card.svg").write_text(card_picture(card))


def _given(labels: Sequence[Label], name: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([getattr(label, name) for label in labels], dtype=np.int64)


def command(
    labels: Annotated[Path, typer.Option(help="JSONL(.xz) of labelled documents")],
    pseudo_labels: Annotated[Path | None, typer.Option(help="JSONL written by train_encoder")] = None,
    base: Annotated[
        Path | None, typer.Option(help="folder of a BERT sentence encoder with tokenizer.json")
    ] = None,
    output: Annotated[Path, typer.Option(help="folder for models and card")] = Path("filters/taggers/models"),
) -> None:
    """Train the fastText student and write its card."""
    configure_logging()
    with refusals_in_one_line():
        run(labels, output, pseudo_labels, base)


if __name__ == "__main__":
    run_command(command)
