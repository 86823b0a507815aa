"""Measurements that the students read beside the words: TextStats without the repetition of n-grams.

Cost: about 0.45 ms for 2.6 kB. N-grams are left out: they would double the cost for 0.006 of kappa.
"""

import numpy as np

from filters.measure.stats import measure_without_repetition
from filters.taggers.scores import MAX_CHARS, Numbers

NAMES = (
    "num_chars",
    "mean_line_length",
    "max_line_length",
    "alphanumeric_char_fraction",
    "code_char_fraction",
    "math_char_fraction",
    "num_code_blocks",
    "num_formulas",
    "num_latex_commands",
    "comment_line_fraction",
    "num_prose_chars",
    "num_tokens",
    "num_words",
    "mean_word_length",
    "max_word_length",
    "alphabetic_token_fraction",
    "alphabetic_word_fraction",
    "distinct_word_fraction",
    "num_stop_words",
    "num_distinct_stop_words",
    "stop_word_fraction",
    "hash_token_fraction",
    "ellipsis_token_fraction",
    "han_char_fraction",
    "accented_char_fraction",
    "digit_char_fraction",
    "num_curly_brackets",
    "num_plain_equations",
    "has_lorem_ipsum",
    "num_lines",
    "num_sentences",
    "bullet_line_fraction",
    "ellipsis_line_fraction",
    "punctuated_line_fraction",
    "short_line_fraction",
    "line_break_token_fraction",
    "code_like_line_fraction",
    "c4_num_sentences",
    "c4_num_sentences_any_ending",
    "c4_num_curly_brackets",
    "dclm_removed_word_fraction",
    "list_case_sentence_fraction",
)
"""Listed by name, so that a new measurement in TextStats does not change a trained student's input."""


def statistics(text: str) -> Numbers:
    """Return log(1 + value) of each measurement of the first MAX_CHARS characters: [len(NAMES)]."""
    measured, _, _ = measure_without_repetition(text[:MAX_CHARS])
    values = np.array([measured[name] for name in NAMES], dtype=np.float64)
    return np.log1p(np.maximum(values, 0.0))
