"""The card of a student: card.json, which its tagger reads, and CARD.md and card.svg, which people read.

The card says what the student is and how well it agrees with the labels. Every figure of CARD.md and card.svg
is in card.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from configs.contract import DOMAINS
from configs.tables import hash_bytes
from filters import taggers
from pipeline.taggers.labels import NUM_FOLDS, SPLITS, Label, hash_labels
from pipeline.taggers.measure import Figures
from pipeline.taggers.picture import card_picture

Card = dict[str, Any]
"""The content of card.json."""

_SPLITS = {
    "source": "no source on both sides (each web page is a source): kinds of text that are new to the model",
    "document": "no document on both sides: kinds of text that the model has seen",
}
_STUDENTS = {
    "fasttext": (
        "Four fastText models over words, with marks for code and math. One predicts the domain; three",
        "predict quality, knowledge density and reasoning depth as labels from 0 to 5.",
    ),
    "encoder": (
        "A fine-tuned BERT encoder over windows of the document, with the TextStats measurements as further",
        "input. It predicts the domain, and quality, knowledge density and reasoning depth as labels from",
        "0 to 5.",
    ),
}


def write_card(
    folder: Path,
    files: Sequence[str],
    labels: Sequence[Label],
    labels_path: Path,
    agreement: Mapping[str, Mapping[str, Figures]],
    cuts: Mapping[str, Sequence[float]],
    student: Mapping[str, object],
) -> Card:
    """Write card.json, CARD.md and card.svg into a student's folder. Returns the card.

    files: names of the model files in the folder. agreement: figures by split and dimension. cuts: by
    dimension.
    student: what only this kind of student has; it holds at least `student` (the kind) and `settings`.
    """
    card: Card = {
        **student,
        "domains": list(DOMAINS),
        "labels": {"hash": hash_labels(labels_path), "num_documents": len(labels)},
        "models": {name: _describe(folder / name) for name in files},
        "num_folds": NUM_FOLDS,
        "cuts": cuts,
        "agreement": agreement,
    }
    (folder / taggers.CARD).write_text(json.dumps(card, indent=1, sort_keys=True) + "\n")
    (folder / "CARD.md").write_text(card_markdown(card))
    (folder / "card.svg").write_text(card_picture(card))
    return card


def _describe(file: Path) -> dict[str, object]:
    """Return the hash and the size of a model file."""
    data = file.read_bytes()
    return {"hash": hash_bytes(data), "bytes": len(data)}


def card_markdown(card: Card) -> str:
    """Return the text of CARD.md."""
    models = card["models"].values()
    lines = [
        "# Taggers",
        "",
        *_STUDENTS[card["student"]],
        "A score is the expected label divided by 5, mapped to a scale on which round(5 x score) gives every",
        "label as often as the annotators did.",
        "",
        f"- labels: {card['labels']['num_documents']:,} documents, blake2b `{card['labels']['hash']}`;"
        " texts of at most 6,000 characters, mostly English",
        f"- pseudo-labels: {_pseudo_labels(card)}",
        f"- size: {sum(model['bytes'] for model in models):,} bytes",
        "- use: as weights of a mixture over many documents; not for single documents or other languages",
        "- contents: single words and signs, each from several documents; no text",
    ]
    for split in SPLITS:
        lines += ["", f"## {card['num_folds']}-fold cross-validation, {_SPLITS[split]}", ""]
        lines += [
            "| model | kappa | 95 % | kappa without the scale | AUC at label >= 1, 2, 3, 4, 5 (95 %) |",
            "|---|---|---|---|---|",
        ]
        measured = card["agreement"][split]
        lines += [_row(name, measured[name]) for name in ("domain", *taggers.DIMENSIONS)]
    lines += [
        "",
        "For the domain, kappa is Cohen's kappa; for the others, it is the quadratic kappa of round(5 x",
        "score). The scale of each fold is fitted to the other folds. The 95 % intervals resample whole",
        "sources or documents.",
        "",
        "![Reliability and confusion in the document split](card.svg)",
        "",
        *_reliability(card),
        *_confusion(card),
    ]
    return "\n".join(lines)


def _pseudo_labels(card: Card) -> str:
    number = card.get("num_pseudo_labels", 0)
    return (
        f"{number:,} by the encoder; each fold was trained on those of a teacher that had not seen the fold"
        if number
        else "none"
    )


def _row(name: str, figures: Card) -> str:
    cuts = ", ".join(f"{cut['auc']:.2f} {_interval(cut)}" for cut in figures.get("cuts", {}).values())
    plain = figures.get("unscaled")
    graded = f"{plain['kappa']:.3f} {_interval(plain)}" if plain else "-"
    return f"| {name} | {figures['kappa']:.3f} | {_interval(figures)} | {graded} | {cuts or '-'} |"


def _interval(figures: Card) -> str:
    bounds = figures["interval"]
    return f"({bounds[0]:.2f}-{bounds[1]:.2f})" if bounds else "(too few)"


def _reliability(card: Card) -> list[str]:
    lines = [
        "## Reliability, document split: mean score -> mean label / 5, bins of equally many documents",
        "",
    ]
    for name in taggers.DIMENSIONS:
        bins = card["agreement"]["document"][name]["reliability"]
        points = ", ".join(f"{score:.2f} -> {label:.2f}" for score, label, _ in bins)
        lines.append(f"- {name}: {points}")
    return [*lines, ""]


def _confusion(card: Card) -> list[str]:
    domains = card["domains"]
    rows = card["agreement"]["document"]["domain"]["confusion"]
    lines = ["## Domains, document split: documents by given (rows) and predicted (columns) domain", ""]
    lines += ["| | " + " | ".join(domains) + " |", "|---" * (len(domains) + 1) + "|"]
    for domain, counts in zip(domains, rows, strict=True):
        lines.append(f"| {domain} | " + " | ".join(map(str, counts)) + " |")
    return [*lines, ""]
