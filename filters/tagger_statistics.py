"""Measurements that the students read beside the words: TextStats without the repetition of n-grams.

Cost: about 0.45 ms for 2.6 kB; the n-grams would cost as much again and were worth 0.006 of kappa.
"""

import numpy as np

from filters.measure_composition import CompositionStats
from filters.measure_lines import LineStats
from filters.measure_words import WordStats
from filters.stats import measure_without_repetition
from filters.tagger_scores import MAX_CHARS, Numbers

NAMES = tuple(
    name for stats in (CompositionStats, WordStats, LineStats) for name in stats.__dataclass_fields__
)


def statistics(text: str) -> Numbers:
    """[len(NAMES)]: log(1 + value) of each measurement of the first MAX_CHARS characters."""
    values, _, _ = measure_without_repetition(text[:MAX_CHARS])
    return np.log1p(np.maximum(np.array([*values.values()], dtype=np.float64), 0.0))
