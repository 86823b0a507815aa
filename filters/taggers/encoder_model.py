"""A BERT encoder as a function of its weights, and the head that tags a document from its windows.

1. `to_windows` cuts token ids into windows of at most WINDOW positions, each between [CLS] and [SEP].
2. `encode` applies post-norm transformer layers (Devlin et al. 2018); weight names are those of published
   checkpoints.
3. `tag_logits` averages the token vectors over all windows of a document and appends the document's
   standardised measurements. One linear layer then gives a logit per domain and per cut ("label at least k").

Cost: a forward pass of MiniLM-L6 over 2.6 kB (650 tokens) takes 14 GFLOP, about 230 ms on a busy core.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from filters.taggers.scores import DIMENSIONS, MAX_CHARS, MAX_LABEL

Tensor = Any
"""torch.Tensor. torch is imported only when an encoder is used."""

WINDOW = 512
"""Number of position embeddings in the checkpoint."""

LINE_MARK = " \N{PILCROW SIGN} "
"""Replaces a line break, which the word-piece vocabulary does not have."""

POOLED_SCALE = 3.0  # Our choice: gives the averaged vectors the spread of the measurements at the start.

NUM_CUTS = len(DIMENSIONS) * MAX_LABEL


class Shape(NamedTuple):
    """Properties of the model that its weights do not contain."""

    num_layers: int
    num_heads: int
    cls_id: int
    sep_id: int


def readable(text: str) -> str:
    """Return the part of a document that is tokenised, with line breaks marked."""
    return text[:MAX_CHARS].replace("\n", LINE_MARK).encode("utf-8", "ignore").decode()


def to_windows(ids: Sequence[int], shape: Shape, window: int = WINDOW) -> list[list[int]]:
    """Return the windows of one document's ids. An empty document has one window with the two marks only."""
    inner = window - 2
    starts = range(0, max(1, len(ids)), inner)
    return [[shape.cls_id, *ids[start : start + inner], shape.sep_id] for start in starts]


def pack(documents: Sequence[Sequence[int]], shape: Shape, window: int = WINDOW) -> tuple[Tensor, Tensor]:
    """Pad the windows of all documents with 0 -> ids [w, s], and the document of each window [w]."""
    import torch

    windows: list[list[int]] = []
    owners: list[int] = []
    for number, ids in enumerate(documents):
        found = to_windows(ids, shape, window)
        windows += found
        owners += [number] * len(found)
    longest = max(map(len, windows))
    return torch.tensor([w + [0] * (longest - len(w)) for w in windows]), torch.tensor(owners)


def encode(weights: Mapping[str, Tensor], ids: Tensor, shape: Shape, dropout: float = 0.0) -> Tensor:
    """Return token vectors: ids [w, s] -> [w, s, h]. Padding (id 0) is not attended to."""
    from torch.nn import functional

    def linear(name: str, x: Tensor) -> Tensor:
        return functional.linear(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    def norm(name: str, x: Tensor) -> Tensor:
        # Computed in float32 under autocast too; 1e-12 is the checkpoint's layer_norm_eps.
        size = x.shape[-1:]
        return functional.layer_norm(
            x.float(), size, weights[f"{name}.weight"], weights[f"{name}.bias"], 1e-12
        )

    def drop(x: Tensor) -> Tensor:
        return functional.dropout(x, dropout, training=dropout > 0)

    num_windows, length = ids.shape
    is_token = (ids != 0)[:, None, None, :]
    x = functional.embedding(ids, weights["embeddings.word_embeddings.weight"])
    x = x + weights["embeddings.position_embeddings.weight"][:length]
    x = drop(norm("embeddings.LayerNorm", x + weights["embeddings.token_type_embeddings.weight"][0]))
    hidden = x.shape[-1]
    for layer in range(shape.num_layers):
        name = f"encoder.layer.{layer}"
        query, key, value = (  # [w, s, h] -> [w, heads, s, h / heads]
            linear(f"{name}.attention.self.{part}", x)
            .view(num_windows, length, shape.num_heads, hidden // shape.num_heads)
            .transpose(1, 2)
            for part in ("query", "key", "value")
        )
        y = functional.scaled_dot_product_attention(query, key, value, attn_mask=is_token, dropout_p=dropout)
        y = linear(f"{name}.attention.output.dense", y.transpose(1, 2).reshape(num_windows, length, hidden))
        x = norm(f"{name}.attention.output.LayerNorm", x + drop(y))
        y = linear(f"{name}.output.dense", functional.gelu(linear(f"{name}.intermediate.dense", x)))
        x = norm(f"{name}.output.LayerNorm", x + drop(y))
    return x


def tag_logits(
    weights: Mapping[str, Tensor],
    ids: Tensor,
    owners: Tensor,
    measured: Tensor,
    shape: Shape,
    dropout: float = 0.0,
) -> Tensor:
    """Return logits: ids [w, s], owners [w], standardised measurements [n, m] -> [n, domains + NUM_CUTS]."""
    import torch
    from torch.nn import functional

    vectors = encode(weights, ids, shape, dropout).float()
    is_token = (ids != 0)[..., None].float()
    sums = torch.zeros(len(measured), vectors.shape[-1], device=ids.device)
    sums = sums.index_add(0, owners, (vectors * is_token).sum(dim=1))
    counts = torch.zeros(len(measured), 1, device=ids.device).index_add(0, owners, is_token.sum(dim=1))
    joined = torch.cat([sums / counts * POOLED_SCALE, measured], dim=1)
    joined = functional.dropout(joined, dropout, training=dropout > 0)
    return functional.linear(joined, weights["head.weight"], weights["head.bias"])


def expected_labels(logits: Tensor) -> Tensor:
    """Return the sum of each label's cut probabilities: [n, domains + NUM_CUTS] -> [n, dimensions]."""
    cuts = logits[:, -NUM_CUTS:].sigmoid()
    return cuts.view(len(logits), len(DIMENSIONS), MAX_LABEL).sum(dim=2)
