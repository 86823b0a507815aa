"""Gopher's repetition measurements of a document's prose (Rae et al. 2021, table A1).

Definitions as in datatrove 0.10.1: the characters of every repeated line, paragraph or n-gram after its
first occurrence, or of the most frequent n-gram, over the characters of the prose.
Repeated n-grams are found by narrowing: the positions of repeated n-grams are those of
repeated (n-1)-grams that also agree in the next token, so that after n = 2 few positions are left to sort.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.words import Tokens

# Ours: below it a loop is faster than numpy's calls (measured at 16 to 256).
_FEW = 64
_PARAGRAPH_BREAK = re.compile(r"\n\n+")


@dataclass(frozen=True)
class RepetitionStats:
    """Of the prose; fractions are of lines, paragraphs, or characters."""

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
    """`tokens` are those of `prose`."""
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
    """Number and total length of the pieces that occurred before: ["ab", "c", "ab", "ab"] -> (2, 4)."""
    distinct = set(pieces)
    if len(distinct) == len(pieces):
        return 0, 0
    return len(pieces) - len(distinct), sum(map(len, pieces)) - sum(map(len, distinct))


def _ngram_chars(tokens: Tokens) -> tuple[list[int], list[int]]:
    """Characters of the top 2-, 3-, 4-gram, and of the repeated 5-, 6-, ... 10-grams."""
    ids = tokens.ids
    num_tokens = len(ids)
    chars_before = np.concatenate(([0], np.cumsum(tokens.ends - tokens.starts)))
    top = [int(chars_before[n]) + n - 1 if num_tokens >= n else 0 for n in (2, 3, 4)]
    duplicate = [0] * 6
    positions = np.arange(num_tokens)
    grams = ids  # of the n-1 tokens from each position, equal where they are equal
    for n in range(2, 11):
        has_next = positions <= num_tokens - n
        positions = positions[has_next]
        pairs = grams[has_next] * num_tokens + ids[positions + n - 1]
        positions, grams = _repeated(positions, pairs)
        if len(positions) == 0:
            break
        if n <= 4:
            occurrences = np.bincount(grams)
            most = int(occurrences.max())
            first = int(positions[int((occurrences[grams] == most).argmax())])
            top[n - 2] = most * (int(chars_before[first + n] - chars_before[first]) + n - 1)
        else:
            chars = (chars_before[positions + n] - chars_before[positions]).tolist()
            duplicate[n - 5] = _repeated_chars(positions.tolist(), grams.tolist(), chars, n)
    return top, duplicate


def _repeated(
    positions: npt.NDArray[np.int64], keys: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The positions, in order, whose key occurs more than once, and a number for each such key."""
    if len(keys) <= _FEW:
        listed = keys.tolist()
        counts = Counter(listed)
        number_of = {key: number for number, key in enumerate(counts) if counts[key] > 1}
        places = [place for place, key in enumerate(listed) if counts[key] > 1]
        return positions[places], np.array([number_of[listed[p]] for p in places], dtype=np.int64)
    order = keys.argsort()
    ordered = keys[order]
    is_equal = ordered[1:] == ordered[:-1]
    is_repeated = np.zeros(len(keys), dtype=np.bool_)
    is_repeated[1:] = is_equal
    is_repeated[:-1] |= is_equal
    is_new = np.ones(len(keys), dtype=np.bool_)
    is_new[1:] = ~is_equal
    numbers = np.empty(len(keys), dtype=np.int64)
    numbers[order] = np.cumsum(is_new & is_repeated) - 1
    kept = np.sort(order[is_repeated])
    return positions[kept], numbers[kept]


def _repeated_chars(positions: list[int], grams: list[int], chars: list[int], n: int) -> int:
    """Sum of `chars` over the n-grams that occurred before; once counted, an n-gram is skipped whole."""
    seen: set[int] = set()
    total = next_position = 0
    for position, gram, length in zip(positions, grams, chars, strict=True):
        if position < next_position:
            continue
        if gram in seen:
            total += length
            next_position = position + n
        else:
            seen.add(gram)
    return total
