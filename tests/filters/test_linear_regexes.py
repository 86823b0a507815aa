"""No regular expression that sees untrusted text takes more than linear time.

re2 guarantees it. The expressions of the standard library, which are there for speed, are read: see
tests/linear_patterns.py.
"""

import importlib
import pkgutil
import re
from collections.abc import Iterator

import pytest

import filters
from tests.linear_patterns import faults


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


def test_there_are_patterns_to_test() -> None:
    assert len(PATTERNS) >= 10
    assert "filters.measure.spans._DELIMITER" in PATTERNS


@pytest.mark.parametrize("name", sorted(PATTERNS))
def test_time_is_linear(name: str) -> None:
    assert faults(PATTERNS[name]) == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"a*b",  # tried at every a
        r"\s+$",
        r"\$?a+b",
        r"x|\w+@",
        r"(a+)+\$",  # exponential
        r"(?:a|b|ab)*\$",
        r"(?:a{0,20}){0,20}\$",
        r"\$a*a*b",  # one run, parted in every way
        r"\$a+?[ab]+c",
        r"\$[^x]*(?:\w|$)y",
        r"/web/\d+/*(.+)\Z",
    ],
)
def test_a_pattern_that_is_not_linear_would_be_noticed(pattern: str) -> None:
    assert faults(re.compile(pattern))


@pytest.mark.parametrize(
    "pattern",
    [
        r"a+",
        r"\$a*b",
        r"\A\s*\d+\s*\Z",
        r"\d+(?:[.,]\d+)*",
        r"\n[ \t]*\n",
        r"(?<=x)\$\w+(?=\s|$)",
        r"\$a{0,99}b",
    ],
)
def test_linear_patterns_pass(pattern: str) -> None:
    assert faults(re.compile(pattern)) == []
