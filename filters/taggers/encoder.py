"""The encoder student: a fine-tuned BERT (encoder_model.py) with the interface of the fastText student.

A folder holds encoder.npz (float16 weights, mean and scale of the measurements), tokenizer.json and
card.json. The weights of MiniLM-L6 take 45 MB, too much to ship; pipeline.taggers.train_encoder makes the
folder.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from filters.taggers.encoder_model import Shape, Tensor, expected_labels, pack, readable, tag_logits
from filters.taggers.scores import DIMENSIONS, MAX_LABEL, Numbers, Scores, hash_card, on_label_scale
from filters.taggers.statistics import NAMES, statistics

Tokenizer = Any
"""tokenizers.Tokenizer. The library is imported only when an encoder is loaded."""

WEIGHTS = "encoder.npz"
TOKENIZER = "tokenizer.json"
MEAN, SCALE = "measured.mean", "measured.scale"


class EncoderTagger:
    """The loaded student of one folder, on the CPU."""

    def __init__(
        self,
        weights: dict[str, Tensor],
        standard: tuple[Numbers, Numbers],
        tokenizer: Tokenizer,
        shape: Shape,
        domains: tuple[str, ...],
        cuts: dict[str, list[float]],
        model_hash: str,
    ) -> None:
        self._weights = weights
        self._standard = standard
        self._tokenizer = tokenizer
        self._shape = shape
        self._domains = domains
        self._cuts = cuts
        self.model_hash = model_hash

    def score(self, text: str) -> Scores:
        """Return the scores of one document. The empty text has scores too."""
        import torch

        ids = self._tokenizer.encode(readable(text), add_special_tokens=False).ids
        windows, owners = pack([ids], self._shape)
        measured = torch.from_numpy(standardise(statistics(text)[None, :], *self._standard))
        with torch.inference_mode():
            logits = tag_logits(self._weights, windows, owners, measured, self._shape)
            labels = expected_labels(logits)[0].tolist()
        domain = self._domains[int(logits[0, : len(self._domains)].argmax())]
        scaled = (
            on_label_scale(label / MAX_LABEL, self._cuts[name])
            for name, label in zip(DIMENSIONS, labels, strict=True)
        )
        return Scores(domain, *scaled)

    def score_many(self, texts: Iterable[str]) -> list[Scores]:
        """Return the scores of each document, in order; padding would cost more than batches save."""
        return [self.score(text) for text in texts]


def load_encoder_tagger(folder: Path, card: dict[str, Any]) -> EncoderTagger:
    """Load a folder whose files were checked. Raises ValueError if it was trained on other measurements."""
    import torch

    with np.load(folder / WEIGHTS) as arrays:
        standard = (arrays[MEAN].astype(np.float64), arrays[SCALE].astype(np.float64))
        names = [name for name in arrays.files if name not in (MEAN, SCALE)]
        weights = {name: torch.from_numpy(arrays[name].astype(np.float32)) for name in names}
    if len(standard[0]) != len(NAMES):
        raise ValueError(
            f"{folder / WEIGHTS}: made for {len(standard[0])} measurements, not {len(NAMES)}; remedy: train "
            "it with pipeline.taggers.train_encoder"
        )
    return EncoderTagger(
        weights,
        standard,
        load_tokenizer(folder / TOKENIZER),
        Shape(**card["shape"]),
        tuple(card["domains"]),
        card["cuts"],
        hash_card(card),
    )


def load_tokenizer(file: Path) -> Tokenizer:
    """Load the word-piece tokenizer without truncation and padding."""
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def standardise(measured: Numbers, mean: Numbers, scale: Numbers) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Standardise the measurements and clip them to +-4: [n, m] -> [n, m]."""
    standard: np.ndarray[Any, np.dtype[np.float32]] = np.clip((measured - mean) / scale, -4, 4).astype(
        np.float32
    )
    return standard
