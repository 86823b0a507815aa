"""The symbolic teacher: makes problems from a seed and writes their worked solutions, without a model."""

import random

from synth.families import (
    algebra,
    arithmetic,
    combinatorics,
    number_theory,
    python,
    python_algorithms,
    python_lists,
)
from synth.families.problem import LEVELS, Problem, flawed_answer

MATH_FAMILIES = (*arithmetic.FAMILIES, *algebra.FAMILIES, *number_theory.FAMILIES,
                 *combinatorics.FAMILIES)  # fmt: skip
CODE_FAMILIES = (
    *python.FAMILIES,
    *python_lists.FAMILIES,
    *python_algorithms.FAMILIES,
)

# Our choice: all tests run, but the solution shows only three; more would add numbers, not reasoning.
SHOWN_TESTS = 3


def make_problem(seed: int, index: int, code_fraction: float) -> Problem:
    """Make problem number `index` of a seed. It does not depend on the problems made before it."""
    rng = random.Random(f"problem:{seed}:{index}")
    family = rng.choice(CODE_FAMILIES if rng.random() < code_fraction else MATH_FAMILIES)
    return family(rng, rng.choice(LEVELS))


def write_solution(problem: Problem, seed: int, index: int, is_flawed: bool) -> str:
    """Write the symbolic teacher's solution in Markdown: steps, then a boxed answer, or code with some tests.

    `is_flawed` plants an error: a wrong last number in the answer, or the code with a bug.
    """
    rng = random.Random(f"solution:{seed}:{index}")
    if problem.is_code:
        steps = "\n".join(f"{n}. {step}" for n, step in enumerate(problem.steps, 1))
        lead = rng.choice(["The idea:", "How it works:", "Reasoning step by step:", "Plan:"])
        code = problem.flawed_code if is_flawed else problem.code
        shown = rng.sample(problem.tests, min(SHOWN_TESTS, len(problem.tests)))
        checks = "\n".join(f"assert {test.call} == {test.expected}" for test in shown)
        closing = rng.choice(["These checks hold:", "Tests:", "It passes these tests:", "Checked on:"])
        return f"{lead}\n\n{steps}\n\n```python\n{code}```\n\n{closing}\n\n```python\n{checks}\n```"
    steps = rng.choice(["\n\n", "\n"]).join(problem.steps)
    answer = flawed_answer(problem.answer, rng) if is_flawed else problem.answer
    closing = rng.choice(
        ["The answer is", "Hence the result:", "So the answer is", "Final answer:", "Therefore, in short,"]
    )
    return f"{steps}\n\n{closing} $\\boxed{{{answer}}}$."
