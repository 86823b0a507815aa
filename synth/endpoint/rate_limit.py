"""Limit the rate of requests with a token bucket that is refilled evenly.

A request takes one token. If none is left, it reserves the next one and waits for it, so waiting requests are
sent in order and evenly spaced. In a pause, the bucket fills to at most `burst` tokens.
"""

import time
from collections.abc import Callable


class TokenBucket:
    """A bucket for `per_minute` requests per minute, of which `burst` may be sent at once."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60.0
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._counted_at = clock()

    def take(self) -> float:
        """Take one token. Returns the seconds to wait before the request is sent; 0.0 if a token was left."""
        now = self._clock()
        refilled = self._tokens + (now - self._counted_at) * self._per_second
        self._tokens = min(float(self._burst), refilled) - 1.0
        self._counted_at = now
        return max(0.0, -self._tokens / self._per_second)
