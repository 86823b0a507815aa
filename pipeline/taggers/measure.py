"""Measure how well held-out predictions agree with the labels: kappa, AUC per cut, reliability and confusion.

A student's score is its expected label, mapped to the labels' scale by fitted cuts. Here the scores of a fold
are mapped by cuts that were fitted to the other folds' predictions. Quadratic kappa is computed from
round(5 x score); that of the expected label without the map is given too.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from configs.contract import DOMAINS
from filters import taggers
from filters.taggers.scores import Numbers, on_label_scale
from pipeline.taggers.agreement import Weights, auc, auc_interval, kappa, kappa_interval
from pipeline.taggers.labels import SEED, Label, Rows, independent_unit, split_folds

NUM_BINS = 10
"""Bins of a reliability curve; each has the same number of documents."""

Figures = dict[str, object]


@dataclass(frozen=True)
class Predictions:
    """Held-out predictions in the labels' order: indices of domains in DOMAINS, expectations in [0, 1]."""

    domains: Rows
    scores: dict[str, Numbers]


def measure(labels: Sequence[Label], split: str, predictions: Predictions) -> dict[str, Figures]:
    """Return the figures of one split, by dimension. Intervals resample the units of the split."""
    units = [independent_unit(label, split) for label in labels]
    parts = split_folds(labels, split)
    given = np.array([DOMAINS.index(label.domain) for label in labels])
    domains = _kappa_figure(units, given, predictions.domains, len(DOMAINS), None)
    measured = {"domain": domains | {"confusion": confusion(given, predictions)}}
    for name in taggers.DIMENSIONS:
        ordinal = np.array([getattr(label, name) for label in labels])
        measured[name] = measure_ordinal(ordinal, predictions.scores[name], units, parts)
    return measured


def confusion(given: Rows, predictions: Predictions) -> list[list[int]]:
    """Count the documents by given (row) and predicted (column) domain, in the order of DOMAINS."""
    counts = np.bincount(given * len(DOMAINS) + predictions.domains, minlength=len(DOMAINS) ** 2)
    return [[int(n) for n in row] for row in counts.reshape(len(DOMAINS), -1)]


def measure_ordinal(given: Rows, expected: Numbers, units: Sequence[str], parts: Sequence[Rows]) -> Figures:
    """Return quadratic kappa (scaled and unscaled), AUC of "label at least k" per cut, and reliability."""
    scores = scale_by_other_folds(given, expected, parts)
    num_labels = taggers.MAX_LABEL + 1

    def quadratic(values: Numbers) -> Figures:
        rounded = np.rint(values * taggers.MAX_LABEL).astype(np.int64)
        return _kappa_figure(units, given, rounded, num_labels, "quadratic")

    measured = quadratic(scores) | {
        "unscaled": quadratic(expected),
        "reliability": reliability(given, scores),
    }
    cuts: Figures = {}
    for cut in range(1, num_labels):
        is_above = given >= cut
        value = auc(is_above, scores)
        if value is not None:
            bounds = auc_interval(units, is_above, scores, SEED)
            cuts[str(cut)] = {
                "auc": round(value, 3),
                "interval": bounds,
                "num_at_or_above": int(is_above.sum()),
            }
    return measured | {"cuts": cuts}


def fit_cuts(given: Rows, scores: Numbers) -> list[float]:
    """Return the scores at which labels 1 to 5 begin, so that each label is as frequent as in `given`."""
    below = [float((given < label).mean()) for label in range(1, taggers.MAX_LABEL + 1)]
    # The interpolation needs cuts that rise strictly inside (0, 1). A label that was never given has its cut
    # at the end.
    bounded = np.clip(np.quantile(scores, below), 1e-3, 1 - 1e-3)
    return [float(cut) for cut in np.maximum.accumulate(bounded + 1e-6 * np.arange(len(below)))]


def fitted_cuts(labels: Sequence[Label], predictions: Predictions) -> dict[str, list[float]]:
    """Return, per dimension, the scores at which labels 1 to 5 begin."""
    given = {name: np.array([getattr(label, name) for label in labels]) for name in taggers.DIMENSIONS}
    return {
        name: [round(cut, 4) for cut in fit_cuts(given[name], predictions.scores[name])]
        for name in taggers.DIMENSIONS
    }


def scale_by_other_folds(given: Rows, expected: Numbers, parts: Sequence[Rows]) -> Numbers:
    """Map the expectations of each fold by cuts that were fitted to the other folds."""
    scaled = np.zeros(len(given))
    for part in parts:
        rest = np.setdiff1d(np.arange(len(given)), part)
        cuts = fit_cuts(given[rest], expected[rest])
        scaled[part] = [on_label_scale(value, cuts) for value in expected[part]]
    return scaled


def reliability(given: Rows, scores: Numbers) -> list[list[float]]:
    """Return, per bin of equally many documents, mean score, mean label / 5 and number of documents."""
    bins = np.array_split(np.argsort(scores, kind="stable"), NUM_BINS)
    return [
        [round(float(scores[b].mean()), 4), round(float(given[b].mean()) / taggers.MAX_LABEL, 4), len(b)]
        for b in bins
        if len(b)
    ]


def _kappa_figure(
    units: Sequence[str], given: Rows, predicted: Rows, num_labels: int, weights: Weights
) -> Figures:
    value = kappa(given, predicted, num_labels, weights)
    bounds = kappa_interval(units, given, predicted, num_labels, weights, SEED)
    return {"kappa": round(value, 3), "interval": bounds}
