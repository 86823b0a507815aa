"""Domain, quality, knowledge density and reasoning depth of a document: the entry to both students.

The fastText student (filters.fasttext_tagger; shipped in filters/models) costs about 0.8 ms a document of
2.6 kB, the encoder student (filters.encoder_tagger; trained by pipeline.train_encoder) about 230 ms, both on
a busy core. A folder's card.json says which student it holds.
"""

import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from filters.encoder_tagger import load_encoder_tagger
from filters.fasttext_tagger import load_fasttext_tagger
from filters.tagger_scores import (
    CARD,
    DIMENSIONS,
    MAX_CHARS,
    MAX_LABEL,
    Scores,
    Tagger,
    check_files,
    read_card,
)

__all__ = [
    "CARD",
    "DIMENSIONS",
    "MAX_CHARS",
    "MAX_LABEL",
    "Scores",
    "Tagger",
    "load",
    "shipped",
]

MODELS = "models"


def load(path: str | Path | None = None) -> Tagger:
    """Load the student of a folder; without one, that shipped in filters/models.

    Raises ValueError naming the file if one is missing or is not what card.json says.
    """
    folder = Path(path) if path is not None else shipped()
    card = read_card(folder)
    check_files(folder, card)
    if card["student"] == "encoder":
        return load_encoder_tagger(folder, card)
    return load_fasttext_tagger(folder, card)


def shipped() -> Path:
    """The folder of the models in filters/models; out of a zip (spark-submit --py-files) unpacked first."""
    inside = files("filters") / MODELS
    return inside if isinstance(inside, Path) else Path(_unpacked().name)


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    """Deleted when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="reasonmill-models-")
    for file in (files("filters") / MODELS).iterdir():
        (Path(folder.name) / file.name).write_bytes(file.read_bytes())
    return folder
