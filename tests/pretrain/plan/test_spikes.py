"""The rule that skips a step, on numbers whose mean and deviation are known."""

import math

import pytest

from pretrain.plan.spikes import MIN_HISTORY, WINDOW, fault, is_passed, remember

STEADY = tuple((2.0 + (-1) ** n * 0.1, 1.0 + (-1) ** n * 0.2) for n in range(MIN_HISTORY))
"""Losses of mean 2.0 and deviation 0.1, gradient norms of mean 1.0 and deviation 0.2."""


@pytest.mark.parametrize(
    ("loss", "mtp", "norm", "history", "expected"),
    [
        (2.59, 9.0, 2.19, STEADY, None),
        (2.61, 2.0, 1.0, STEADY, "loss 2.61 is above 2 + 6 x 0.1"),
        (2.0, 2.0, 2.21, STEADY, "gradient norm 2.21 is above 1 + 6 x 0.2"),
        (50.0, 2.0, 50.0, STEADY[1:], None),  # too short a history
        (math.nan, 2.0, 1.0, (), "loss is nan"),
        (2.0, math.inf, 1.0, (), "MTP loss is inf"),
        (2.0, 2.0, -math.inf, (), "gradient norm is -inf"),
        (0.0, 0.0, 0.0, STEADY, None),
    ],
)
def test_fault(loss: float, mtp: float, norm: float, history: tuple, expected: str | None) -> None:
    assert fault(loss, mtp, norm, history, sigmas=6.0) == expected


def test_without_sigmas_only_what_is_not_finite_counts() -> None:
    assert fault(1e6, 1e6, 1e6, STEADY, sigmas=None) is None
    assert fault(math.nan, 1.0, 1.0, STEADY, sigmas=None) == "loss is nan"


def test_the_window_forgets_the_oldest() -> None:
    history: tuple = ()
    for number in range(WINDOW + 3):
        history = remember(history, float(number), 1.0)
    assert len(history) == WINDOW
    assert history[0] == (3.0, 1.0)


@pytest.mark.parametrize(("step", "expected"), [(4, False), (5, True), (7, True), (8, False), (11, True)])
def test_passed_stretches_hold_both_ends(step: int, expected: bool) -> None:
    assert is_passed(step, ((5, 7), (11, 11))) is expected
