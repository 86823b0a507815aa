"""Families against computations that read the statement only, as a pupil would."""

import itertools
import math
import random
import re
from collections.abc import Callable
from fractions import Fraction

import pytest

from synth.families.problem import LEVELS, Family, Problem
from synth.families.symbolic import CODE_FAMILIES, MATH_FAMILIES

NUM_SEEDS = 30


def problems_of(name: str) -> list[Problem]:
    """Problems of one family at every level."""
    family = next(f for f in (*MATH_FAMILIES, *CODE_FAMILIES) if f.__name__ == name)
    return [family(random.Random(f"{seed}"), level) for seed in range(NUM_SEEDS) for level in LEVELS]


def numbers(text: str) -> list[int]:
    return [int(n) for n in re.findall(r"-?\d+", text)]


def fraction(latex: str) -> Fraction:
    match = re.fullmatch(r"(-?)\\frac\{(\d+)\}\{(\d+)\}", latex)
    return Fraction(int(match[1] + match[2]), int(match[3])) if match else Fraction(latex)


def _gcd(statement: str) -> int:
    a, b = numbers(statement)[:2]
    return max(d for d in range(1, min(a, b) + 1) if a % d == b % d == 0)


def _modular_power(statement: str) -> int:
    base, exponent, modulus = numbers(statement)
    return int(base**exponent % modulus)


def _largest_prime_factor(statement: str) -> int:
    (n,) = numbers(statement)
    return max(d for d in range(2, n + 1) if n % d == 0 and all(d % q for q in range(2, math.isqrt(d) + 1)))


def _smallest_divisor(statement: str) -> int:
    n = max(numbers(statement))
    return min(d for d in range(2, n + 1) if n % d == 0)


def _linear_congruence(statement: str) -> int:
    found = numbers(statement.replace(r"$0 \le x", "$x"))
    modulus, a, b = (found[0], found[1], found[3]) if "wheel" in statement else (found[2], found[0], found[1])
    return next(x for x in range(modulus) if a * x % modulus == b)


def _committee(statement: str) -> int:
    found = numbers(statement)
    half = len(found) // 2
    return math.prod(math.comb(n, k) for n, k in zip(found[:half], found[half:], strict=True))


def _dice(statement: str) -> Fraction:
    found = [n for n in numbers(statement) if n != 1]
    first, second, total = found
    rolls = list(itertools.product(range(1, first + 1), range(1, second + 1)))
    hits = sum(x + y >= total if "at least" in statement else x + y == total for x, y in rolls)
    return Fraction(hits, len(rolls))


def _missing_value(statement: str) -> int:
    count, mean, *known = numbers(statement)
    return count * mean - sum(known)


def _base_conversion(statement: str) -> int:
    found = [abs(n) for n in numbers(statement)]
    base, number = min(found), max(found)
    digits = ""
    while number:
        digits = str(number % base) + digits
        number //= base
    return int(digits)


def _ages(statement: str) -> Fraction:
    difference, years = numbers(statement)
    factor = {"twice": 2, "three times": 3, "four times": 4, "five times": 5}
    k = next(value for word, value in factor.items() if word in statement)
    return next(Fraction(x) for x in range(200) if x + difference + years == k * (x + years))


def _inclusion_exclusion(statement: str) -> int:
    _, limit, *divisors = numbers(statement)
    hits = sum(any(n % d == 0 for d in divisors) for n in range(1, limit + 1))
    return limit - hits if "none of" in statement else hits


PUPILS: dict[str, Callable[[str], int | Fraction]] = {
    "greatest_common_divisor": _gcd,
    "modular_power": _modular_power,
    "prime_factorisation": _largest_prime_factor,
    "smallest_divisor": _smallest_divisor,
    "linear_congruence": _linear_congruence,
    "committee": _committee,
    "dice_probability": _dice,
    "missing_value": _missing_value,
    "base_conversion": _base_conversion,
    "ages": _ages,
    "inclusion_exclusion": _inclusion_exclusion,
}


@pytest.mark.parametrize("name", PUPILS)
def test_answer_follows_from_the_statement(name: str) -> None:
    for problem in problems_of(name):
        assert fraction(problem.answer) == PUPILS[name](problem.statement), problem.statement


def test_roots_solve_their_quadratic() -> None:
    for problem in problems_of("quadratic_equation"):
        if problem.level < 3:
            match = re.search(r"\$([^$]*) = 0\$", problem.statement)
            assert match
            roots = [fraction(part) for part in problem.answer.strip(r"\{}").split(", ")]
            for root in roots:
                text = re.sub(r"[a-z](\^\{2\})?", lambda m: "*v**2" if m[1] else "*v", match[1])
                text = re.sub(r"(^|[-+ ])\*", r"\g<1>1*", text)
                assert eval(text, {"v": root}) == 0, (problem.statement, root)
            assert len(set(roots)) == 2


def test_pairs_solve_their_system() -> None:
    for problem in problems_of("linear_system"):
        if problem.level < 3:
            x, y = (Fraction(part) for part in problem.answer.strip("()").split(", "))
            equations = re.findall(r"\$([^$=]*) = (-?\d+)\$", problem.statement)
            names = re.findall(r"[a-z]", equations[0][0])
            assert len(equations) == 2
            for left, right in equations:
                text = re.sub(r"(\d)([a-z])", r"\1*\2", left)
                assert eval(text, {names[0]: x, names[1]: y}) == int(right), problem.statement


def test_expansions_agree_at_many_points() -> None:
    for problem in problems_of("expansion"):
        product = re.search(r"\$(.*)\$", problem.statement)
        assert product
        for at in range(-3, 5):
            values = []
            for latex in (product[1], problem.answer):
                text = re.sub(r"\^\{(\d)\}", r"**\1", latex).replace(")(", ")*(")
                values.append(eval(re.sub(r"(\d)([a-z])", r"\1*\2", text), dict.fromkeys("xyz", at)))
            assert values[0] == values[1], problem.statement


@pytest.mark.parametrize("family", [*MATH_FAMILIES, *CODE_FAMILIES], ids=lambda family: family.__name__)
def test_a_family_is_deterministic_varied_and_complete(family: Family) -> None:
    problems = [family(random.Random(f"{seed}"), level) for seed in range(60) for level in LEVELS]
    assert problems == [family(random.Random(f"{seed}"), level) for seed in range(60) for level in LEVELS]
    statements = {problem.statement for problem in problems}
    assert len(statements) >= 0.5 * len(problems)
    for problem in problems:
        assert problem.statement.count("$") % 2 == 0
        assert problem.steps
        assert problem.group.count("/") >= 1
        assert problem.is_code == (problem.answer == "") == bool(problem.code)


@pytest.mark.parametrize("family", CODE_FAMILIES, ids=lambda family: family.__name__)
def test_code_passes_its_tests_and_the_planted_bug_does_not(family: Family) -> None:
    for problem in (family(random.Random(f"{seed}"), level) for seed in range(60) for level in LEVELS):
        assert [run(problem.code, test.call) for test in problem.tests] == [t.expected for t in problem.tests]
        assert [run(problem.flawed_code, test.call) for test in problem.tests] != [
            t.expected for t in problem.tests
        ]


def run(code: str, call: str) -> str:
    """The repr of a call, or the kind of error, of code that our families wrote."""
    namespace: dict[str, object] = {}
    exec(code, namespace)
    try:
        return repr(eval(call, namespace))
    except Exception as error:
        return type(error).__name__
