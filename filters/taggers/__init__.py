"""Domain, quality, knowledge density and reasoning depth of a document: `load()` gives a tagger."""

from filters.taggers.loading import load, shipped
from filters.taggers.scores import CARD, DIMENSIONS, MAX_CHARS, MAX_LABEL, Scores, Tagger

__all__ = ["CARD", "DIMENSIONS", "MAX_CHARS", "MAX_LABEL", "Scores", "Tagger", "load", "shipped"]
