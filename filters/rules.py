"""The decision: the first rule of a preset that a document breaks, or none."""

from filters.measure.stats import TextStats
from filters.presets import Thresholds

_ENGLISH = ("en", "und")
# Ours: Chinese manuals full of English terms have 0.15 and more (of all characters, spaces included).
_MIN_HAN_FRACTION = 0.14
# Ours: a few names or symbols marked on every page; documentation has 0.05 and more.
_MIN_TECHNICAL_FRACTION = 0.02


def reject_reason(stats: TextStats, thresholds: Thresholds, language: str = "en") -> str | None:
    """The reason of the first broken rule, one of REASONS, or None if the document is kept.

    `language` is the ISO 639 code of the prose. English, or unknown ("und"), with one Han character in seven
    is judged as Chinese: pages half translated and with many terms in English are.
    """
    for field, minimum, maximum, reason in _variant(stats, thresholds, language).rules:
        value = getattr(stats, field)
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            return reason
    return None


def is_mostly_code(stats: TextStats) -> bool:
    """Two fifths of the characters are code in blocks, or a third of the lines look like it and are short.

    Ours: report does not say. Above these bounds short programs with their task (MBPP) and source files
    without fences are judged as prose and lost. Code in the line alone is a list of names. Fifteen lines that
    end like code but hold no equation, no bracket and no common word are a menu.
    """
    if stats.code_char_fraction >= 0.4 and stats.num_code_blocks > 0:
        return True
    has_code_lines = stats.code_like_line_fraction >= 1 / 3 and stats.mean_line_length <= 100
    has_signs = stats.num_plain_equations + stats.num_curly_brackets + stats.num_stop_words > 0
    return has_code_lines and (has_signs or stats.num_lines < 15) and _is_explained(stats, 1_500)


def is_mathematical(stats: TextStats) -> bool:
    """A tenth of the characters are formulas, or an unmarked equation stands in every 80 words.

    Ours: report does not say. A tenth separates texts with derivations from those that mention a variable.
    """
    is_marked = stats.math_char_fraction >= 0.1
    return (is_marked or stats.num_plain_equations * 80 >= max(stats.num_words, 80)) and _is_explained(
        stats, 600
    )


def _is_explained(stats: TextStats, max_chars: int) -> bool:
    """Whether one of the commonest words occurs, or the text is short; what has none is settings or a table.

    Ours: the longest solution of GSM8K, MATH and AQuA without such a word has 398 characters.
    """
    return stats.num_stop_words > 0 or stats.num_chars < max_chars


def _variant(stats: TextStats, thresholds: Thresholds, language: str) -> Thresholds:
    """Which of the preset's rules the document is judged by."""
    variant = None
    if thresholds.code is not None and is_mostly_code(stats):
        variant = thresholds.code
    elif thresholds.math is not None and is_mathematical(stats):
        variant = thresholds.math
    elif language == "zh" or (language in _ENGLISH and stats.han_char_fraction >= _MIN_HAN_FRACTION):
        variant = thresholds.chinese
    elif language not in _ENGLISH:
        variant = thresholds.other
    elif stats.code_char_fraction + stats.math_char_fraction >= _MIN_TECHNICAL_FRACTION:
        variant = thresholds.technical
    return variant or thresholds
