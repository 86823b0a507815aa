"""Format numbers and polynomials as LaTeX for statements and worked solutions."""

from collections.abc import Iterable, Sequence
from fractions import Fraction


def rational(value: Fraction | int) -> str:
    r"""Format a number as `-\frac{3}{4}`, or as `-3` if it is an integer."""
    fraction = Fraction(value)
    sign = "-" if fraction < 0 else ""
    if fraction.denominator == 1:
        return f"{sign}{abs(fraction.numerator)}"
    return rf"{sign}\frac{{{abs(fraction.numerator)}}}{{{fraction.denominator}}}"


def bracketed(value: Fraction | int) -> str:
    """Format a number for the place after an operator: in brackets if it is negative."""
    return f"({rational(value)})" if value < 0 else rational(value)


def signed(value: Fraction | int) -> str:
    """Format a number for the place after another term: `+ 3` or `- 3`."""
    return f"- {rational(-value)}" if value < 0 else f"+ {rational(value)}"


def polynomial(coefficients: Sequence[Fraction | int], variable: str = "x") -> str:
    """Format a polynomial from its coefficients, highest power first.

    Terms with coefficient 0 are left out; the zero polynomial is `0`.
    """
    pieces: list[str] = []
    for index, coefficient in enumerate(coefficients):
        power = len(coefficients) - 1 - index
        if coefficient == 0:
            continue
        symbol = "" if power == 0 else variable if power == 1 else f"{variable}^{{{power}}}"
        magnitude = -coefficient if coefficient < 0 else coefficient
        size = rational(magnitude) if magnitude != 1 or not symbol else ""
        if pieces:
            pieces.append(f" {'-' if coefficient < 0 else '+'} {size}{symbol}")
        else:
            pieces.append(f"{'-' if coefficient < 0 else ''}{size}{symbol}")
    return "".join(pieces) or "0"


def linear(coefficients: Sequence[tuple[int, str]]) -> str:
    """Format (coefficient, symbol) pairs as `3x - 2y + z`."""
    pieces: list[str] = []
    for coefficient, symbol in coefficients:
        if coefficient == 0:
            continue
        size = "" if abs(coefficient) == 1 else str(abs(coefficient))
        lead = ("-" if coefficient < 0 else "") if not pieces else (" - " if coefficient < 0 else " + ")
        pieces.append(f"{lead}{size}{symbol}")
    return "".join(pieces) or "0"


def factorised(powers: Sequence[tuple[int, int]]) -> str:
    r"""Format (prime, exponent) pairs as `2^{3} \cdot 5`."""
    return r" \cdot ".join(
        f"{prime}^{{{exponent}}}" if exponent > 1 else f"{prime}" for prime, exponent in powers
    )


def listed(values: Iterable[object]) -> str:
    """Format values for running text as `$3$, $5$ and $7$`."""
    items = [f"${value}$" for value in values]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
