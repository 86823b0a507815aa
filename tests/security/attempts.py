"""What every area of the security battery speaks of: one attempt at something that must not happen."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Attempt:
    """Something tried: its name, and a function that says what went wrong, or None if all held."""

    name: str
    fault: Callable[[], str | None]
    trials: int = 1
    """How many independent things the function tries."""


@dataclass(frozen=True)
class Setup:
    """What the areas get: how often, drawn from which seed, a folder to spoil, and whether to sabotage us."""

    count: int
    """Repetitions of every kind, each drawn anew."""
    seed: int
    folder: Path
    is_broken: bool

    def rng(self, area: str) -> random.Random:
        """The area's own random numbers."""
        return random.Random(f"{area}:{self.seed}")


def reset_peak_memory() -> int:
    """Start measuring this process's peak anew; resident bytes now."""
    Path("/proc/self/clear_refs").write_text("5")
    return peak_memory_bytes()


def peak_memory_bytes() -> int:
    """Peak resident bytes of this process since the last reset."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) << 10
