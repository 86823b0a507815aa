"""Why our decision on a document differs from datatrove's: the cause, told from its measurements.

Two kinds exist. At the bound: the measurement on which one side rejects is, by ours, so near its bound that a
few tokens or sentences decide, which spaCy cuts otherwise. By definition: datatrove measures something else;
what, is said below.
"""

from filters.measure.stats import TextStats
from filters.presets import preset

# datatrove's reasons -> the beginning of our measurement's name, and which of the rule's bounds is broken.
_SAME_RULE = {
    "gopher_short_doc": ("num_words", "minimum"),
    "gopher_long_doc": ("num_words", "maximum"),
    "gopher_below_avg_threshold": ("mean_word_length", "minimum"),
    "gopher_above_avg_threshold": ("mean_word_length", "maximum"),
    "gopher_below_alpha_threshold": ("alphabetic_token_fraction", "minimum"),
    "gopher_too_many_hashes": ("hash_token_fraction", "maximum"),
    "gopher_too_many_ellipsis": ("ellipsis_token_fraction", "maximum"),
    "gopher_enough_stop_words": ("num_distinct_stop_words", "minimum"),
    "too_few_sentences": ("c4_num_sentences", "minimum"),
    "line_punct_ratio": ("punctuated_line_fraction", "minimum"),
    "short_line_ratio": ("short_line_fraction", "maximum"),
    "char_dup_ratio": ("c4_duplicate_line_char_fraction", "maximum"),
    "list_ratio": ("line_break_token_fraction", "maximum"),
    **{f"top_{n}_gram": (f"top_{n}_gram_char_fraction", "maximum") for n in (2, 3, 4)},
    **{
        f"duplicated_{n}_n_grams": (f"duplicate_{n}_gram_char_fraction", "maximum")
        for n in (5, 6, 7, 8, 9, 10)
    },
}
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
    field, bound = _same_rule(chain, theirs) if theirs else _broken(chain, stats, ours)
    if not field:
        return "UNEXPLAINED"
    value = float(getattr(stats, field))
    if abs(value - bound) <= _NEAR * bound:
        return f"at the bound: {field} {value:.3g}, bound {bound:g}"
    cause = next((note for part, note in _DEFINITIONS.items() if part in field), "UNEXPLAINED")
    return f"by definition: {cause} ({field} {value:.3g}, bound {bound:g})"


def _same_rule(chain: str, theirs: str) -> tuple[str, float]:
    """Measurement and bound of our rule for datatrove's reason."""
    prefix, side = _SAME_RULE.get(theirs, ("", ""))
    for rule in preset(chain).rules if prefix else ():
        bound = getattr(rule, side)
        if rule.field.startswith(prefix) and bound is not None:
            return rule.field, bound
    return "", 0.0


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
