"""Compute starting vectors for the words of the fastText student, with a sentence encoder.

1. Each word alone passes through the encoder, between [CLS] and [SEP]; its token vectors are averaged and
   normalised.
2. The vectors are reduced to their principal components; words are weighted by the root of their counts.
A rare word thus starts near words of similar meaning. Cost: under 90 s for 67,000 words on two CPU cores.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from filters.taggers.encoder_model import Shape, encode, pack
from pipeline.taggers.fit_encoder import Weights, autocast, read_base

Vectors = dict[str, npt.NDArray[np.float32]]

MAX_PIECES = 30  # Our choice: a longer word is not a word but encoded data.
BATCH_WORDS = 2_048


def word_vectors(counts: Mapping[str, int], base: Path, dim: int) -> Vectors:
    """Return a vector [dim] per word; the root mean square of all entries is 1."""
    words = list(counts)
    components = _principal(_embed(words, base), np.sqrt([counts[word] for word in words]), dim)
    components /= np.sqrt(np.mean(components**2))
    return dict(zip(words, components.astype(np.float32), strict=True))


def _embed(words: list[str], base: Path) -> npt.NDArray[np.float64]:
    """Return the words' vectors [words, h], each of length 1."""
    tokenizer, weights, shape = read_base(base)
    pieces = [one.ids[:MAX_PIECES] for one in tokenizer.encode_batch(words, add_special_tokens=False)]
    by_length = np.argsort([len(ids) for ids in pieces], kind="stable")
    vectors = np.zeros((len(words), weights["embeddings.word_embeddings.weight"].shape[1]))
    for start in range(0, len(words), BATCH_WORDS):
        rows = by_length[start : start + BATCH_WORDS]
        vectors[rows] = _average(weights, shape, [pieces[row] for row in rows])
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _average(weights: Weights, shape: Shape, pieces: list[list[int]]) -> npt.NDArray[np.float32]:
    device = weights["embeddings.word_embeddings.weight"].device
    ids = pack(pieces, shape)[0].to(device)
    with torch.inference_mode(), autocast(device):
        vectors = encode(weights, ids, shape).float()
    is_token = (ids != 0)[..., None].float()
    averaged: npt.NDArray[np.float32] = ((vectors * is_token).sum(1) / is_token.sum(1)).cpu().numpy()
    return averaged


def _principal(
    vectors: npt.NDArray[np.float64], importance: npt.NDArray[np.float64], dim: int
) -> npt.NDArray[np.float64]:
    """Project the centred vectors on the directions of largest weighted variance: [n, h] -> [n, dim]."""
    share = (importance / importance.sum())[:, None]
    centred = vectors - (vectors * share).sum(axis=0)
    _, directions = np.linalg.eigh(centred.T @ (centred * share))  # by rising variance
    components: npt.NDArray[np.float64] = centred @ directions[:, ::-1][:, :dim]
    return components
