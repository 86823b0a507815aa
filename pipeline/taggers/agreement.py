"""Agreement of predicted with given labels: kappa, quadratic kappa, AUC, with intervals by group bootstrap.

Kappa is agreement beyond what the two label frequencies give by chance (Cohen 1960); the quadratic one weighs
a disagreement by the square of its distance (Cohen 1968). AUC is the probability that a document at or above
a cut scores higher than one below it, ties counting half (Mann-Whitney).
An interval is the 2.5th to 97.5th percentile over resamples of whole groups, since documents of one source
are not independent.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

NUM_RESAMPLES = 1_000  # Ours: the bounds then move by less than 0.01 from seed to seed.

Numbers = npt.NDArray[np.float64]


def kappa(
    given: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64], num_labels: int, power: int
) -> float:
    """Cohen's kappa of labels 0..num_labels-1: power 0 counts disagreements, 2 weighs them quadratically."""
    counts = np.bincount(given * num_labels + predicted, minlength=num_labels**2)
    observed = counts.reshape(num_labels, num_labels) / len(given)
    expected = np.outer(observed.sum(axis=1), observed.sum(axis=0))
    distance = np.abs(np.subtract.outer(np.arange(num_labels), np.arange(num_labels)))
    cost = (distance > 0).astype(float) if power == 0 else distance.astype(float) ** power
    chance = float((cost * expected).sum())
    return 1.0 - float((cost * observed).sum()) / chance if chance else 1.0


def auc(is_positive: npt.NDArray[np.bool_], scores: Numbers) -> float | None:
    """Area under the ROC curve; None where one side is empty."""
    num_positive = int(is_positive.sum())
    num_negative = len(scores) - num_positive
    if not num_positive or not num_negative:
        return None
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle_ranks = np.cumsum(counts) - (counts - 1) / 2
    ranks = middle_ranks[inverse]
    wins = float(ranks[is_positive].sum()) - num_positive * (num_positive + 1) / 2
    return wins / (num_positive * num_negative)


def interval(
    groups: Sequence[str], measure: Callable[[npt.NDArray[np.int64]], float | None], seed: int
) -> tuple[float, float] | None:
    """95 % interval of `measure`, which gets row numbers; None if resamples leave it undefined."""
    _, codes = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(codes, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    generator = np.random.Generator(np.random.PCG64(seed))
    values = []
    for _ in range(NUM_RESAMPLES):
        drawn = generator.integers(0, len(members), len(members))
        value = measure(np.concatenate([members[group] for group in drawn]))
        if value is None:
            return None
        values.append(value)
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 3), round(float(high), 3)
