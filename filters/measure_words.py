"""Measurements of the words and characters of a document's prose."""

import re
from dataclasses import dataclass

from filters.characters import ACCENTED, DIGIT, HAN, classify, count
from filters.words import Tokens

# Gopher's eight (Rae et al. 2021, A.1.1), and, ours, eight of the most frequent characters of Chinese.
STOP_WORDS = frozenset("the be to of and that have with".split()) | frozenset("的了在是和有不这")

# stdlib re: single classes around one optional run, nothing to backtrack over.
_PLAIN_EQUATION = re.compile(r"[\w)\]%²³][ \t]*[=≈≤≥][ \t]*[-−+$€£(]?[\w(]")


@dataclass(frozen=True)
class WordStats:
    """Of the prose. A word is a token with a letter or digit."""

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


def measure_words(prose: str, tokens: Tokens) -> WordStats:
    """`tokens` are those of `prose`. The stop words are looked up as written, like datatrove does."""
    num_tokens = len(tokens.texts)
    num_words = num_alphabetic = word_chars = max_word_length = num_distinct = 0
    for token, occurrences in tokens.counts.items():
        if not (token.isalnum() or any(map(str.isalnum, token))):
            continue
        num_words += occurrences
        num_distinct += 1
        length = len(token)
        word_chars += occurrences * length
        if length > max_word_length:
            max_word_length = length
        if token.isalpha() or any(map(str.isalpha, token)):
            num_alphabetic += occurrences
    stop_words = [tokens.counts[word] for word in STOP_WORDS if word in tokens.counts]
    classes = classify(prose)
    num_chars = max(len(prose), 1)
    return WordStats(
        num_prose_chars=len(prose),
        num_tokens=num_tokens,
        num_words=num_words,
        mean_word_length=word_chars / max(num_words, 1),
        max_word_length=max_word_length,
        alphabetic_token_fraction=num_alphabetic / max(num_tokens, 1),
        alphabetic_word_fraction=num_alphabetic / max(num_words, 1),
        distinct_word_fraction=num_distinct / max(num_words, 1),
        num_stop_words=sum(stop_words),
        num_distinct_stop_words=len(stop_words),
        stop_word_fraction=sum(stop_words) / max(num_words, 1),
        hash_token_fraction=prose.count("#") / max(num_tokens, 1),
        ellipsis_token_fraction=(prose.count("...") + prose.count("…")) / max(num_tokens, 1),
        han_char_fraction=count(classes, HAN) / num_chars,
        accented_char_fraction=count(classes, ACCENTED) / num_chars,
        digit_char_fraction=count(classes, DIGIT) / num_chars,
        num_curly_brackets=prose.count("{"),
        num_plain_equations=len(_PLAIN_EQUATION.findall(prose)) if "=" in prose else 0,
        has_lorem_ipsum="lorem ipsum" in prose.lower(),
    )
