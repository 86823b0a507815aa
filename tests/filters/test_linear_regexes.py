"""No regular expression that sees untrusted text takes more than linear time.

re2 guarantees it. The expressions of the standard library, which are there for speed, are timed on strings
that make back-tracking engines explode: from n to 4 n characters the time grows by 4 where it is linear, by
16 where it is quadratic.
"""

import importlib
import pkgutil
import re
import time
from collections.abc import Iterator

import pytest

import filters

UNITS = (
    "a", " ", "\n", "1.", "$", "`", "\\", "[", "a.b@",
    "'\")", "\\begin{", "/* ", ". \n", "=+", "<<1", "(" * 3,
    " \t\n \n", "数。", "1,0", "é",
)  # fmt: skip
CHARS = 2_000


def compiled(value: object) -> Iterator[re.Pattern[str]]:
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, (tuple, list)):
        for item in value:
            yield from compiled(item)


PATTERNS = {
    f"{module.name}.{name}": pattern
    for module in pkgutil.walk_packages(filters.__path__, "filters.")
    for name, value in vars(importlib.import_module(module.name)).items()
    for pattern in compiled(value)
}


def seconds(pattern: re.Pattern[str], text: str) -> float:
    best = float("inf")
    for _ in range(3):
        start = time.process_time()
        for _ in pattern.finditer(text):
            pass
        best = min(best, time.process_time() - start)
    return best


def is_slow(pattern: re.Pattern[str], unit: str) -> bool:
    """Whether the time grows as n**1.4 or steeper with n repetitions of the unit."""
    few, many = (seconds(pattern, unit * count + "!") for count in (CHARS, 4 * CHARS))
    return many > 4**1.4 * few + 0.005


def test_there_are_patterns_to_test() -> None:
    assert len(PATTERNS) >= 10
    assert "filters.measure.spans._DELIMITER" in PATTERNS


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_time_is_linear(name: str) -> None:
    assert [unit for unit in UNITS if is_slow(PATTERNS[name], unit)] == []


def test_a_quadratic_pattern_would_be_noticed() -> None:
    assert is_slow(re.compile(r"a*b"), "a")
    assert is_slow(re.compile(r"\s+$"), " ")
