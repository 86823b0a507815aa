r"""Whether `re` finds all matches of a pattern in time linear in the text, read from the parsed pattern.

re tries the pattern at every place, and goes back where it fails. That is linear if for every repetition
1. no character of it can also begin what follows, so that there is one place to leave it, and
2. no character of it can begin the match, so that no run of it is walked over twice.
The first is needed only where what follows may fail, the second there too, for repetitions that may be long,
unless the pattern holds at the beginning of the text alone. Both are sufficient, not necessary: a pattern
that is refused may be linear. Sets of characters are compared on a sample: ASCII, the pattern's own
characters and some of every class beyond.
"""

import re
from collections.abc import Iterator, Sequence
from re import _compiler, _constants, _parser

SAMPLE = frozenset(map(chr, range(128))) | frozenset("é²½٣数ひ한。！…’«−≤€\u00a0\u2028\u3000\u0301")
MAX_SHORT = 256  # Our choice: a repetition bounded by this costs a constant at every place.
REPETITIONS = (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT)
CHARACTERS = (_constants.LITERAL, _constants.NOT_LITERAL, _constants.IN, _constants.ANY)
ZERO_WIDTH = (_constants.AT, _constants.ASSERT, _constants.ASSERT_NOT)
ANCHORS = (_constants.AT_BEGINNING, _constants.AT_BEGINNING_STRING)
Chars = frozenset[str]
Items = Sequence[tuple[object, object]]
"""Operations of a parsed pattern in order, each with its argument."""


def faults(pattern: re.Pattern[str]) -> list[str]:
    """What speaks against linear time: a line for each rule that a repetition breaks."""
    return list(_Reader(pattern).faults())


class _Reader:
    """A parsed pattern, for the questions below."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.items = _parser.parse(pattern.pattern, pattern.flags)
        self.state = self.items.state
        self.sample = SAMPLE | frozenset(pattern.pattern)

    def faults(self) -> Iterator[str]:
        is_anchored = list(self.items[:1]) in [[(_constants.AT, anchor)] for anchor in ANCHORS]
        is_once = is_anchored and not self.state.flags & re.MULTILINE
        return self._faults(self.items, None if is_once else frozenset(), False, frozenset(), False)

    def _faults(
        self, items: Items, begins: Chars | None, is_begun: bool, follows: Chars, may_fail: bool
    ) -> Iterator[str]:
        """`begins`: what begins the match, all of it if `is_begun`, None if that happens once. `follows` and
        `may_fail`: what can come after `items`, and whether that can fail.
        """
        for place, item in enumerate(items):
            after = self._first(items[place + 1 :], follows)
            rest_may_fail = may_fail or any(map(_may_fail, items[place + 1 :]))
            for body, most in _bodies(item):
                chars = self._chars(body)
                if most > 1 and rest_may_fail:
                    if chars & after:
                        yield f"{_shown(chars & after)} both repeats and follows"
                    if most > MAX_SHORT and begins is not None and (not is_begun or chars & begins):
                        yield f"{_shown(chars)} both repeats and begins the match"
                again = after | self._first(body, after) if most > 1 else after
                yield from self._faults(body, begins, is_begun, again, rest_may_fail)
            if begins is not None and not is_begun:
                begins |= self._first([item], frozenset())
                is_begun = not _may_be_empty(item)

    def _first(self, items: Items, follows: Chars) -> Chars:
        """The characters that can come first in `items`, or in what follows where they can be empty."""
        for item in reversed(items):
            operation, _ = item
            if operation in CHARACTERS:
                follows = self._chars([item])
            elif operation is not _constants.ASSERT_NOT and not _is_behind(item):
                inner = [self._first(body, follows) for body, _ in _bodies(item)]
                can_skip = operation in REPETITIONS and _may_be_empty(item)
                follows = frozenset().union(*inner, follows if can_skip or not inner else ())
        return follows

    def _chars(self, items: Items) -> Chars:
        """Every character that `items` can consume."""
        found: Chars = frozenset()
        for item in items:
            if item[0] in CHARACTERS:
                one = _compiler.compile(_parser.SubPattern(self.state, [item]))
                found |= {char for char in self.sample if one.fullmatch(char)}
            elif item[0] not in ZERO_WIDTH:
                found = found.union(*(self._chars(body) for body, _ in _bodies(item)))
        return found


def _bodies(item: tuple[object, object]) -> list[tuple[Items, int]]:
    """The patterns inside an operation and how often each can come in a row."""
    operation, argument = item
    if operation in CHARACTERS or operation is _constants.AT:
        return []
    if operation in REPETITIONS:
        _, most, body = argument
        return [(body, int(most))]
    if operation is _constants.SUBPATTERN:
        _, added_flags, removed_flags, body = argument
        if not added_flags and not removed_flags:
            return [(body, 1)]
    if operation is _constants.BRANCH:
        return [(body, 1) for body in argument[1]]
    if operation in ZERO_WIDTH:
        return [(argument[1], 1)]
    raise ValueError(f"cannot read {item}")


def _is_behind(item: tuple[object, object]) -> bool:
    return item[0] is _constants.ASSERT and item[1][0] < 0


def _may_be_empty(item: tuple[object, object]) -> bool:
    operation, argument = item
    if operation in CHARACTERS:
        return False
    if operation in ZERO_WIDTH or (operation in REPETITIONS and argument[0] == 0):
        return True
    return any(all(map(_may_be_empty, body)) for body, _ in _bodies(item))


def _may_fail(item: tuple[object, object]) -> bool:
    operation, argument = item
    if operation in CHARACTERS or operation in ZERO_WIDTH:
        return True
    if operation in REPETITIONS and argument[0] == 0:
        return False
    return all(any(map(_may_fail, body)) for body, _ in _bodies(item))


def _shown(chars: Chars) -> str:
    return repr("".join(sorted(chars)[:10]))
