"""The type of a problem, its stable id, and functions that find the answer in a written solution.

A family is a function that makes one Problem from a random generator and a level (1 easy to 3 hard). A
problem's `answer` comes from its worked steps, its `reference` from a different computation; comparing the
two therefore tests the steps.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from configs.tables import hash_bytes

LEVELS = (1, 2, 3)


@dataclass(frozen=True)
class CodeTest:
    """One unit test: a call, which the sandbox evaluates, and the literal that it must return.

    The expected literal never enters the sandbox.
    """

    call: str
    expected: str


@dataclass(frozen=True)
class Problem:
    """A statement in Markdown with one right answer: `reference` in LaTeX, or `tests` for code."""

    family: str
    """`field/name`, e.g. `number_theory/modular_power`."""
    group: str
    """The family and a parameter that related problems share.

    The train/heldout split keeps groups together.
    """
    level: int
    """1 (easy) to 3 (hard)."""
    statement: str
    steps: tuple[str, ...]
    """The worked solution, one paragraph per step."""
    answer: str = ""
    """The result of the steps in LaTeX; empty for code."""
    reference: str = ""
    """The same value in LaTeX, computed independently of the steps; empty for code."""
    code: str = ""
    flawed_code: str = ""
    """The code with one planted bug, which at least one test must detect."""
    tests: tuple[CodeTest, ...] = ()

    @property
    def is_code(self) -> bool:
        """True if the answer is a program."""
        return bool(self.tests)


Family = Callable[[random.Random, int], Problem]


def problem_id(statement: str) -> str:
    """Return the stable id of a problem: the hash of its statement, ignoring case and white space."""
    return hash_bytes(" ".join(statement.lower().split()).encode())


def boxed_answer(text: str) -> str | None:
    r"""Return the content of the last `\boxed{...}` with balanced braces; None if there is none."""
    start = text.rfind(r"\boxed{")
    if start < 0:
        return None
    begin = start + len(r"\boxed{")
    depth = 1
    for position in range(begin, len(text)):
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return text[begin:position].strip()
    return None


_FENCE = re.compile(r"^```(?:python|py)[ \t]*\n(.*?)^```[ \t]*$", re.DOTALL | re.MULTILINE)


def fenced_code(text: str) -> str | None:
    """Return the first Python block of a Markdown text; None if there is none."""
    match = _FENCE.search(text)
    return match[1] if match else None


def flawed_answer(answer: str, rng: random.Random) -> str:
    """Return the answer with its last number made larger by 1 to 9, which always changes the value.

    Raises ValueError if the answer holds no number.
    """
    matches = list(re.finditer(r"\d+", answer))
    if not matches:
        raise ValueError(f"answer {answer!r} has no number to change")
    last = matches[-1]
    return f"{answer[: last.start()]}{int(last[0]) + rng.randint(1, 9)}{answer[last.end() :]}"
