"""Gopher's repetition measurements of a document's prose (Rae et al. 2021, table A1).

The definitions are those of datatrove 0.10.1: the characters of all repeated lines, paragraphs or n-grams
after their first occurrence, or of the most frequent n-gram, divided by the characters of the prose.
Repeated n-grams are found step by step: a repeated n-gram starts where a repeated (n-1)-gram starts, and also
agrees in the next token. After n = 2, few positions are left to sort.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.measure.words import Tokens

# Our choice: up to this number of positions a loop is as fast as numpy's calls (measured at 64, 128, 200,
# 300).
_FEW = 64
_PARAGRAPH_BREAK = re.compile(r"\n\n+")


@dataclass(frozen=True)
class RepetitionStats:
    """Measurements of the prose. Fractions are fractions of its lines, paragraphs or characters."""

    num_paragraphs: int
    duplicate_line_fraction: float
    duplicate_line_char_fraction: float
    duplicate_paragraph_fraction: float
    duplicate_paragraph_char_fraction: float
    top_2_gram_char_fraction: float
    top_3_gram_char_fraction: float
    top_4_gram_char_fraction: float
    duplicate_5_gram_char_fraction: float
    duplicate_6_gram_char_fraction: float
    duplicate_7_gram_char_fraction: float
    duplicate_8_gram_char_fraction: float
    duplicate_9_gram_char_fraction: float
    duplicate_10_gram_char_fraction: float


def measure_repetition(prose: str, tokens: Tokens) -> RepetitionStats:
    """Measure the repetition in `prose`, whose `tokens` are given."""
    num_chars = max(len(prose), 1)
    lines = [line for line in prose.split("\n") if line and not line.isspace()]
    paragraphs = [p for p in _PARAGRAPH_BREAK.split(prose) if p and not p.isspace()]
    num_duplicate_lines, duplicate_line_chars = count_duplicates(lines)
    num_duplicate_paragraphs, duplicate_paragraph_chars = count_duplicates(paragraphs)
    top_chars, duplicate_chars = _ngram_chars(tokens)
    top = [chars / num_chars for chars in top_chars]
    duplicate = [chars / num_chars for chars in duplicate_chars]
    return RepetitionStats(
        num_paragraphs=len(paragraphs),
        duplicate_line_fraction=num_duplicate_lines / max(len(lines), 1),
        duplicate_line_char_fraction=duplicate_line_chars / num_chars,
        duplicate_paragraph_fraction=num_duplicate_paragraphs / max(len(paragraphs), 1),
        duplicate_paragraph_char_fraction=duplicate_paragraph_chars / num_chars,
        top_2_gram_char_fraction=top[0],
        top_3_gram_char_fraction=top[1],
        top_4_gram_char_fraction=top[2],
        duplicate_5_gram_char_fraction=duplicate[0],
        duplicate_6_gram_char_fraction=duplicate[1],
        duplicate_7_gram_char_fraction=duplicate[2],
        duplicate_8_gram_char_fraction=duplicate[3],
        duplicate_9_gram_char_fraction=duplicate[4],
        duplicate_10_gram_char_fraction=duplicate[5],
    )


def count_duplicates(pieces: Sequence[str]) -> tuple[int, int]:
    """Return number and length of the pieces that occurred before: ["ab", "c", "ab", "ab"] -> (2, 4)."""
    distinct = set(pieces)
    if len(distinct) == len(pieces):
        return 0, 0
    return len(pieces) - len(distinct), sum(map(len, pieces)) - sum(map(len, distinct))


def _ngram_chars(tokens: Tokens) -> tuple[list[int], list[int]]:
    """Return the characters of the top 2-, 3- and 4-gram, and those of the repeated 5- to 10-grams."""
    chars_before = [0, *(tokens.ends - tokens.starts).cumsum().tolist()]
    # If no n-gram is repeated, the first one is the top one.
    top = [chars_before[n] + n - 1 if len(tokens.ids) >= n else 0 for n in (2, 3, 4)]
    duplicate = [0] * 6
    for n, positions, names in _repeated_ngrams(tokens.ids):
        if n <= 4:
            occurrences = Counter(names)
            # of equally frequent ones, the first in the text
            first = max(occurrences, key=occurrences.__getitem__)
            top[n - 2] = occurrences[first] * (chars_before[first + n] - chars_before[first] + n - 1)
        else:
            duplicate[n - 5] = _repeated_chars(positions, names, chars_before, n)
    return top, duplicate


def _repeated_ngrams(ids: npt.NDArray[np.int64]) -> Iterator[tuple[int, list[int], list[int]]]:
    """Yield n, the positions where repeated n-grams start, and their names, for n = 2 to 10.

    It stops when no n-gram is repeated. Positions ascend. The name of an n-gram is the position of its first
    start.
    """
    positions, names = np.arange(len(ids)), ids
    n = 1
    while n < 10 and len(positions) > _FEW:
        n += 1
        positions, names = _narrow(positions, names, ids, n)
        if len(positions) > 0:
            yield n, positions.tolist(), names.tolist()
    listed, few_positions, few_names = ids.tolist(), positions.tolist(), names.tolist()
    while n < 10 and few_positions:
        n += 1
        few_positions, few_names = _narrow_few(few_positions, few_names, listed, n)
        if few_positions:
            yield n, few_positions, few_names


def _narrow(
    positions: npt.NDArray[np.int64], names: npt.NDArray[np.int64], ids: npt.NDArray[np.int64], n: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return the positions where the n-gram is repeated, and its new names.

    `positions` are those of repeated (n-1)-grams, and `names` are the names of these.
    """
    num_followed = int(positions.searchsorted(len(ids) - n, side="right"))
    positions = positions[:num_followed]
    keys = names[:num_followed] * len(ids) + ids[positions + (n - 1)]
    order = keys.argsort(kind="stable")
    ordered = keys[order]
    is_new = np.ones(num_followed + 1, dtype=np.bool_)
    np.not_equal(ordered[1:], ordered[:-1], out=is_new[1:-1])
    is_repeated = np.empty(num_followed, dtype=np.bool_)
    is_repeated[order] = ~(is_new[1:] & is_new[:-1])
    first_of = positions[order[is_new[:-1]]]
    new_names = np.empty(num_followed, dtype=np.int64)
    new_names[order] = first_of[is_new[:-1].cumsum() - 1]
    return positions[is_repeated], new_names[is_repeated]


def _narrow_few(
    positions: list[int], names: list[int], ids: list[int], n: int
) -> tuple[list[int], list[int]]:
    """Do the same as _narrow in a loop, which is faster for few positions."""
    size, last = len(ids), len(ids) - n
    while positions and positions[-1] > last:
        positions, names = positions[:-1], names[:-1]
    first_of: dict[int, int] = {}
    name_of = first_of.setdefault
    new_names = [
        name_of(name * size + ids[position + n - 1], position)
        for position, name in zip(positions, names, strict=True)
    ]
    if len(first_of) == len(new_names):
        return [], []
    occurrences = Counter(new_names)
    kept = [place for place, name in enumerate(new_names) if occurrences[name] > 1]
    return [positions[place] for place in kept], [new_names[place] for place in kept]


def _repeated_chars(positions: list[int], names: list[int], chars_before: list[int], n: int) -> int:
    """Count the characters of n-grams that occurred before. A counted n-gram is skipped as a whole."""
    seen: set[int] = set()
    total = next_position = 0
    for position, name in zip(positions, names, strict=True):
        if position < next_position:
            continue
        if name in seen:
            next_position = position + n
            total += chars_before[next_position] - chars_before[position]
        else:
            seen.add(name)
    return total
