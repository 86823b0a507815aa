"""Quality gate of the taggers: `tests/gates/gate_taggers.py --eval-data DIR [--taggers DIR] [--json FILE]`.

On the labels that the student was trained on (the card states their hash) the floors hold for the card's
cross-validation by document; on any other quality-labels.jsonl they hold for the student's own scores:
plain kappa of the domain, quadratic kappa of round(5 x score). Exit code 1 when a kappa is
below its floor, 2 when there are no labels.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from configs.contract import DOMAINS
from filters import taggers
from filters.taggers.scores import read_card
from pipeline.taggers.agreement import Weights, kappa, kappa_interval
from pipeline.taggers.labels import hash_labels, read_labels

NAMES = ("quality-labels.jsonl", "quality-labels.jsonl.xz")
FLOORS = json.loads(Path(__file__).with_name("tagger_floors.json").read_text())
"""Kappa by student and dimension: what cross-validation by document gave when last trained, less 0.01."""


def main() -> int:
    """Compare with the floors; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--taggers", type=Path, default=taggers.shipped())
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    card = read_card(options.taggers)
    files = [options.eval_data / name for name in NAMES if (options.eval_data / name).is_file()]
    if not files:
        print(f"skipped: no {NAMES[0]} in {options.eval_data}")
        return 2
    seen = card["labels"]["hash"] in {hash_labels(file) for file in files}
    measured = from_card(card) if seen else from_scores(options.taggers, files[0])
    print(f"{card['student']} student, " + ("cross-validation by document" if seen else "labels never seen"))
    failed = False
    for name, (value, bounds) in measured.items():
        floor = FLOORS[card["student"]][name]
        failed |= value < floor
        print(f"{'FAIL' if value < floor else 'ok  '} {name}: kappa {value:.3f} {bounds}, floor {floor:.3f}")
    if options.json:
        options.json.write_text(json.dumps(measured))
    return int(failed)


def from_card(card: dict) -> dict[str, tuple[float, object]]:
    """Kappa and interval by dimension, as the card states them."""
    by_document = card["agreement"]["document"]
    return {name: (figures["kappa"], figures["interval"]) for name, figures in by_document.items()}


def from_scores(folder: Path, file: Path) -> dict[str, tuple[float, object]]:
    """Kappa and interval by dimension of the student's scores on labels that it did not see."""
    labels = read_labels(file)
    scores = taggers.load(folder).score_many([label.text for label in labels])
    units = [label.id for label in labels]

    def compare(
        given: np.ndarray, predicted: np.ndarray, num_labels: int, weights: Weights
    ) -> tuple[float, object]:
        value = kappa(given, predicted, num_labels, weights)
        return round(value, 3), kappa_interval(units, given, predicted, num_labels, weights, seed=1)

    given = np.array([DOMAINS.index(label.domain) for label in labels])
    predicted = np.array([DOMAINS.index(score.domain) for score in scores])
    measured = {"domain": compare(given, predicted, len(DOMAINS), None)}
    for name in taggers.DIMENSIONS:
        given = np.array([getattr(label, name) for label in labels])
        values = np.array([getattr(score, name) for score in scores])
        predicted = np.rint(values * taggers.MAX_LABEL).astype(np.int64)
        measured[name] = compare(given, predicted, taggers.MAX_LABEL + 1, "quadratic")
    return measured


if __name__ == "__main__":
    sys.exit(main())
