"""Kappa and AUC against values computed by hand; intervals against one call of scikit-learn per resample."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.taggers import agreement
from pipeline.taggers.agreement import Weights, auc, auc_interval, kappa, kappa_interval

NOISE = np.random.default_rng(5)
GIVEN = NOISE.integers(0, 6, 60)
PREDICTED = np.clip(GIVEN + NOISE.integers(-1, 2, 60), 0, 5)
SCORES = np.round(GIVEN / 6 + NOISE.normal(0, 0.2, 60), 1)  # with ties
GROUPS = [f"g{n}" for n in NOISE.integers(0, 20, 60)]


def test_kappa_by_hand() -> None:
    given_labels = np.array([0, 0, 1, 1])
    # Three of four agree; chance agreement is 1/2 x 1/4 + 1/2 x 3/4 = 1/2.
    assert kappa(given_labels, np.array([0, 1, 1, 1]), 2, None) == pytest.approx(0.5, abs=1e-12)
    # One disagreement by 2 in three rows costs 4/3; by chance (2 x (0 + 1 + 4) + (1 + 0 + 1)) / 9.
    quadratic = kappa(np.array([0, 1, 2]), np.array([0, 1, 0]), 3, "quadratic")
    assert quadratic == pytest.approx(1 - (4 / 3) / (12 / 9), abs=1e-12)


def test_labels_without_disagreement_by_chance_agree() -> None:
    assert kappa(np.array([2, 2]), np.array([2, 2]), 3, "quadratic") == 1.0
    assert kappa_interval(["a", "b"], np.array([2, 2]), np.array([2, 2]), 3, None, seed=1) == (1.0, 1.0)


def test_auc_by_hand() -> None:
    assert auc(np.array([False, True, True]), np.array([0.1, 0.1, 0.9])) == pytest.approx(0.75, abs=1e-12)
    assert auc(np.array([True, True]), np.array([0.1, 0.9])) is None
    assert auc(np.array([False, False]), np.array([0.1, 0.9])) is None


def by_resample(measure: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """Percentiles of `measure`, which gets the rows of one resample of GROUPS after the other."""
    names = sorted(set(GROUPS))
    members = [np.flatnonzero(np.array(GROUPS) == name) for name in names]
    generator = np.random.Generator(np.random.PCG64(1))
    draws = generator.integers(0, len(names), (agreement.NUM_RESAMPLES, len(names)))
    values = [measure(np.concatenate([members[group] for group in drawn])) for drawn in draws]
    low, high = np.percentile(values, [2.5, 97.5])
    return round(float(low), 3), round(float(high), 3)


@pytest.mark.parametrize("weights", [None, "quadratic"])
def test_kappa_interval_is_that_of_the_kappas(weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "NUM_RESAMPLES", 100)
    expected = by_resample(lambda rows: kappa(GIVEN[rows], PREDICTED[rows], 6, weights))
    assert kappa_interval(GROUPS, GIVEN, PREDICTED, 6, weights, seed=1) == expected


def test_auc_interval_is_that_of_the_aucs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "NUM_RESAMPLES", 100)
    expected = by_resample(lambda rows: auc(GIVEN[rows] >= 3, SCORES[rows]) or 0.0)
    assert auc_interval(GROUPS, GIVEN >= 3, SCORES, seed=1) == expected
    assert auc_interval(["a", "b"], np.array([True, False]), np.array([1.0, 0.0]), seed=1) is None


def test_groups_are_resampled_whole() -> None:
    given = np.array([0, 1] * 50)
    predicted = np.array([0, 1] * 25 + [1, 0] * 25)  # the first half agrees, the second never
    # 100 independent rows: kappa is near 0, standard error 0.1. Two groups of 50: it is -1, 0 or 1.
    low, high = kappa_interval([str(n) for n in range(100)], given, predicted, 2, None, seed=1)
    assert -0.24 <= low <= -0.16
    assert 0.16 <= high <= 0.24
    assert kappa_interval(["a"] * 50 + ["b"] * 50, given, predicted, 2, None, seed=1) == (-1.0, 1.0)
