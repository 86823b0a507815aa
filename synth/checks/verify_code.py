"""Check programs against unit tests: calls run in the sandbox, results are compared outside it.

The expected values never enter the sandbox, so a program cannot read them, change the comparison, print a
success message or exit early to appear correct.
"""

import ast
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from synth.checks.sandbox import Author, Limits, Outcome, Program, run_programs
from synth.families.problem import CodeTest

Verdict = Literal["passed", "failed", "no_code", "timeout"]


@dataclass(frozen=True)
class CodeCheck:
    """The verdict on one program and the fraction of its tests that passed."""

    verdict: Verdict
    passed_fraction: float
    detail: str
    """The first failed test and the value that came instead; empty if none failed."""


def verify_code(
    solutions: Sequence[tuple[str | None, tuple[CodeTest, ...]]],
    limits: Limits,
    author: Author,
    isolated: bool,
) -> list[CodeCheck]:
    """Check (code, tests) pairs; the results are in order.

    Raises ConfigError if the code may not run here.
    """
    programs = [
        Program(code, tuple(test.call for test in tests)) for code, tests in solutions if code is not None
    ]
    outcomes = iter(run_programs(programs, limits, author, isolated))
    return [
        CodeCheck("no_code", 0.0, "no Python block in the solution")
        if code is None
        else _compare(tests, next(outcomes))
        for code, tests in solutions
    ]


def _compare(tests: tuple[CodeTest, ...], outcome: Outcome) -> CodeCheck:
    results = [
        value is not None and same_value(value, test.expected)
        for test, value in zip(tests, outcome.values, strict=True)
    ]
    passed_fraction = sum(results) / len(results)
    if all(results) and outcome.ended == "done":
        return CodeCheck("passed", 1.0, "")
    failed = next((i for i, is_right in enumerate(results) if not is_right), 0)
    got = "nothing" if outcome.values[failed] is None else str(outcome.values[failed])[:100]
    detail = f"{tests[failed].call}: expected {tests[failed].expected}, got {got} ({outcome.ended})"
    return CodeCheck("timeout" if outcome.ended == "timeout" else "failed", passed_fraction, detail)


def same_value(got: str, expected: str) -> bool:
    """Return True if two Python literals are equal in type and value; floats may differ by a relative 1e-9.

    A text that is not a literal is never equal, so an object with a made-up repr cannot pass a test.
    """
    try:
        return _same(ast.literal_eval(got), ast.literal_eval(expected))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return False


def _same(got: object, expected: object) -> bool:
    if type(got) is not type(expected):
        return False
    if isinstance(got, float) and isinstance(expected, float):
        return math.isclose(got, expected, rel_tol=1e-9, abs_tol=1e-12)  # rounding of sums in another order
    if isinstance(got, list | tuple) and isinstance(expected, list | tuple):
        return len(got) == len(expected) and all(map(_same, got, expected))
    if isinstance(got, dict) and isinstance(expected, dict):
        by_key = {repr(key): value for key, value in got.items()}  # 1, 1.0 and True are equal as keys
        wanted = {repr(key): value for key, value in expected.items()}
        return by_key.keys() == wanted.keys() and all(_same(by_key[key], wanted[key]) for key in wanted)
    if isinstance(got, set) and isinstance(expected, set):
        return set(map(repr, got)) == set(map(repr, expected))
    return got == expected
