from fractions import Fraction

import pytest

from synth.families.latex import bracketed, factorised, linear, listed, polynomial, rational, signed


@pytest.mark.parametrize(
    ("value", "written"), [(Fraction(-3, 4), r"-\frac{3}{4}"), (Fraction(6, 3), "2"), (0, "0"), (-5, "-5")]
)
def test_rational(value: Fraction, written: str) -> None:
    assert rational(value) == written


def test_signs_after_operators() -> None:
    assert (bracketed(-2), bracketed(2), signed(-2), signed(Fraction(1, 2))) == (
        "(-2)",
        "2",
        "- 2",
        r"+ \frac{1}{2}",
    )


@pytest.mark.parametrize(
    ("coefficients", "written"),
    [([1, -1, 0], "x^{2} - x"), ([-1, 0, 3], "-x^{2} + 3"), ([0, 0], "0"), ([2, -7], "2x - 7")],
)
def test_polynomial(coefficients: list[int], written: str) -> None:
    assert polynomial(coefficients) == written


def test_linear_factorised_listed() -> None:
    assert linear([(-1, "x"), (0, "y"), (4, "z")]) == "-x + 4z"
    assert factorised([(2, 3), (5, 1)]) == r"2^{3} \cdot 5"
    assert listed([3, 5, 7]) == "$3$, $5$ and $7$"
