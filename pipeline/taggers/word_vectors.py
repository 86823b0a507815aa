"""Vectors that the fastText student's words start from: what a sentence encoder makes of each word alone.

1. Each word, between [CLS] and [SEP], through the checkpoint; the token vectors are averaged and normalised.
2. The principal components of those vectors, words weighted by the root of their counts.
A word that few labelled documents hold so begins beside its like. Cost: under 90 s for 67,000 words
on two CPU cores.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from filters.taggers.encoder_model import Shape, encode, pack
from pipeline.taggers.fit_encoder import Weights, read_base

Vectors = dict[str, npt.NDArray[np.float32]]

MAX_PIECES = 30  # Ours: a longer word is an encoded string.
BATCH_WORDS = 2_048


def word_vectors(counts: Mapping[str, int], base: Path, dim: int) -> Vectors:
    """A vector [dim] for each word; over all words the root mean square of an entry is 1."""
    words = list(counts)
    components = _principal(_embed(words, base), np.sqrt([counts[word] for word in words]), dim)
    components /= np.sqrt(np.mean(components**2))
    return dict(zip(words, components.astype(np.float32), strict=True))


def _embed(words: list[str], base: Path) -> npt.NDArray[np.float64]:
    """[words, h], each of length 1."""
    tokenizer, loaded, shape = read_base(base)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = {name: value.to(device) for name, value in loaded.items()}
    pieces = [one.ids[:MAX_PIECES] for one in tokenizer.encode_batch(words, add_special_tokens=False)]
    by_length = np.argsort([len(ids) for ids in pieces], kind="stable")
    vectors = np.zeros((len(words), weights["embeddings.word_embeddings.weight"].shape[1]))
    for start in range(0, len(words), BATCH_WORDS):
        rows = by_length[start : start + BATCH_WORDS]
        vectors[rows] = _average(weights, shape, [pieces[row] for row in rows], device)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _average(weights: Weights, shape: Shape, pieces: list[list[int]], device: str) -> npt.NDArray[np.float32]:
    ids = pack(pieces, shape)[0].to(device)
    with torch.inference_mode(), torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
        vectors = encode(weights, ids, shape).float()
    is_token = (ids != 0)[..., None].float()
    averaged: npt.NDArray[np.float32] = ((vectors * is_token).sum(1) / is_token.sum(1)).cpu().numpy()
    return averaged


def _principal(
    vectors: npt.NDArray[np.float64], importance: npt.NDArray[np.float64], dim: int
) -> npt.NDArray[np.float64]:
    """[n, h] -> [n, dim]: centred, on the directions of largest weighted variance."""
    share = (importance / importance.sum())[:, None]
    centred = vectors - (vectors * share).sum(axis=0)
    _, directions = np.linalg.eigh(centred.T @ (centred * share))  # ascending
    components: npt.NDArray[np.float64] = centred @ directions[:, ::-1][:, :dim]
    return components
