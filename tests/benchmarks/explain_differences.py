"""Why our decision on a document differs from datatrove's: the cause, told from its measurements.

Two kinds exist. At the bound: the measurement on which one side rejects is, by ours, so near its bound that a
few tokens or sentences decide, which spaCy cuts otherwise. By definition: datatrove measures something else;
what, is said below.
"""

from filters.presets import preset
from filters.stats import TextStats

# datatrove's reasons -> our measurements and bounds of the same rule.
_SAME_RULE = {
    "gopher_short_doc": ("num_words", 50),
    "gopher_long_doc": ("num_words", 100_000),
    "gopher_below_avg_threshold": ("mean_word_length", 3),
    "gopher_above_avg_threshold": ("mean_word_length", 10),
    "gopher_below_alpha_threshold": ("alphabetic_token_fraction", 0.8),
    "gopher_too_many_hashes": ("hash_token_fraction", 0.1),
    "gopher_too_many_ellipsis": ("ellipsis_token_fraction", 0.1),
    "gopher_enough_stop_words": ("num_distinct_stop_words", 2),
    "too_few_sentences": ("c4_num_sentences", 5),
    "line_punct_ratio": ("punctuated_line_fraction", 0.12),
    "short_line_ratio": ("short_line_fraction", 0.67),
    "char_dup_ratio": ("c4_duplicate_line_char_fraction", 0.01),
    "list_ratio": ("line_break_token_fraction", 0.3),
} | {
    f"top_{n}_gram": (f"top_{n}_gram_char_fraction", bound) for n, bound in ((2, 0.20), (3, 0.18), (4, 0.16))
} | {
    f"duplicated_{n}_n_grams": (f"duplicate_{n}_gram_char_fraction", bound)
    for n, bound in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
}  # fmt: skip
_NEAR = 0.1  # of the bound
_DEFINITIONS = {
    "dup_line_frac": "datatrove counts lines of nothing but white space as copies of each other",
    "top": "spaCy cuts some ruled lines (=====) into single marks, which repeat; ours are one token",
    "sentences": "datatrove's sentences are spaCy's, after its C4 step has deleted citations",
}


def explain(chain: str, stats: TextStats, theirs: str | None, ours: str | None) -> str:
    """One line: the measurement, its value and bound, and whether that is at the bound."""
    if theirs in _DEFINITIONS:
        return f"by definition: {_DEFINITIONS[theirs]}"
    field, bound = _SAME_RULE.get(theirs, ("", 0.0)) if theirs else _broken(chain, stats, ours)
    if not field:
        return "UNEXPLAINED"
    value = float(getattr(stats, field))
    if abs(value - bound) <= _NEAR * bound:
        return f"at the bound: {field} {value:.3g}, bound {bound:g}"
    cause = next((note for part, note in _DEFINITIONS.items() if part in field), "UNEXPLAINED")
    return f"by definition: {cause} ({field} {value:.3g}, bound {bound:g})"


def _broken(chain: str, stats: TextStats, reason: str | None) -> tuple[str, float]:
    """Measurement and bound of the rule that the document breaks."""
    for field, minimum, maximum, called in preset(chain).rules:
        value = getattr(stats, field)
        for bound, is_broken in (
            (minimum, minimum is not None and value < minimum),
            (maximum, maximum is not None and value > maximum),
        ):
            if called == reason and is_broken and bound is not None:
                return field, bound
    return "", 0.0
