"""Gopher's repetition measurements of a document's prose (Rae et al. 2021, table A1).

Definitions as in datatrove 0.10.1: the characters of every repeated line, paragraph or n-gram after its
first occurrence, or of the most frequent n-gram, over the characters of the prose.
N-grams are compared by 64-bit hashes of all positions at once; only where one occurs twice does a loop run.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.words import Tokens, ngram_hashes

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
    hashes = ngram_hashes(tokens, 10)
    top = [_top_ngram_chars(tokens.texts, hashes[n - 1], n) / num_chars for n in (2, 3, 4)]
    duplicate = [chars / num_chars for chars in _duplicate_ngram_chars(tokens.texts, hashes)]
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


def _top_ngram_chars(texts: list[str], hashes: npt.NDArray[np.uint64], n: int) -> int:
    """Length of the most frequent n-gram, joined by spaces, times its count; of several, the first's."""
    if len(hashes) == 0:
        return 0
    ordered = np.sort(hashes)
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    if len(starts) == len(ordered):
        occurrences, first = 1, 0
    else:
        run_lengths = np.diff(starts, append=len(ordered))
        occurrences = int(run_lengths.max())
        most_frequent = ordered[starts[run_lengths == occurrences]]
        first = int(np.isin(hashes, most_frequent).argmax())
    return occurrences * len(" ".join(texts[first : first + n]))


def _duplicate_ngram_chars(texts: list[str], hashes: list[npt.NDArray[np.uint64]]) -> list[int]:
    """Characters of repeated 5-, 6-, ... 10-grams; a repeated n-gram is skipped whole once counted."""
    chars = [0] * 6
    for n in range(5, 11):
        ordered = np.sort(hashes[n - 1])
        if not (ordered[1:] == ordered[:-1]).any():
            break  # without a repeated n-gram there is no repeated longer one
        seen: set[int] = set()
        grams: list[int] = hashes[n - 1].tolist()
        position = 0
        while position < len(grams):
            if grams[position] in seen:
                chars[n - 5] += sum(map(len, texts[position : position + n]))
                position += n
            else:
                seen.add(grams[position])
                position += 1
    return chars
