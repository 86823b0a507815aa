"""Vectors of words from a tiny random checkpoint, beside the encoder's own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from filters.taggers.encoder_model import encode
from pipeline.taggers.fit_encoder import read_base
from pipeline.taggers.word_vectors import word_vectors
from tests.pipeline.taggers.test_train_encoder import write_base
from tests.pipeline.taggers.test_train_fasttext import FILLERS


def test_vectors_are_the_principal_components_of_what_the_encoder_says(tmp_path: Path) -> None:
    base = write_base(tmp_path / "base")
    counts = {word: 1 + 3 * (n % 2) for n, word in enumerate(FILLERS[:40])}
    found = word_vectors(counts, base, 3)
    assert list(found) == list(counts)
    matrix = np.array(list(found.values()))
    assert matrix.shape == (40, 3)
    assert np.mean(matrix**2) == pytest.approx(1.0, abs=1e-5)

    tokenizer, weights, shape = read_base(base)
    said = []
    for word in counts:
        ids = torch.tensor([[1, *tokenizer.encode(word, add_special_tokens=False).ids, 2]])
        with torch.inference_mode():
            said.append(encode(weights, ids, shape)[0].mean(dim=0).numpy())
    directions = np.array(said) / np.linalg.norm(said, axis=1, keepdims=True)
    share = np.sqrt(list(counts.values())) / np.sqrt(list(counts.values())).sum()
    centred = directions - share @ directions
    _, _, axes = np.linalg.svd(centred * np.sqrt(share)[:, None])
    wanted = centred @ axes[:3].T
    wanted /= np.sqrt(np.mean(wanted**2))
    assert np.abs(matrix) == pytest.approx(np.abs(wanted), abs=1e-3)  # a component's sign is free
