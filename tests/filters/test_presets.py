"""Every bound of every preset, written by hand: the last value kept and the first one rejected."""

import dataclasses

import pytest

from filters.measure.stats import TextStats, measure
from filters.presets import preset
from filters.rules import reject_reason
from tests.filters.test_rules import CHINESE, CODE, MATH, PROSE

TECHNICAL = PROSE + "\nIts length is $l = 40$ miles, and $v = l / t$ is the speed of the water.\n"

BRIEF = "Call `close()` on the file, or leave it to the `with` block, which closes it at its end.\n"

# field: last kept, first rejected, reason
Bounds = dict[str, tuple[float, float, str]]

GOPHER_REPETITION: Bounds = {
    "duplicate_paragraph_fraction": (0.3, 0.301, "duplicate_paragraphs"),
    "duplicate_paragraph_char_fraction": (0.2, 0.201, "duplicate_paragraph_chars"),
    "duplicate_line_fraction": (0.3, 0.301, "duplicate_lines"),
    "duplicate_line_char_fraction": (0.2, 0.201, "duplicate_line_chars"),
    "top_2_gram_char_fraction": (0.2, 0.201, "top_2_gram"),
    "top_3_gram_char_fraction": (0.18, 0.181, "top_3_gram"),
    "top_4_gram_char_fraction": (0.16, 0.161, "top_4_gram"),
    "duplicate_5_gram_char_fraction": (0.15, 0.151, "duplicate_5_grams"),
    "duplicate_6_gram_char_fraction": (0.14, 0.141, "duplicate_6_grams"),
    "duplicate_7_gram_char_fraction": (0.13, 0.131, "duplicate_7_grams"),
    "duplicate_8_gram_char_fraction": (0.12, 0.121, "duplicate_8_grams"),
    "duplicate_9_gram_char_fraction": (0.11, 0.111, "duplicate_9_grams"),
    "duplicate_10_gram_char_fraction": (0.1, 0.101, "duplicate_10_grams"),
}
GOPHER_SIGNS: Bounds = {
    "hash_token_fraction": (0.1, 0.101, "too_many_hashes"),
    "ellipsis_token_fraction": (0.1, 0.101, "too_many_ellipses"),
    "bullet_line_fraction": (0.9, 0.901, "too_many_bullets"),
    "ellipsis_line_fraction": (0.3, 0.301, "too_many_ellipsis_lines"),
}
GOPHER_SHAPE: Bounds = GOPHER_SIGNS | {
    "num_words": (50, 49, "too_few_words"),
    "mean_word_length": (3, 2.99, "words_too_short"),
    "alphabetic_token_fraction": (0.8, 0.799, "too_few_alphabetic_words"),
}
GOPHER: Bounds = GOPHER_REPETITION | GOPHER_SHAPE | {"num_distinct_stop_words": (2, 1, "too_few_stop_words")}
DCLM: Bounds = (
    GOPHER_REPETITION
    | GOPHER_SHAPE
    | {
        "num_stop_words": (2, 1, "too_few_stop_words"),
        "dclm_removed_word_fraction": (0.05, 0.051, "too_many_removed_words"),
    }
)
OURS_ALIKE: Bounds = {"top_line_shape_fraction": (0.6, 0.601, "lines_too_alike")}
OURS_PROSE: Bounds = (
    GOPHER_SIGNS
    | OURS_ALIKE
    | {
        "num_words": (40, 39, "too_few_words"),
        "mean_word_length": (2.5, 2.49, "words_too_short"),
        "alphabetic_word_fraction": (0.7, 0.699, "too_few_alphabetic_words"),
        "num_distinct_stop_words": (2, 1, "too_few_stop_words"),
        "stop_word_fraction": (0.04, 0.039, "too_few_stop_words"),
        "num_sentences": (3, 2, "too_few_sentences"),
        "punctuated_line_fraction": (0.03, 0.029, "too_few_punctuated_lines"),
        "short_line_fraction": (0.9, 0.901, "too_many_short_lines"),
        "dclm_removed_word_fraction": (0.2, 0.201, "too_many_removed_words"),
    }
)
GOPHER_MAXIMA: Bounds = {
    "num_words": (100_000, 100_001, "too_many_words"),
    "mean_word_length": (10, 10.1, "words_too_long"),
}
HEIRS_OF_GOPHER = ("gopher", "fineweb", "dclm-rules", "dolma3", "reasonmill")
# preset, language, a text that it keeps, bounds
CASES: list[tuple[str, str, str, Bounds]] = [
    ("gopher", "en", PROSE, GOPHER),
    *((name, "en", PROSE, GOPHER_MAXIMA) for name in HEIRS_OF_GOPHER),
    (
        "c4", "en", PROSE,
        {
            "has_lorem_ipsum": (0, 1, "lorem_ipsum"),
            "c4_num_curly_brackets": (0, 1, "curly_bracket"),
            "c4_num_sentences": (5, 4, "too_few_sentences"),
        },
    ),
    (
        "fineweb", "en", PROSE,
        GOPHER
        | {
            "has_lorem_ipsum": (0, 1, "lorem_ipsum"),
            "num_curly_brackets": (0, 1, "curly_bracket"),
            "c4_num_sentences_any_ending": (5, 4, "too_few_sentences"),
            "punctuated_line_fraction": (0.12, 0.119, "too_few_punctuated_lines"),
            "short_line_fraction": (0.67, 0.671, "too_many_short_lines"),
            "c4_duplicate_line_char_fraction": (0.01, 0.011, "duplicate_line_chars"),
            "line_break_token_fraction": (0.3, 0.301, "too_many_line_breaks"),
        },
    ),
    ("dclm-rules", "en", PROSE, DCLM),
    (
        "dolma3", "en", PROSE,
        DCLM
        | {
            "num_chars": (150, 149, "too_few_chars"),
            "list_case_sentence_fraction": (0.2, 0.201, "too_many_list_case_sentences"),
        },
    ),
    (
        "openwebmath-rules", "en", MATH,
        {
            "num_chars": (100, 99, "too_few_chars"),
            "num_latex_commands": (1, 0, "no_math"),
            "accented_char_fraction": (0.015, 0.016, "too_many_accents"),
        },
    ),
    (
        "bigcode", "en", CODE,
        {
            "max_line_length": (1_000, 1_001, "line_too_long"),
            "mean_line_length": (100, 100.1, "mean_line_too_long"),
            "alphanumeric_char_fraction": (0.25, 0.249, "too_few_alphanumerics"),
            "comment_line_fraction": (0.01, 0.009, "too_few_comments"),
        },
    ),
    ("bigcode", "en", CODE, {"comment_line_fraction": (0.8, 0.801, "too_many_comments")}),
    ("reasonmill", "en", PROSE, OURS_PROSE | GOPHER_REPETITION),
    (
        "reasonmill", "en", BRIEF,
        OURS_ALIKE
        | {
            "num_chars": (80, 79, "too_few_chars"),
            "num_words": (10, 9, "too_few_words"),
            "max_word_length": (1_000, 1_001, "words_too_long"),
            "mean_word_length": (10, 10.1, "words_too_long"),
            "hash_token_fraction": (0.4, 0.401, "too_many_hashes"),
            "ellipsis_token_fraction": (0.1, 0.101, "too_many_ellipses"),
            "alphabetic_word_fraction": (0.6, 0.599, "too_few_alphabetic_words"),
        }
        | {
            field: (round(1.8 * kept, 9), 1.8 * kept + 1e-3, reason)
            for field, (kept, _, reason) in GOPHER_REPETITION.items()
            if not field.startswith("top_")
        },
    ),
    (
        "reasonmill", "en", TECHNICAL,
        {field: bounds for field, bounds in OURS_PROSE.items() if field != "num_words"}
        | {
            field: (round(1.8 * kept, 9), 1.8 * kept + 1e-3, reason)
            for field, (kept, _, reason) in GOPHER_REPETITION.items()
        },
    ),
    (
        "reasonmill", "en", MATH,
        OURS_ALIKE
        | {
            "has_lorem_ipsum": (0, 1, "lorem_ipsum"),
            "num_chars": (80, 79, "too_few_chars"),
            "max_word_length": (1_000, 1_001, "words_too_long"),
            "alphanumeric_char_fraction": (0.25, 0.249, "too_few_alphanumerics"),
            "duplicate_paragraph_char_fraction": (0.3, 0.301, "duplicate_paragraph_chars"),
            "duplicate_line_char_fraction": (0.3, 0.301, "duplicate_line_chars"),
            "duplicate_10_gram_char_fraction": (0.3, 0.301, "duplicate_10_grams"),
        },
    ),
    (
        "reasonmill", "en", CODE,
        OURS_ALIKE
        | {
            "num_chars": (50, 49, "too_few_chars"),
            "max_code_line_length": (1_000, 1_001, "line_too_long"),
            "mean_code_line_length": (100, 100.1, "mean_line_too_long"),
            "alphanumeric_char_fraction": (0.25, 0.249, "too_few_alphanumerics"),
            "comment_line_fraction": (0.9, 0.901, "too_many_comments"),
        },
    ),
    (
        "reasonmill", "zh", CHINESE,
        GOPHER_SIGNS
        | OURS_ALIKE
        | {
            "has_lorem_ipsum": (0, 1, "lorem_ipsum"),
            "num_words": (64, 63, "too_few_words"),
            "mean_word_length": (5, 5.1, "words_too_long"),
            "alphabetic_word_fraction": (0.735, 0.734, "too_few_alphabetic_words"),
            "num_distinct_stop_words": (2, 1, "too_few_stop_words"),
            "stop_word_fraction": (0.02, 0.019, "too_few_stop_words"),
            "num_sentences": (3, 2, "too_few_sentences"),
            "punctuated_line_fraction": (0.03, 0.029, "too_few_punctuated_lines"),
            "line_break_token_fraction": (0.25, 0.251, "too_many_line_breaks"),
            "duplicate_line_fraction": (0.287, 0.288, "duplicate_lines"),
            "duplicate_line_char_fraction": (0.2, 0.201, "duplicate_line_chars"),
            "top_2_gram_char_fraction": (0.256, 0.257, "top_2_gram"),
            "top_3_gram_char_fraction": (0.201, 0.202, "top_3_gram"),
            "top_4_gram_char_fraction": (0.171, 0.172, "top_4_gram"),
            "duplicate_8_gram_char_fraction": (0.198, 0.199, "duplicate_8_grams"),
            "duplicate_10_gram_char_fraction": (0.182, 0.183, "duplicate_10_grams"),
        },
    ),
    ("reasonmill", "zh", CHINESE, {"num_words": (160_000, 160_001, "too_many_words")}),
    (
        "reasonmill", "de", PROSE,
        GOPHER_SIGNS
        | OURS_ALIKE
        | GOPHER_REPETITION
        | {
            "has_lorem_ipsum": (0, 1, "lorem_ipsum"),
            "num_chars": (150, 149, "too_few_chars"),
            "max_word_length": (1_000, 1_001, "words_too_long"),
            "alphabetic_word_fraction": (0.7, 0.699, "too_few_alphabetic_words"),
            "num_sentences": (3, 2, "too_few_sentences"),
            "punctuated_line_fraction": (0.03, 0.029, "too_few_punctuated_lines"),
        },
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "language", "text", "bounds"), CASES)
def test_bounds(name: str, language: str, text: str, bounds: Bounds) -> None:
    stats = measure(text)

    def reason(field: str, value: float) -> str | None:
        changed: TextStats = dataclasses.replace(stats, **{field: value})
        return reject_reason(changed, preset(name), language)

    assert reject_reason(stats, preset(name), language) is None
    wanted = {field: (None, reason) for field, (_, _, reason) in bounds.items()}
    assert {
        field: (reason(field, kept), reason(field, gone)) for field, (kept, gone, _) in bounds.items()
    } == wanted


@pytest.mark.parametrize("name", sorted({name for name, *_ in CASES}))
def test_every_rule_has_its_bounds_here(name: str) -> None:
    rules = {(rule.field, rule.reason) for variant in preset(name).with_variants() for rule in variant.rules}
    listed = [bounds for of_preset, _, _, bounds in CASES if of_preset == name]
    assert rules == {(field, reason) for bounds in listed for field, (_, _, reason) in bounds.items()}
