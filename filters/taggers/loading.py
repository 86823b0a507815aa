"""Load either student: domain, quality, knowledge density and reasoning depth of a document.

The fastText student (fasttext.py; shipped in models/) takes about 0.8 ms per document of 2.6 kB, the encoder
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
    """Load the student of a folder, or the one shipped in filters/taggers/models if `path` is None.

    Raises ValueError with the file's name if a file is missing or differs from card.json.
    """
    folder = Path(path) if path is not None else shipped()
    card = read_card(folder)
    check_files(folder, card)
    if card["student"] == "encoder":
        return load_encoder_tagger(folder, card)
    return load_fasttext_tagger(folder, card)


def shipped() -> Path:
    """Return the folder of the shipped models, unpacked if they are in a zip (spark-submit --py-files)."""
    inside = files("filters.taggers") / MODELS
    return inside if isinstance(inside, Path) else Path(_unpacked().name)


@cache
def _unpacked() -> tempfile.TemporaryDirectory[str]:
    """Unpack the shipped models into a folder that is deleted when this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="reasonmill-models-")
    for file in (files("filters.taggers") / MODELS).iterdir():
        (Path(folder.name) / file.name).write_bytes(file.read_bytes())
    return folder
