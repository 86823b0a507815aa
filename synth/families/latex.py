"""Numbers and polynomials as LaTeX, as the worked solutions print them."""

from collections.abc import Iterable, Sequence
from fractions import Fraction


def rational(value: Fraction | int) -> str:
    r"""`-\frac{3}{4}`; a whole number without a bar."""
    fraction = Fraction(value)
    sign = "-" if fraction < 0 else ""
    if fraction.denominator == 1:
        return f"{sign}{abs(fraction.numerator)}"
    return rf"{sign}\frac{{{abs(fraction.numerator)}}}{{{fraction.denominator}}}"


def bracketed(value: Fraction | int) -> str:
    """The number, in brackets if negative: to stand after an operator."""
    return f"({rational(value)})" if value < 0 else rational(value)


def signed(value: Fraction | int) -> str:
    """`+ 3` or `- 3`: to stand after another term."""
    return f"- {rational(-value)}" if value < 0 else f"+ {rational(value)}"


def polynomial(coefficients: Sequence[Fraction | int], variable: str = "x") -> str:
    """Coefficients from the highest power down; zero terms are left out, `0` for the zero polynomial."""
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
    """`3x - 2y + z` from (coefficient, symbol) pairs."""
    pieces: list[str] = []
    for coefficient, symbol in coefficients:
        if coefficient == 0:
            continue
        size = "" if abs(coefficient) == 1 else str(abs(coefficient))
        lead = ("-" if coefficient < 0 else "") if not pieces else (" - " if coefficient < 0 else " + ")
        pieces.append(f"{lead}{size}{symbol}")
    return "".join(pieces) or "0"


def factorised(powers: Sequence[tuple[int, int]]) -> str:
    r"""`2^{3} \cdot 5` from (prime, exponent) pairs."""
    return r" \cdot ".join(
        f"{prime}^{{{exponent}}}" if exponent > 1 else f"{prime}" for prime, exponent in powers
    )


def listed(values: Iterable[object]) -> str:
    """`$3$, $5$ and $7$` for running text."""
    items = [f"${value}$" for value in values]
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
