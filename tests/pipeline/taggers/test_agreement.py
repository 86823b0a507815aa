"""Kappa and AUC against values computed by hand and against scikit-learn; intervals contain the figure."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.taggers.agreement import auc, interval, kappa


def test_kappa_by_hand() -> None:
    given_labels = np.array([0, 0, 1, 1])
    # Three of four agree; chance agreement is 1/2 x 1/4 + 1/2 x 3/4 = 1/2.
    assert kappa(given_labels, np.array([0, 1, 1, 1]), 2, 0) == pytest.approx(0.5)
    # Quadratic: one disagreement by 2 in three rows costs 4/3; by chance (2 x (0 + 1 + 4) + (1 + 0 + 1)) / 9.
    assert kappa(np.array([0, 1, 2]), np.array([0, 1, 0]), 3, 2) == pytest.approx(1 - (4 / 3) / (12 / 9))


def test_auc_by_hand() -> None:
    assert auc(np.array([False, True, True]), np.array([0.1, 0.1, 0.9])) == pytest.approx(0.75)
    assert auc(np.array([True, True]), np.array([0.1, 0.9])) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.floats(0, 1)), min_size=5, max_size=60))
def test_both_agree_with_scikit_learn(rows: list[tuple[int, int, float]]) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    first, second, scores = (np.array(column) for column in zip(*rows, strict=True))
    if len(set(first) | set(second)) > 1:
        labels = list(range(6))
        for power, weights in ((0, None), (2, "quadratic")):
            reference = metrics.cohen_kappa_score(first, second, labels=labels, weights=weights)
            assert kappa(first, second, 6, power) == pytest.approx(reference, abs=1e-9)
    if 0 < (first >= 3).sum() < len(first):
        assert auc(first >= 3, scores) == pytest.approx(metrics.roc_auc_score(first >= 3, scores), abs=1e-9)


def test_groups_are_resampled_whole() -> None:
    values = np.array([0.0] * 50 + [1.0] * 50)

    def mean(rows: np.ndarray) -> float:
        return float(values[rows].mean())

    # 100 independent rows: standard error 0.05. Two groups of 50: the mean is 0, 0.5 or 1.
    low, high = interval([str(n) for n in range(100)], mean, seed=1) or (0.0, 0.0)
    assert 0.38 <= low <= 0.42
    assert 0.58 <= high <= 0.62
    assert interval(["a"] * 50 + ["b"] * 50, mean, seed=1) == (0.0, 1.0)
