"""When a step must not change the weights: its loss or gradient is not finite, or far above the last ones.

Pure functions of logged numbers, so that a resumed run decides the same. The rule is OLMo-core's (skip-step
optimizer: 6 standard deviations over the last 128 steps); train.py skips the step or rolls back. No torch.
"""

import math
from collections.abc import Sequence
from statistics import fmean, pstdev

WINDOW = 128
"""Steps remembered. Source: OLMo-core, `rolling_interval_length`."""
MIN_HISTORY = 64
"""With fewer steps only finiteness is checked. Our choice: half the window, since early losses fall fast."""

History = tuple[tuple[float, float], ...]
"""(main loss in nats, gradient norm) of the last accepted steps, oldest first."""


def fault(
    loss: float, mtp_loss: float, grad_norm: float, history: History, sigmas: float | None
) -> str | None:
    """Why this step is to be skipped, or None. Without `sigmas`, only what is not finite is a fault."""
    for name, value in (("loss", loss), ("MTP loss", mtp_loss), ("gradient norm", grad_norm)):
        if not math.isfinite(value):
            return f"{name} is {value}"
    if sigmas is None or len(history) < MIN_HISTORY:
        return None
    for name, value, past in (
        ("loss", loss, [item[0] for item in history]),
        ("gradient norm", grad_norm, [item[1] for item in history]),
    ):
        mean, deviation = fmean(past), pstdev(past)
        if value > mean + sigmas * deviation:
            return f"{name} {value:.4g} is above {mean:.4g} + {sigmas:g} x {deviation:.4g}"
    return None


def remember(history: History, loss: float, grad_norm: float) -> History:
    """The history after an accepted step."""
    return (*history, (loss, grad_norm))[-WINDOW:]


def is_passed(step: int, passed: Sequence[tuple[int, int]]) -> bool:
    """True if a rollback decided that this step (counted from 1) is passed over."""
    return any(first <= step <= last for first, last in passed)
