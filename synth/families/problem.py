"""What a problem is, its stable name, and where the answer is in a written solution.

A family is a function of a random generator and a level (1 easy .. 3 hard) that makes one Problem. `answer`
comes from the worked steps, `reference` from another computation, so that the check is not a tautology.
"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from configs.tables import hash_bytes

LEVELS = (1, 2, 3)


@dataclass(frozen=True)
class CodeTest:
    """One unit test: a call, evaluated in the sandbox, and its result, a literal that never enters it."""

    call: str
    expected: str


@dataclass(frozen=True)
class Problem:
    """A statement in Markdown with one right answer: LaTeX in `reference`, or `tests` for code."""

    family: str
    """`field/name`, e.g. `number_theory/modular_power`."""
    group: str
    """Family and the parameter that problems share: the unit of the train/heldout split."""
    level: int
    statement: str
    steps: tuple[str, ...]
    """Worked solution, one paragraph per step."""
    answer: str = ""
    """LaTeX that the steps end with; empty for code."""
    reference: str = ""
    """The same value computed independently of the steps; empty for code."""
    code: str = ""
    flawed_code: str = ""
    """The code with one planted bug that a test must catch."""
    tests: tuple[CodeTest, ...] = ()

    @property
    def is_code(self) -> bool:
        """True if the answer is a program."""
        return bool(self.tests)


Family = Callable[[random.Random, int], Problem]


def problem_id(statement: str) -> str:
    """Stable id of a problem: its text without case and spacing."""
    return hash_bytes(" ".join(statement.lower().split()).encode())


def boxed_answer(text: str) -> str | None:
    r"""Content of the last `\boxed{...}` with its braces balanced, or None."""
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
    """The first Python block of a Markdown text, or None."""
    match = _FENCE.search(text)
    return match[1] if match else None


def flawed_answer(answer: str, rng: random.Random) -> str:
    """The answer with its last number made larger by 1 to 9: a slip that always changes the value."""
    matches = list(re.finditer(r"\d+", answer))
    if not matches:
        raise ValueError(f"answer {answer!r} has no number to change")
    last = matches[-1]
    return f"{answer[: last.start()]}{int(last[0]) + rng.randint(1, 9)}{answer[last.end() :]}"
