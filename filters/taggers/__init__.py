"""Tag documents with domain, quality, knowledge density and reasoning depth: `load()` returns a tagger."""

from filters.taggers.loading import load, shipped
from filters.taggers.scores import CARD, DIMENSIONS, MAX_CHARS, MAX_LABEL, Scores, Tagger

__all__ = ["CARD", "DIMENSIONS", "MAX_CHARS", "MAX_LABEL", "Scores", "Tagger", "load", "shipped"]
