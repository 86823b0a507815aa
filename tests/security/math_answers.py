"""Answers that are equal, unequal or hostile, through the mathematics verifier.

Equal pairs must be accepted, unequal ones never; hostile ones end within the limit, are never accepted, and
those that no machine can compute are never called wrong. About 20 ms a pair, 2 to 6 s where it has to be
stopped.
"""

import random
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

from synth.checks.verify_math import MathVerifier, Verdict
from tests.security.attempts import Attempt, Setup, peak_memory_bytes, reset_peak_memory

TIMEOUT_S = 2
# Two parses and a comparison, the grace of the parent, a new child, a loaded machine.
MAX_WALL_S = 3 * TIMEOUT_S + 2 + 10
PAIRS_PER_COUNT = 180
_NUMBERS = ("7", r"\frac{1}{2}", r"\sqrt{3}")
_REFERENCES = (*_NUMBERS, "x^2 - 1", r"\{-3, 4\}", "(2, -7)")

# No machine computes these: a verdict on the answer would be made up.
ENDLESS = ("9^{9^{9^{9}}}", "9^{9^{9^{9^{9}}}}", "100000000!", "((100000!)!)!", r"\binom{10000000}{5000000}",
           "2^{10^{12}} + 1", r"\sum_{k=1}^{10^{12}} \frac{1}{k^7 + k!}")  # fmt: skip
HOSTILE = (
    "100000!", "(" * 3000 + ")" * 3000, "(" * 490 + "5" + ")" * 490, "{" * 480 + "5" + "}" * 480, "?", "NaN",
    r"\frac{" * 100 + "1" + "}{2}" * 100, r"\sqrt{" * 120 + "2" + "}" * 120, "9" * 999, "9" * 100_000,
    "1" + "+1" * 490, "x" + "^x" * 300, r"\left" * 190, "}" * 900, r"\boxed{" * 120, "\x00", "\ud800",
    "\\", "$", "\u202e5", "\uff15", "5!",
    r"\int_0^{\infty} \frac{\sin(x^{x^x})}{x!} dx", r"\lim_{n \to \infty} n^{n^n}", r"\emptyset",
    r"\infty", "True", "None", "5; import os", r"\input{/etc/passwd}", r"\write18{touch CANARY}",
    "__import__('os').system('touch CANARY')", "eval(\"open('CANARY', 'w')\")", r"\text{__import__('os')}",
    "().__class__.__bases__[0].__subclasses__()", "lambda: 5", "{'a': 5}", "f(5)", "5 if 5 else 6",
)  # fmt: skip

# Hedged, each against 5.
HEDGES = (r"6}\boxed{5", r"\boxed{6} \boxed{5}", r"5 \text{ or } 6", "5,6", "5;6", "5 6", r"\pm 5", r"\neq 5",
          r"x \neq 5", r"x \ge 5", r"500\%", r"5\%", "[4, 6]", r"\{5, 6\}", "5x")  # fmt: skip


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Pairs drawn anew, then every hostile answer. Broken: both verdicts that accept nothing are swapped."""
    rng = setup.rng("math")
    canary = setup.folder / "canary"
    with (_Broken if setup.is_broken else MathVerifier)(TIMEOUT_S) as verifier:
        verifier.verify([("1", "1")])  # starts the child
        for _ in range(setup.count * PAIRS_PER_COUNT):
            pair = _equal(rng)
            yield Attempt(f"equal: {pair}", lambda p=pair: _wanted(verifier, p, ("equal",)))
            pair = _unequal(rng)
            refused: tuple[Verdict, ...] = ("different", "unparsed")
            yield Attempt(f"unequal: {pair}", lambda p=pair, v=refused: _wanted(verifier, p, v))
        for _ in range(setup.count):
            for answer in (*HEDGES, *HOSTILE, *ENDLESS):
                stopped: tuple[Verdict, ...] = ("timeout", "unparsed")
                allowed = stopped if answer in ENDLESS else (*stopped, "different")
                # What no machine computes is still no set and no pair: only numbers cannot be told from it.
                reference = (
                    "5" if answer in HEDGES else rng.choice(_NUMBERS if answer in ENDLESS else _REFERENCES)
                )
                pair = (reference, answer.replace("CANARY", str(canary)))
                yield Attempt(
                    f"hostile: {answer[:40]!r}",
                    lambda p=pair, v=allowed: _wanted(verifier, p, v) or _ran(canary),
                )


class _Broken(MathVerifier):
    """Calls stopped comparisons wrong answers, and wrong answers equal."""

    def verify(self, pairs: Iterable[tuple[str, str | None]]) -> list[Verdict]:
        swapped: dict[Verdict, Verdict] = {"timeout": "different", "different": "equal"}
        return [swapped.get(verdict, verdict) for verdict in super().verify(pairs)]


def _wanted(verifier: MathVerifier, pair: tuple[str, str], allowed: tuple[Verdict, ...]) -> str | None:
    started, memory = time.monotonic(), reset_peak_memory()
    [verdict] = verifier.verify([pair])
    spent_s = time.monotonic() - started
    if verdict not in allowed:
        return f"is {verdict!r}, allowed {allowed}"
    if spent_s > MAX_WALL_S:
        return f"took {spent_s:.1f} s"
    return "cost us memory" if peak_memory_bytes() - memory > 64 << 20 else None


def _ran(canary: Path) -> str | None:
    return "was executed" if canary.exists() else None


def _equal(rng: random.Random) -> tuple[str, str]:
    """One value, written twice."""
    value, (a, b) = Fraction(rng.randint(-99, 99), rng.choice((2, 4, 5, 8, 20, 25))), _two(rng)
    name = rng.choice("xyz")
    return rng.choice(
        (
            (_latex(value), str(float(value))),
            (_latex(value), rf"\frac{{{value.numerator * a}}}{{{value.denominator * a}}}"),
            (str(a), f"{a}.0"),
            (str(a * b), rf"{a} \cdot {b}"),
            (str(a**3), rf"{a}^{{3}}"),
            (rf"\{{{a}, {a + b}\}}", rf"\{{{a + b}, {a}\}}"),
            (f"({a}, {-b})", f"({a},{-b})"),
            (f"{name}^2 - {a * a}", f"({name} + {a})({name} - {a})"),
            (f"{a}{name} + {b}", f"{b} + {a} {name}"),
            (rf"\sqrt{{{a * a * 3}}}", rf"{a}\sqrt{{3}}"),
        )
    )


def _unequal(rng: random.Random) -> tuple[str, str]:
    """Two values that look alike."""
    value, (a, b) = Fraction(rng.randint(-99, 99), rng.randint(2, 99)), _two(rng)
    near = f"{a}." + "0" * rng.randint(0, 8) + "1"
    return rng.choice(
        (
            (_latex(value), _latex(value + Fraction(1, rng.randint(2, 10**9)))),
            (_latex(value + Fraction(1, 7)), _latex(-value - Fraction(1, 7))) if value else ("1", "2"),
            (str(a), near),
            (str(a), str(-a)),
            (str(a), rf"{a}\%"),
            (str(a), rf"{a * 100}\%"),
            (str(10**18 + a), str(10**18 + a + 1)),
            (rf"\{{{a}, {a + b}\}}", rf"\{{{a}\}}"),
            (f"({a}, {a + b})", f"({a + b}, {a})"),
            (f"x^2 - {a}", f"x^2 + {a}"),
            (rf"\sqrt{{{a}}}", rf"\sqrt{{{a + 1}}}"),
            (f"{a}^{{{b}}}", f"{a}^{{{b + 1}}}"),
            (str(a), rf"{a} \text{{ or }} {a + b}"),
            (str(a), f"x < {a}"),
            (str(a), rf"{a} \pm {b}"),
        )
    )


def _two(rng: random.Random) -> tuple[int, int]:
    return rng.randint(2, 40), rng.randint(2, 12)


def _latex(value: Fraction) -> str:
    sign = "-" if value < 0 else ""
    whole = value.denominator == 1
    return str(value) if whole else rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"
