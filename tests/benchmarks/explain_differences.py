"""Why our decision on a document differs from datatrove's: the cause, told from its measurements.

Two kinds exist. At a bound: the measurement on which one side rejects is, by ours, so near its bound that the
few tokens or sentences on which the tokenisers differ decide. By definition: datatrove measures something
else than its name or paper says, or we do; each such definition is named here.
"""

from filters.presets import Rule, preset
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
    "too_few_sentences": ("c4_num_sentences_any_ending", 5),
    "line_punct_ratio": ("punctuated_line_fraction", 0.12),
    "short_line_ratio": ("short_line_fraction", 0.67),
    "char_dup_ratio": ("duplicate_line_char_fraction", 0.01),
    "list_ratio": ("line_break_token_fraction", 0.3),
} | {
    f"top_{n}_gram": (f"top_{n}_gram_char_fraction", bound) for n, bound in ((2, 0.20), (3, 0.18), (4, 0.16))
} | {
    f"duplicated_{n}_n_grams": (f"duplicate_{n}_gram_char_fraction", bound)
    for n, bound in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10))
}  # fmt: skip
_NEAR = 0.1  # of the bound


def explain(text: str, stats: TextStats, theirs: str | None, ours: str | None) -> str:
    """One line: the measurement, its value and bound, and whether that is at the bound."""
    field, bound = _SAME_RULE.get(theirs or "", (None, None)) if theirs else _broken(stats, ours)
    if field is None or bound is None:
        return "no rule of ours"
    value = float(getattr(stats, field))
    distance = abs(value - bound) / bound if bound else abs(value)
    return f"{'at the bound' if distance <= _NEAR else 'BY DEFINITION'}: {field} {value:.3g}, bound {bound:g}"


def _broken(stats: TextStats, reason: str | None) -> tuple[str | None, float | None]:
    for name in ("fineweb", "c4"):
        for field, minimum, maximum, called in preset(name).rules:
            rule = Rule(field, minimum, maximum, called)
            value = getattr(stats, field)
            bound = minimum if minimum is not None else maximum
            if rule.reason == reason and bound is not None and (value < bound if minimum else value > bound):
                return field, bound
    return None, None
