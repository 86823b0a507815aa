"""Measure the words and characters of a document's prose."""

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from filters.measure.characters import (
    ACCENTED,
    ALPHABETIC,
    ALPHANUMERIC,
    DIGIT,
    HAN,
    Characters,
    Mask,
    classify,
)
from filters.measure.words import Tokens, tokenise

# Gopher's eight stop words (Rae et al. 2021, A.1.1), and Chinese characters that are function words by
# themselves: those of FineWeb 2's list (configs/cmn_Hani.yml).
# Our choice: 不 and 这 in both scripts are added.
STOP_WORDS = frozenset(["the", "be", "to", "of", "and", "that", "have", "with"]) | frozenset(
    "的了在是和有于於为為被与與也而由不这這"
)

# The standard library's re is safe here: single classes around one optional run cannot backtrack.
_PLAIN_EQUATION = re.compile(r"[\w)\]%²³][ \t]*[=≈≤≥][ \t]*[-−+$€£(]?[\w(]")


@dataclass(frozen=True)
class WordStats:
    """Measurements of the prose. A word is a token with a letter or digit."""

    num_prose_chars: int
    num_tokens: int
    num_words: int
    mean_word_length: float
    max_word_length: int
    alphabetic_token_fraction: float
    alphabetic_word_fraction: float
    distinct_word_fraction: float
    num_stop_words: int
    num_distinct_stop_words: int
    stop_word_fraction: float
    hash_token_fraction: float
    ellipsis_token_fraction: float
    han_char_fraction: float
    accented_char_fraction: float
    digit_char_fraction: float
    num_curly_brackets: int
    num_plain_equations: int
    has_lorem_ipsum: bool


def measure_words(prose: str, characters: Characters, tokens: Tokens) -> WordStats:
    """Measure the words of `prose`, whose `characters` and `tokens` are given.

    Stop words are case-sensitive.
    """
    num_tokens = max(len(tokens.ids), 1)
    lengths = tokens.ends - tokens.starts
    is_word: Mask = (tokens.classes & np.uint8(ALPHANUMERIC)) != 0
    num_words = int(np.count_nonzero(is_word))
    num_alphabetic = int(np.count_nonzero(tokens.classes & np.uint8(ALPHABETIC)))
    stop_words = _stop_word_counts(tokens)
    num_stop_words = int(stop_words.sum())
    num_chars = max(len(prose), 1)
    return WordStats(
        num_prose_chars=len(prose),
        num_tokens=len(tokens.ids),
        num_words=num_words,
        mean_word_length=int(lengths[is_word].sum()) / max(num_words, 1),
        max_word_length=int(lengths[is_word].max(initial=0)),
        alphabetic_token_fraction=num_alphabetic / num_tokens,
        alphabetic_word_fraction=num_alphabetic / max(num_words, 1),
        distinct_word_fraction=int(np.count_nonzero(is_word[tokens.first])) / max(num_words, 1),
        num_stop_words=num_stop_words,
        num_distinct_stop_words=len(stop_words),
        stop_word_fraction=num_stop_words / max(num_words, 1),
        hash_token_fraction=prose.count("#") / num_tokens,
        ellipsis_token_fraction=(prose.count("...") + prose.count("…")) / num_tokens,
        han_char_fraction=characters.count(HAN) / num_chars,
        accented_char_fraction=characters.count(ACCENTED) / num_chars,
        digit_char_fraction=characters.count(DIGIT) / num_chars,
        num_curly_brackets=prose.count("{"),
        num_plain_equations=len(_PLAIN_EQUATION.findall(prose)) if "=" in prose else 0,
        has_lorem_ipsum="lorem ipsum" in prose.lower(),
    )


def _stop_word_counts(tokens: Tokens) -> npt.NDArray[np.int64]:
    """Return the number of occurrences of each stop word that occurs."""
    if len(tokens.hashes) == 0:
        return tokens.counts
    wanted = _stop_word_hashes()
    at = np.minimum(np.searchsorted(tokens.hashes, wanted), len(tokens.hashes) - 1)
    found: npt.NDArray[np.int64] = tokens.counts[at[tokens.hashes[at] == wanted]]
    return found


@lru_cache(maxsize=1)
def _stop_word_hashes() -> npt.NDArray[np.uint64]:
    return tokenise(classify(" ".join(STOP_WORDS))).hashes
