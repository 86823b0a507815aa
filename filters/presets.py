"""Named presets of thresholds: the published ones with their sources, and our own, `reasonmill`.

A preset is a tuple of rules, tried in order (`filters.thresholds`).
`reasonmill` has separate rules for code and math, because the published rules reject nearly all of them (C4's
curly bracket, Gopher's alphabetic words, short lines). It also has separate rules for prose in Chinese, where
each character counts as a word because Chinese writes no spaces, and for prose in other languages.
"""

from filters.thresholds import REASONS, Rule, Thresholds, at_least, at_most

__all__ = ["REASONS", "Rule", "Thresholds", "preset"]


def preset(name: str) -> Thresholds:
    """Return the preset called `name`; raise ValueError with the known names if there is none."""
    if name not in _PRESETS:
        raise ValueError(f"unknown filter preset {name!r}; choose one of {', '.join(sorted(_PRESETS))}")
    return _PRESETS[name]


# Rae et al. 2021 (Gopher), table A1.
_GOPHER_REPETITION = (
    at_most("duplicate_paragraph_fraction", 0.30, "duplicate_paragraphs"),
    at_most("duplicate_paragraph_char_fraction", 0.20, "duplicate_paragraph_chars"),
    at_most("duplicate_line_fraction", 0.30, "duplicate_lines"),
    at_most("duplicate_line_char_fraction", 0.20, "duplicate_line_chars"),
    at_most("top_2_gram_char_fraction", 0.20, "top_2_gram"),
    at_most("top_3_gram_char_fraction", 0.18, "top_3_gram"),
    at_most("top_4_gram_char_fraction", 0.16, "top_4_gram"),
    at_most("duplicate_5_gram_char_fraction", 0.15, "duplicate_5_grams"),
    at_most("duplicate_6_gram_char_fraction", 0.14, "duplicate_6_grams"),
    at_most("duplicate_7_gram_char_fraction", 0.13, "duplicate_7_grams"),
    at_most("duplicate_8_gram_char_fraction", 0.12, "duplicate_8_grams"),
    at_most("duplicate_9_gram_char_fraction", 0.11, "duplicate_9_grams"),
    at_most("duplicate_10_gram_char_fraction", 0.10, "duplicate_10_grams"),
)

# Rae et al. 2021 (Gopher), A.1.1: the rules that every later preset shares.
_GOPHER_SHAPE = (
    at_least("num_words", 50, "too_few_words"),
    at_most("num_words", 100_000, "too_many_words"),
    at_least("mean_word_length", 3, "words_too_short"),
    at_most("mean_word_length", 10, "words_too_long"),
    at_most("hash_token_fraction", 0.1, "too_many_hashes"),
    at_most("ellipsis_token_fraction", 0.1, "too_many_ellipses"),
    at_most("bullet_line_fraction", 0.9, "too_many_bullets"),
    at_most("ellipsis_line_fraction", 0.3, "too_many_ellipsis_lines"),
    at_least("alphabetic_token_fraction", 0.8, "too_few_alphabetic_words"),
)
_GOPHER = (
    *_GOPHER_REPETITION,
    *_GOPHER_SHAPE,
    at_least("num_distinct_stop_words", 2, "too_few_stop_words"),
)

# Raffel et al. 2020 (C4), 2.2.
_C4 = (
    at_most("has_lorem_ipsum", 0, "lorem_ipsum"),
    at_most("c4_num_curly_brackets", 0, "curly_bracket"),
    at_least("c4_num_sentences", 5, "too_few_sentences"),
)

# Penedo et al. 2024 (FineWeb), 3.4 to 3.6: Gopher's rules, C4's except that on line endings, four new rules.
_FINEWEB = (
    *_GOPHER,
    at_most("has_lorem_ipsum", 0, "lorem_ipsum"),
    at_most("num_curly_brackets", 0, "curly_bracket"),
    at_least("c4_num_sentences_any_ending", 5, "too_few_sentences"),
    at_least("punctuated_line_fraction", 0.12, "too_few_punctuated_lines"),
    at_most("short_line_fraction", 0.67, "too_many_short_lines"),
    at_most("c4_duplicate_line_char_fraction", 0.01, "duplicate_line_chars"),
    at_most("line_break_token_fraction", 0.3, "too_many_line_breaks"),
)

# Li et al. 2024 (DCLM), its RefinedWeb heuristics: all stop words count, at most 5 % of words are removed.
_DCLM = (
    *_GOPHER_SHAPE,
    at_least("num_stop_words", 2, "too_few_stop_words"),
    *_GOPHER_REPETITION,
    at_most("dclm_removed_word_fraction", 0.05, "too_many_removed_words"),
)

# OLMo 3's all_dressed configuration: DCLM's rules, at least 150 characters, and MADLAD-400's rule 2 on 20 %
# of the sentences. (Rule 5, a list of phrases in many languages, is not reproduced.)
_DOLMA3 = (
    at_least("num_chars", 150, "too_few_chars"),
    *_DCLM,
    at_most("list_case_sentence_fraction", 0.2, "too_many_list_case_sentences"),
)

# Paster et al. 2023 (OpenWebMath): the released filter's rules, without its classifier and perplexity bound.
_OPENWEBMATH = (
    at_least("num_chars", 100, "too_few_chars"),
    at_least("num_latex_commands", 1, "no_math"),
    at_most("accented_char_fraction", 0.015, "too_many_accents"),
)

# Allal et al. 2023 (SantaCoder, bigcode): line lengths, alphanumeric characters, fraction of comments.
_BIGCODE = (
    at_most("max_line_length", 1_000, "line_too_long"),
    at_most("mean_line_length", 100, "mean_line_too_long"),
    at_least("alphanumeric_char_fraction", 0.25, "too_few_alphanumerics"),
    at_least("comment_line_fraction", 0.01, "too_few_comments"),
    at_most("comment_line_fraction", 0.8, "too_many_comments"),
)

# Our choice: all rules below, for the report says only that heuristics must not drop math and code. Bounds
# are those of the published presets, and looser where these drop good text (`make bench-filters`).

# Machine-made listings pass every rule for code and many rules for math. Swept over 60 kinds of junk and the
# good classes: good text has at most 0.4 at the 99th percentile, listings have at least 0.7.
_OURS_ALIKE = (at_most("top_line_shape_fraction", 0.6, "lines_too_alike"),)

# A page that only names "lorem ipsum" is good; one that consists of it has no stop words.
_OURS_SHAPE = (
    at_least("num_words", 40, "too_few_words"),
    at_most("num_words", 100_000, "too_many_words"),
    at_least("mean_word_length", 2.5, "words_too_short"),
    at_most("mean_word_length", 10, "words_too_long"),
    at_most("hash_token_fraction", 0.1, "too_many_hashes"),
    at_most("ellipsis_token_fraction", 0.1, "too_many_ellipses"),
    at_most("bullet_line_fraction", 0.9, "too_many_bullets"),
    at_most("ellipsis_line_fraction", 0.3, "too_many_ellipsis_lines"),
    at_least("alphabetic_word_fraction", 0.7, "too_few_alphabetic_words"),
    at_least("num_distinct_stop_words", 2, "too_few_stop_words"),
    at_least("stop_word_fraction", 0.04, "too_few_stop_words"),
    at_least("num_sentences", 3, "too_few_sentences"),
    at_least("punctuated_line_fraction", 0.03, "too_few_punctuated_lines"),
    at_most("short_line_fraction", 0.9, "too_many_short_lines"),
    at_most("dclm_removed_word_fraction", 0.2, "too_many_removed_words"),
    *_OURS_ALIKE,
)
_OURS_PROSE = (*_OURS_SHAPE, *_GOPHER_REPETITION)
# The reference of a library repeats "the same as", "raises", "new in version" under every name. The factor
# 1.8 was swept on 205 whole pages of documentation of Python and its libraries (docs/log.md).
_LOOSE_REPETITION = tuple(
    rule._replace(maximum=1.8 * rule.maximum) for rule in _GOPHER_REPETITION if rule.maximum is not None
)
_OURS_TECHNICAL = (*_OURS_SHAPE, *_LOOSE_REPETITION)
# What a short text may be is decided by rules.is_brief; these rules refuse names, links and repetition. The
# commonest n-gram says nothing about a few words, of which every n-gram is a large part.
_OURS_BRIEF = (
    at_least("num_chars", 80, "too_few_chars"),
    at_least("num_words", 10, "too_few_words"),
    at_most("max_word_length", 1_000, "words_too_long"),
    at_most("mean_word_length", 10, "words_too_long"),
    at_most("hash_token_fraction", 0.4, "too_many_hashes"),
    at_most("ellipsis_token_fraction", 0.1, "too_many_ellipses"),
    at_least("alphabetic_word_fraction", 0.6, "too_few_alphabetic_words"),
    *_OURS_ALIKE,
    *(rule for rule in _LOOSE_REPETITION if not rule.field.startswith("top_")),
)
# Thresholds of FineWeb 2 for Mandarin (its configs/cmn_Hani.yml, with words by a segmenter), and our choice
# where it has none. A Chinese word has about 1.6 characters: 40 words are 64 characters, and 5 words are 8.
_OURS_CHINESE = (
    at_most("has_lorem_ipsum", 0, "lorem_ipsum"),
    at_least("num_words", 64, "too_few_words"),
    at_most("num_words", 160_000, "too_many_words"),
    at_most("mean_word_length", 5, "words_too_long"),
    at_most("hash_token_fraction", 0.1, "too_many_hashes"),
    at_most("ellipsis_token_fraction", 0.1, "too_many_ellipses"),
    at_most("bullet_line_fraction", 0.9, "too_many_bullets"),
    at_most("ellipsis_line_fraction", 0.3, "too_many_ellipsis_lines"),
    at_least("alphabetic_word_fraction", 0.735, "too_few_alphabetic_words"),
    at_least("num_distinct_stop_words", 2, "too_few_stop_words"),
    at_least("stop_word_fraction", 0.02, "too_few_stop_words"),
    at_least("num_sentences", 3, "too_few_sentences"),
    at_least("punctuated_line_fraction", 0.03, "too_few_punctuated_lines"),
    at_most("line_break_token_fraction", 0.25, "too_many_line_breaks"),
    *_OURS_ALIKE,
    at_most("duplicate_line_fraction", 0.287, "duplicate_lines"),
    at_most("duplicate_line_char_fraction", 0.20, "duplicate_line_chars"),
    at_most("top_2_gram_char_fraction", 0.256, "top_2_gram"),
    at_most("top_3_gram_char_fraction", 0.201, "top_3_gram"),
    at_most("top_4_gram_char_fraction", 0.171, "top_4_gram"),
    at_most("duplicate_8_gram_char_fraction", 0.198, "duplicate_8_grams"),
    at_most("duplicate_10_gram_char_fraction", 0.182, "duplicate_10_grams"),
)
# Our choice: only measurements that do not depend on a language's words and their frequency, and OLMo 3's 150
# characters.
_OURS_OTHER = (
    at_most("has_lorem_ipsum", 0, "lorem_ipsum"),
    at_least("num_chars", 150, "too_few_chars"),
    at_most("max_word_length", 1_000, "words_too_long"),
    at_most("hash_token_fraction", 0.1, "too_many_hashes"),
    at_most("ellipsis_token_fraction", 0.1, "too_many_ellipses"),
    at_most("bullet_line_fraction", 0.9, "too_many_bullets"),
    at_most("ellipsis_line_fraction", 0.3, "too_many_ellipsis_lines"),
    at_least("alphabetic_word_fraction", 0.7, "too_few_alphabetic_words"),
    at_least("num_sentences", 3, "too_few_sentences"),
    at_least("punctuated_line_fraction", 0.03, "too_few_punctuated_lines"),
    *_OURS_ALIKE,
    *_GOPHER_REPETITION,
)
_OURS_MATH = (
    at_most("has_lorem_ipsum", 0, "lorem_ipsum"),
    at_least("num_chars", 80, "too_few_chars"),
    at_most("max_word_length", 1_000, "words_too_long"),
    at_least("alphanumeric_char_fraction", 0.25, "too_few_alphanumerics"),
    at_most("duplicate_paragraph_char_fraction", 0.30, "duplicate_paragraph_chars"),
    at_most("duplicate_line_char_fraction", 0.30, "duplicate_line_chars"),
    at_most("duplicate_10_gram_char_fraction", 0.30, "duplicate_10_grams"),
    *_OURS_ALIKE,
)
_OURS_CODE = (
    at_least("num_chars", 50, "too_few_chars"),
    at_most("max_code_line_length", 1_000, "line_too_long"),
    at_most("mean_code_line_length", 100, "mean_line_too_long"),
    at_least("alphanumeric_char_fraction", 0.25, "too_few_alphanumerics"),
    at_most("comment_line_fraction", 0.9, "too_many_comments"),
    *_OURS_ALIKE,
)

_PRESETS = {
    "gopher": Thresholds("gopher", _GOPHER),
    "c4": Thresholds("c4", _C4),
    "fineweb": Thresholds("fineweb", _FINEWEB),
    "dclm-rules": Thresholds("dclm-rules", _DCLM),
    "dolma3": Thresholds("dolma3", _DOLMA3),
    "openwebmath-rules": Thresholds("openwebmath-rules", _OPENWEBMATH),
    "bigcode": Thresholds("bigcode", _BIGCODE),
    "reasonmill": Thresholds(
        "reasonmill",
        _OURS_PROSE,
        code=Thresholds("reasonmill-code", _OURS_CODE),
        math=Thresholds("reasonmill-math", _OURS_MATH),
        technical=Thresholds("reasonmill-technical", _OURS_TECHNICAL),
        brief=Thresholds("reasonmill-brief", _OURS_BRIEF),
        chinese=Thresholds("reasonmill-chinese", _OURS_CHINESE),
        other=Thresholds("reasonmill-other", _OURS_OTHER),
    ),
}
