"""Domain, quality, knowledge density and reasoning depth of a document: the entry to both students.

The fastText student (fasttext.py; shipped in models/) costs about 0.8 ms per document of 2.6 kB, the encoder
student (encoder.py; trained by pipeline.taggers.train_encoder) about 230 ms, both on a busy core. The file
card.json of a folder says which student it holds.
"""

import tempfile
from functools import cache
from importlib.resources import files
from pathlib import Path

from filters.taggers.encoder import load_encoder_tagger
from filters.taggers.fasttext import load_fasttext_tagger
from filters.taggers.scores import Tagger, check_files, read_card

MODELS = "models"


def load(path: str | Path | None = None) -> Tagger:
    """Load the student of a folder; without one, that shipped in filters/taggers/models.

    Raises ValueError naming the file if one is missing or is not what card.json says.
    """
    folder = Path(path) if path is not None else shipped()
    card = read_card(folder)
    check_files(folder, card)
    if card["student"] == "encoder":
        return load_encoder_tagger(folder, card)
    return load_fasttext_tagger(folder, card)


def shipped() -> Path:
    """The folder of the shipped models; out of a zip (spark-submit --py-files) it is unpacked first."""
    inside = files("filters.taggers") / MODELS
    return inside if isinstance(inside, Path) else Path(_unpacked().name)


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    """Deleted when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="reasonmill-models-")
    for file in (files("filters.taggers") / MODELS).iterdir():
        (Path(folder.name) / file.name).write_bytes(file.read_bytes())
    return folder
