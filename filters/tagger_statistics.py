"""Measurements that the students read beside the words: TextStats without the repetition of n-grams.

Cost: about 0.45 ms for 2.6 kB; the n-grams would cost as much again and were worth 0.006 of kappa.
"""

import numpy as np

from filters.characters import classify
from filters.measure_composition import CompositionStats, measure_composition
from filters.measure_lines import LineStats, measure_lines
from filters.measure_words import WordStats, measure_words
from filters.spans import find_spans, without_spans
from filters.tagger_scores import MAX_CHARS, Numbers
from filters.words import tokenise

NAMES = tuple(
    name for stats in (CompositionStats, WordStats, LineStats) for name in stats.__dataclass_fields__
)


def statistics(text: str) -> Numbers:
    """[len(NAMES)]: log(1 + value) of each measurement of the first MAX_CHARS characters."""
    text = text[:MAX_CHARS]
    spans = find_spans(text)
    prose = without_spans(text, spans)
    characters = classify(prose)
    tokens = tokenise(characters)
    values = (
        *vars(measure_composition(text, classify(text) if spans else characters, spans)).values(),
        *vars(measure_words(prose, characters, tokens)).values(),
        *vars(measure_lines(prose, characters, len(tokens.ids))).values(),
    )
    return np.log1p(np.maximum(np.array(values, dtype=np.float64), 0.0))
