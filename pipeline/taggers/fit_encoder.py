"""Fine-tune the encoder on labelled documents, with torch on a CPU or a GPU.

Every step makes two passes with different dropout. The loss is the cross-entropy of the domain, plus the
squared error of the expected labels, plus the binary cross-entropy of the cuts, plus the disagreement of the
two passes (R-Drop, Liang et al. 2021, eq. 4). The optimizer is AdamW; the learning rate warms up linearly
over a tenth of the steps, then falls linearly to 0. Cost: see train_encoder.py.
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
from filters.taggers.scores import DIMENSIONS, MAX_LABEL, Numbers

Weights = dict[str, torch.Tensor]
Ids = Sequence[Sequence[int]]
CUT_AGREEMENT = 5.0
"""Weight of the squared difference of the cuts between the two passes.

Our choice: the number of cuts of a dimension."""
BASE_FILES = ("model.safetensors", "config.json", TOKENIZER)
DROPPED = ("embeddings.position_ids", "pooler.")
"""Names (or beginnings of names) of a checkpoint's tensors that the tagger does not use."""


@dataclass(frozen=True)
class EncoderSettings:
    """The settings of the fine-tuning."""

    epochs: int
    batch_documents: int
    """Documents per step."""
    learning_rate: float
    """Peak learning rate of the last layer."""
    layer_decay: float
    """The learning rate of a layer is that of the layer above it times this factor."""
    head_learning_rate: float
    """Peak learning rate of the head."""
    dropout: float
    weight_decay: float
    crop_fraction: float
    """Fraction of documents of which an epoch reads a random 60-100 %, so that positions matter less."""


@dataclass(frozen=True)
class Examples:
    """The documents to train on; all fields have the same order."""

    ids: Ids
    """Token ids of each document."""
    measured: npt.NDArray[np.float32]
    """[n, m], standardised measurements."""
    domains: npt.NDArray[np.int64]
    """[n], index of the domain, below num_domains."""
    cuts: npt.NDArray[np.float32]
    """[n, NUM_CUTS], 1 where the label is at least the cut, else 0."""


def read_base(folder: Path) -> tuple[Tokenizer, Weights, Shape]:
    """Read tokenizer, weights and shape of a BERT checkpoint in safetensors.

    The weights are float32, on the GPU if there is one. Raises ConfigError if the folder holds no checkpoint.
    """
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
    except Exception as error:  # tokenizers raises plain Exception
        raise ConfigError(
            f"--base: {folder}: {type(error).__name__}: {error}; remedy: give a BERT checkpoint's folder"
        ) from None
    device = "cuda" if torch.cuda.is_available() else "cpu"
    weights = {
        name: value.float().to(device) for name, value in loaded.items() if not name.startswith(DROPPED)
    }
    return tokenizer, weights, shape


def autocast(device: torch.device) -> torch.autocast:
    """Return the context of a forward pass: bf16 on a GPU, float32 on a CPU."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")


def fit_encoder(
    base: Weights, shape: Shape, examples: Examples, num_domains: int, settings: EncoderSettings, seed: int
) -> Weights:
    """Return the fine-tuned weights with their head, on the device of `base`.

    The same seed on the same device gives the same weights.
    """
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
            with autocast(device):
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
    """Predict the index of the most probable domain [n] and the expected labels [n, dimensions]."""
    device = weights["head.bias"].device
    domains = np.zeros(len(ids), dtype=np.int64)
    labels = np.zeros((len(ids), len(DIMENSIONS)))
    by_length = np.argsort([len(document) for document in ids], kind="stable")
    for start in range(0, len(ids), batch_documents):
        rows = by_length[start : start + batch_documents]
        windows, owners = (x.to(device) for x in pack([ids[row] for row in rows], shape))
        with torch.inference_mode(), autocast(device):
            logits = tag_logits(weights, windows, owners, torch.from_numpy(measured[rows]).to(device), shape)
        domains[rows] = logits[:, :-NUM_CUTS].argmax(dim=1).cpu().numpy()
        labels[rows] = expected_labels(logits.float()).cpu().numpy()
    return domains, labels


def new_head(base: Weights, examples: Examples, num_domains: int) -> Weights:
    """Return a small random head, the same for every seed: the seed only decides the order of documents."""
    size = base["embeddings.word_embeddings.weight"].shape[1] + examples.measured.shape[1]
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(num_domains + NUM_CUTS, size, generator=generator) * 0.02
    return {"head.weight": weight, "head.bias": torch.zeros(num_domains + NUM_CUTS)}


def _loss(logits: torch.Tensor, domains: torch.Tensor, cuts: torch.Tensor) -> torch.Tensor:
    wanted = cuts.view(len(cuts), len(DIMENSIONS), MAX_LABEL).sum(dim=2)
    squared = functional.mse_loss(expected_labels(logits), wanted)
    binary = functional.binary_cross_entropy_with_logits(logits[:, -NUM_CUTS:], cuts)
    return functional.cross_entropy(logits[:, :-NUM_CUTS], domains) + squared + binary


def _disagreement(once: torch.Tensor, again: torch.Tensor) -> torch.Tensor:
    """Return the disagreement of two passes.

    This is the mean of both Kullback-Leibler divergences of the domain, plus the weighted squared difference
    of the cuts.
    """
    first, second = (logits[:, :-NUM_CUTS].log_softmax(dim=1) for logits in (once, again))
    divergence = ((first.exp() - second.exp()) * (first - second)).sum(dim=1).mean() / 2
    cuts = functional.mse_loss(once[:, -NUM_CUTS:].sigmoid(), again[:, -NUM_CUTS:].sigmoid())
    return divergence + CUT_AGREEMENT * cuts


def average(fitted: Sequence[Weights]) -> Weights:
    """Return the mean of weights fitted from the same start: nearly an ensemble, at the cost of one model."""
    return {name: torch.stack([weights[name] for weights in fitted]).mean(dim=0) for name in fitted[0]}


def new_optimizer(weights: Weights, settings: EncoderSettings) -> torch.optim.Optimizer:
    """Build AdamW with one learning rate per layer; only matrices have weight decay."""
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
    if len(ids) < 200 or drawn.random() >= fraction:  # Our choice: short texts are never cropped.
        return ids
    length = int(len(ids) * drawn.uniform(0.6, 1.0))
    start = int(drawn.integers(0, len(ids) - length + 1))
    return ids[start : start + length]
