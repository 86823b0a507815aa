"""How much work a function does on a text, counted: the same on every machine and under any load.

An operation is an executed line of the module under test, or a character that a method of the text or a
compiled pattern of the module walks over. What a pattern does at one place of the text is not seen from here:
tests/filters/test_linear_regexes.py reads the patterns.
"""

import re
import sys
from collections.abc import Callable, Iterator
from types import FrameType, ModuleType

import pytest

TYPE_OF_RE2 = "_Regexp"


class Counter:
    """Operations so far."""

    def __init__(self) -> None:
        self.operations = 0


class CountedText(str):
    """A text that counts the characters which its slices copy and its searches walk over."""

    counter: Counter

    def __new__(cls, text: str, counter: Counter) -> "CountedText":
        counted = super().__new__(cls, text)
        counted.counter = counter
        return counted

    def __getitem__(self, place: object) -> str:
        piece = super().__getitem__(place)
        self.counter.operations += len(piece)
        return piece

    def __contains__(self, part: object) -> bool:
        self.find(part)
        return super().__contains__(part)

    def find(self, part: str, start: int = 0, end: int | None = None) -> int:
        end = len(self) if end is None else min(end, len(self))
        found = super().find(part, start, end)
        self.counter.operations += max((found + len(part) if found >= 0 else end) - start, 0)
        return found


class CountedPattern:
    """A compiled pattern that counts the characters from where it starts to where it stops."""

    def __init__(self, pattern: re.Pattern[str], counter: Counter) -> None:
        self._pattern, self._counter = pattern, counter

    def search(self, text: str, start: int = 0) -> re.Match[str] | None:
        found = self._pattern.search(text, start)
        self._counter.operations += (found.end() if found else len(text)) - start
        return found

    def match(self, text: str, start: int = 0) -> re.Match[str] | None:
        found = self._pattern.match(text, start)
        self._counter.operations += (found.end() if found else len(text)) - start
        return found

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self._counter.operations += len(text)
        return self._pattern.fullmatch(text)

    def findall(self, text: str) -> list[str]:
        self._counter.operations += len(text)
        return self._pattern.findall(text)

    def finditer(self, text: str) -> Iterator[re.Match[str]]:
        self._counter.operations += len(text)
        return self._pattern.finditer(text)

    def sub(self, replacement: object, text: str, count: int = 0) -> str:
        self._counter.operations += len(text)
        # A plain text, because re2 makes an empty one of the type that it gets.
        replaced = self._pattern.sub(replacement, str(text), count)
        return CountedText(replaced, self._counter)


def operations(module: ModuleType, function: Callable[[str], object], text: str) -> int:
    """Operations of `function(text)` in `module`, with its patterns and the text counted."""
    counter = Counter()

    def trace(frame: FrameType, event: str, argument: object) -> object:
        if frame.f_code.co_filename != module.__file__:
            return None
        counter.operations += event == "line"
        return trace

    previous = sys.gettrace()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern) or type(value).__name__ == TYPE_OF_RE2:
                patch.setattr(module, name, CountedPattern(value, counter))
        sys.settrace(trace)
        try:
            function(CountedText(text, counter))
        finally:
            sys.settrace(previous)
    return counter.operations


def growth(module: ModuleType, function: Callable[[str], object], few: str, many: str) -> float:
    """Times as many operations on `many`, four times as long as `few`: 4 if linear, 16 if quadratic."""
    return operations(module, function, many) / operations(module, function, few)
