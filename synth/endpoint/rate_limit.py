"""How fast requests may leave: a token bucket, refilled evenly over the minute.

A request takes one token; where none is left it waits for the one that it has reserved, so waiting requests
leave in order and evenly spaced. An idle minute saves up at most `burst` tokens.
"""

import time
from collections.abc import Callable


class TokenBucket:
    """Tokens for `per_minute` requests a minute, `burst` of them at once."""

    def __init__(self, per_minute: float, burst: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60.0
        self._burst = burst
        self._clock = clock
        self._tokens = float(burst)
        self._counted_at = clock()

    def take(self) -> float:
        """Take one token; the seconds to wait before using it, 0.0 if it was there."""
        now = self._clock()
        refilled = self._tokens + (now - self._counted_at) * self._per_second
        self._tokens = min(float(self._burst), refilled) - 1.0
        self._counted_at = now
        return max(0.0, -self._tokens / self._per_second)
