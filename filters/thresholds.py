"""What a preset consists of: rules with their bounds and reasons, and variants for kinds of documents."""

from dataclasses import dataclass
from typing import NamedTuple

REASONS = (
    "too_few_chars",
    "too_few_words",
    "too_many_words",
    "words_too_short",
    "words_too_long",
    "too_many_hashes",
    "too_many_ellipses",
    "too_many_bullets",
    "too_many_ellipsis_lines",
    "too_few_alphabetic_words",
    "too_few_stop_words",
    "duplicate_paragraphs",
    "duplicate_paragraph_chars",
    "duplicate_lines",
    "duplicate_line_chars",
    "top_2_gram",
    "top_3_gram",
    "top_4_gram",
    "duplicate_5_grams",
    "duplicate_6_grams",
    "duplicate_7_grams",
    "duplicate_8_grams",
    "duplicate_9_grams",
    "duplicate_10_grams",
    "lorem_ipsum",
    "curly_bracket",
    "too_few_sentences",
    "too_few_punctuated_lines",
    "too_many_short_lines",
    "too_many_line_breaks",
    "too_many_removed_words",
    "too_many_list_case_sentences",
    "too_many_accents",
    "no_math",
    "line_too_long",
    "mean_line_too_long",
    "too_few_alphanumerics",
    "too_few_comments",
    "too_many_comments",
    "lines_too_alike",
)
"""Every reason that reject_reason can give."""


class Rule(NamedTuple):
    """A document breaks the rule if its measurement `field` is below `minimum` or above `maximum`."""

    field: str
    minimum: float | None
    maximum: float | None
    reason: str


@dataclass(frozen=True)
class Thresholds:
    """One preset. A document for which the preset has a variant is judged by the variant's rules instead.

    `code` and `math` are for documents that consist mainly of code or math, `technical` for English prose
    with some of them, `brief` for short answers, references and lists of steps, `chinese` for prose in
    Chinese, `other` for prose in the remaining languages.
    """

    name: str
    rules: tuple[Rule, ...]
    code: "Thresholds | None" = None
    math: "Thresholds | None" = None
    technical: "Thresholds | None" = None
    brief: "Thresholds | None" = None
    chinese: "Thresholds | None" = None
    other: "Thresholds | None" = None

    def with_variants(self) -> "tuple[Thresholds, ...]":
        """Return the preset itself and all its variants."""
        everything = (self, self.code, self.math, self.technical, self.brief, self.chinese, self.other)
        return tuple(thresholds for thresholds in everything if thresholds is not None)


def at_least(field: str, minimum: float, reason: str) -> Rule:
    """Return the rule that a document breaks below `minimum`."""
    return Rule(field, minimum, None, reason)


def at_most(field: str, maximum: float, reason: str) -> Rule:
    """Return the rule that a document breaks above `maximum`."""
    return Rule(field, None, maximum, reason)
