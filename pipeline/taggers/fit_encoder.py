"""Fine-tune the encoder on labelled documents: one function, torch on a CPU or a GPU.

Loss: cross-entropy of the domain + squared error of the expected labels + binary cross-entropy of the cuts,
of two passes with other dropout, + how far the two passes disagree (R-Drop, Liang et al. 2021, eq. 4).
AdamW, linear warm-up over a tenth of the steps, then linear decay to 0. Cost: see train_encoder.py.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file
from torch.nn import functional

from configs.loader import ConfigError
from filters.taggers.encoder import TOKENIZER, Tokenizer, load_tokenizer
from filters.taggers.encoder_model import NUM_CUTS, Shape, expected_labels, pack, tag_logits
from filters.taggers.scores import Numbers

Weights = dict[str, torch.Tensor]
Ids = Sequence[Sequence[int]]
CUT_AGREEMENT = 5.0
"""Weight of the cuts' squared difference between two passes. Ours: the number of cuts of a dimension."""
BASE_FILES = ("model.safetensors", "config.json", TOKENIZER)
DROPPED = ("embeddings.position_ids", "pooler.")
"""Tensors of a checkpoint that the tagger has no use for."""


@dataclass(frozen=True)
class EncoderSettings:
    """How the encoder is fine-tuned."""

    epochs: int
    batch_documents: int
    learning_rate: float
    layer_decay: float
    """Every layer below the last learns this much slower than the one above it."""
    head_learning_rate: float
    dropout: float
    weight_decay: float
    crop_fraction: float
    """Share of the documents of which an epoch reads only 60-100 %, so that places matter less."""


@dataclass(frozen=True)
class Examples:
    """Documents to learn from, in the same order."""

    ids: Ids
    measured: npt.NDArray[np.float32]
    """[n, m], standardised."""
    domains: npt.NDArray[np.int64]
    """[n], below num_domains."""
    cuts: npt.NDArray[np.float32]
    """[n, NUM_CUTS], 1 where the label is at least the cut."""


def read_base(folder: Path) -> tuple[Tokenizer, Weights, Shape]:
    """Tokenizer, weights and shape of a BERT checkpoint in safetensors. Raises ConfigError if it is none."""
    for name in BASE_FILES:
        if not (folder / name).is_file():
            raise ConfigError(f"--base: no {name} in {folder}; remedy: give a BERT checkpoint's folder")
    try:
        tokenizer = load_tokenizer(folder / TOKENIZER)
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        shape = Shape(
            config["num_hidden_layers"],
            config["num_attention_heads"],
            tokenizer.token_to_id("[CLS]"),
            tokenizer.token_to_id("[SEP]"),
        )
        loaded = load_file(folder / "model.safetensors")
    except Exception as error:  # tokenizers raises nothing narrower
        raise ConfigError(
            f"--base: {folder}: {type(error).__name__}: {error}; remedy: give a BERT checkpoint's folder"
        ) from None
    weights = {name: value.float() for name, value in loaded.items() if not name.startswith(DROPPED)}
    return tokenizer, weights, shape


def fit_encoder(
    base: Weights, shape: Shape, examples: Examples, num_domains: int, settings: EncoderSettings, seed: int
) -> Weights:
    """Fine-tuned weights with their head, on the device of `base`; same seed and device, same weights."""
    torch.manual_seed(seed)
    drawn = np.random.Generator(np.random.PCG64(seed))
    device = base["embeddings.word_embeddings.weight"].device
    weights = {name: value.clone() for name, value in base.items()} | new_head(base, examples, num_domains)
    weights = {name: value.to(device).requires_grad_() for name, value in weights.items()}
    optimizer = new_optimizer(weights, settings)
    num_documents = len(examples.ids)
    num_steps = settings.epochs * math.ceil(num_documents / settings.batch_documents)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, num_steps))
    measured = torch.from_numpy(examples.measured).to(device)
    domains = torch.from_numpy(examples.domains).to(device)
    cuts = torch.from_numpy(examples.cuts).to(device)
    for _ in range(settings.epochs):
        order = drawn.permutation(num_documents)
        for start in range(0, num_documents, settings.batch_documents):
            rows = order[start : start + settings.batch_documents]
            documents = [_crop(examples.ids[row], settings.crop_fraction, drawn) for row in rows]
            twice = np.tile(rows, 2)
            ids, owners = (x.to(device) for x in pack(documents * 2, shape))
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits = tag_logits(weights, ids, owners, measured[twice], shape, settings.dropout)
            logits = logits.float()
            loss = _loss(logits, domains[twice], cuts[twice]) + _disagreement(*logits.chunk(2))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights.values(), 1.0)
            optimizer.step()
            schedule.step()
    return {name: value.detach() for name, value in weights.items()}


def predict(
    weights: Weights, shape: Shape, ids: Ids, measured: npt.NDArray[np.float32], batch_documents: int
) -> tuple[npt.NDArray[np.int64], Numbers]:
    """Most probable domain [n] and expected labels [n, dimensions]."""
    device = weights["head.bias"].device
    domains = np.zeros(len(ids), dtype=np.int64)
    labels = np.zeros((len(ids), NUM_CUTS // 5))
    by_length = np.argsort([len(document) for document in ids], kind="stable")
    for start in range(0, len(ids), batch_documents):
        rows = by_length[start : start + batch_documents]
        windows, owners = (x.to(device) for x in pack([ids[row] for row in rows], shape))
        with (
            torch.inference_mode(),
            torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"),
        ):
            logits = tag_logits(weights, windows, owners, torch.from_numpy(measured[rows]).to(device), shape)
        domains[rows] = logits[:, :-NUM_CUTS].argmax(dim=1).cpu().numpy()
        labels[rows] = expected_labels(logits.float()).cpu().numpy()
    return domains, labels


def new_head(base: Weights, examples: Examples, num_domains: int) -> Weights:
    """A small random head, the same in every run: only the order of documents depends on the seed."""
    size = base["embeddings.word_embeddings.weight"].shape[1] + examples.measured.shape[1]
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(num_domains + NUM_CUTS, size, generator=generator) * 0.02
    return {"head.weight": weight, "head.bias": torch.zeros(num_domains + NUM_CUTS)}


def _loss(logits: torch.Tensor, domains: torch.Tensor, cuts: torch.Tensor) -> torch.Tensor:
    wanted = cuts.view(len(cuts), -1, 5).sum(dim=2)
    squared = functional.mse_loss(expected_labels(logits), wanted)
    binary = functional.binary_cross_entropy_with_logits(logits[:, -NUM_CUTS:], cuts)
    return functional.cross_entropy(logits[:, :-NUM_CUTS], domains) + squared + binary


def _disagreement(once: torch.Tensor, again: torch.Tensor) -> torch.Tensor:
    """Of two passes: half of both Kullback-Leibler divergences of the domain, and the cuts' difference."""
    first, second = (logits[:, :-NUM_CUTS].log_softmax(dim=1) for logits in (once, again))
    divergence = ((first.exp() - second.exp()) * (first - second)).sum(dim=1).mean() / 2
    cuts = functional.mse_loss(once[:, -NUM_CUTS:].sigmoid(), again[:, -NUM_CUTS:].sigmoid())
    return divergence + CUT_AGREEMENT * cuts


def average(fitted: Sequence[Weights]) -> Weights:
    """The mean of weights that were fitted from one start: nearly an ensemble, at the cost of one."""
    return {name: torch.stack([weights[name] for weights in fitted]).mean(dim=0) for name in fitted[0]}


def new_optimizer(weights: Weights, settings: EncoderSettings) -> torch.optim.Optimizer:
    """AdamW with a rate for each layer; vectors are not decayed."""
    depths = {name: int(name.split(".")[2]) + 1 for name in weights if name.startswith("encoder.layer.")}
    groups: list[dict[str, Any]] = []
    for name, value in weights.items():
        below_last = max(depths.values()) - depths.get(name, 0)
        rate = settings.learning_rate * settings.layer_decay**below_last
        rate = settings.head_learning_rate if name.startswith("head.") else rate
        groups.append(
            {"params": [value], "lr": rate, "weight_decay": settings.weight_decay if value.ndim > 1 else 0.0}
        )
    return torch.optim.AdamW(groups, fused=True)


def _rate(step: int, num_steps: int) -> float:
    return min(1.0, (step + 1) / (0.1 * num_steps)) * (1.0 - step / num_steps)


def _crop(ids: Sequence[int], fraction: float, drawn: np.random.Generator) -> Sequence[int]:
    if len(ids) < 200 or drawn.random() >= fraction:  # Ours: a short text has nothing to spare.
        return ids
    length = int(len(ids) * drawn.uniform(0.6, 1.0))
    start = int(drawn.integers(0, len(ids) - length + 1))
    return ids[start : start + length]
