"""Decide whether a document is kept: find the first rule of a preset that it breaks."""

from filters.measure.stats import TextStats
from filters.thresholds import Thresholds

_ENGLISH = ("en", "und")
# Our choice: Chinese manuals full of English terms have a fraction of 0.15 or more (of all characters, spaces
# included).
_MIN_HAN_FRACTION = 0.14
# Our choice: pages with a few marked names or symbols stay below this; documentation has 0.05 or more.
_MIN_TECHNICAL_FRACTION = 0.02
# What `reasonmill` asks of prose in English and in Chinese.
_MIN_WORDS, _MIN_CHINESE_WORDS = 40, 64


def reject_reason(stats: TextStats, thresholds: Thresholds, language: str = "en") -> str | None:
    """Return the reason of the first broken rule, one of REASONS, or None if the document is kept.

    `language` is the ISO 639 code of the prose. A document in English or an unknown language ("und") is
    judged by the Chinese rules if at least one character in seven is Han: half-translated pages and pages
    with many English terms are identified as English.
    """
    for field, minimum, maximum, reason in _variant(stats, thresholds, language).rules:
        value = getattr(stats, field)
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            return reason
    return None


def is_mostly_code(stats: TextStats) -> bool:
    """Whether the document is mostly code.

    Our choice: report does not say. Either 40 % of the characters are code and at least one code block is
    present (a text with inline code only is a list of names), or a third of the lines look like code and the
    lines are short. With higher bounds, short programs with their task (MBPP) and source files without fences
    are judged as prose and lost. Fifteen or more lines that end like code but hold no equation, no bracket
    and no stop word are a menu.
    """
    if stats.code_char_fraction >= 0.4 and stats.num_code_blocks > 0:
        return True
    has_code_lines = stats.code_like_line_fraction >= 1 / 3 and stats.mean_line_length <= 100
    has_signs = stats.num_plain_equations + stats.num_curly_brackets + stats.num_stop_words > 0
    return has_code_lines and (has_signs or stats.num_lines < 15) and _has_stop_word_or_is_short(stats, 1_500)


def is_mathematical(stats: TextStats) -> bool:
    """Whether a tenth of the characters are formulas, or one unmarked equation stands in every 80 words.

    Our choice: report does not say. One tenth separates texts with derivations from texts that mention a
    variable.
    """
    is_marked = stats.math_char_fraction >= 0.1
    return (
        is_marked or stats.num_plain_equations * 80 >= max(stats.num_words, 80)
    ) and _has_stop_word_or_is_short(stats, 600)


def is_brief(stats: TextStats) -> bool:
    """Whether a text is too short to be judged as prose, and yet more than a remark.

    Our choice, see the README: a short text with code or formulas in it is an answer or a reference, and
    short lines with as many stop words as prose has are the steps of a task. Menus and word lists have none.
    """
    if _is_han(stats):
        return stats.num_words < _MIN_CHINESE_WORDS and _is_technical(stats)
    is_short = stats.num_words < _MIN_WORDS
    is_listed = stats.short_line_fraction >= 0.6 or stats.bullet_line_fraction >= 0.5
    has_steps = is_listed and stats.num_lines >= 5 and stats.stop_word_fraction >= 0.1
    return is_short and (_is_technical(stats) or (has_steps and stats.num_words >= 20))


def _is_technical(stats: TextStats) -> bool:
    return stats.code_char_fraction + stats.math_char_fraction >= _MIN_TECHNICAL_FRACTION


def _is_han(stats: TextStats) -> bool:
    return stats.han_char_fraction >= _MIN_HAN_FRACTION


def _has_stop_word_or_is_short(stats: TextStats, max_chars: int) -> bool:
    """Whether the text has a stop word or is short; a long text without one is a settings file or a table.

    Our choice: the longest solution without a stop word in GSM8K, MATH and AQuA has 398 characters.
    """
    return stats.num_stop_words > 0 or stats.num_chars < max_chars


def _variant(stats: TextStats, thresholds: Thresholds, language: str) -> Thresholds:
    """Return the variant of the preset that the document is judged by."""
    variant = None
    if thresholds.code is not None and is_mostly_code(stats):
        variant = thresholds.code
    elif thresholds.math is not None and is_mathematical(stats):
        variant = thresholds.math
    elif language not in (*_ENGLISH, "zh"):
        variant = thresholds.other
    elif thresholds.brief is not None and is_brief(stats):
        variant = thresholds.brief
    elif language == "zh" or _is_han(stats):
        variant = thresholds.chinese
    elif _is_technical(stats):
        variant = thresholds.technical
    return variant or thresholds
