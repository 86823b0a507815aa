"""One micro-batch of packed samples, as the model and the losses read it."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """One micro-batch of packed samples, batch first. Make it with `make_batch`."""

    tokens: Tensor
    """[b, s] int64."""
    labels: Tensor
    """[b, s] int64: the next token of the stream; arbitrary where loss_mask is False."""
    loss_mask: Tensor
    """[b, s] bool: True where the label counts in the loss (False after a document and on padding)."""
    document_starts: Tensor
    """[b, s] bool: True at the first token of a document and at position 0 of each row."""
    cu_seqlens: Tensor
    """int32 [documents + 1]: cumulative document lengths over the b-major flattened tokens."""
    sources: Tensor
    """[b] int64: number of the plan's source of each row, for the losses per source."""

    def to(self, device: torch.device | str) -> "Batch":
        """Return the same batch on a device. The copy to a GPU does not wait for the work before it."""
        tensors = (getattr(self, field.name) for field in fields(self))
        if torch.device(device).type == "cuda":
            tensors = (tensor if tensor.is_cuda else tensor.pin_memory() for tensor in tensors)
        return Batch(*(tensor.to(device, non_blocking=True) for tensor in tensors))


def documents_in(batches: Sequence[Batch]) -> list[int]:
    """Lengths of all documents, cut at the ends of rows as attention is. For batches on the CPU."""
    return [length for batch in batches for length in batch.cu_seqlens.diff().tolist()]


def make_batch(
    tokens: Tensor, labels: Tensor, loss_mask: Tensor, document_starts: Tensor, sources: Tensor | None = None
) -> Batch:
    """Build a Batch from [b, s] tensors on the CPU, where finding the documents needs no device sync.

    sources: [b]; default: all rows are from source 0.
    """
    starts = document_starts.bool().clone()
    starts[:, 0] = True
    begins = starts.flatten().nonzero().flatten()
    ends = torch.tensor([starts.numel()], dtype=begins.dtype)
    if sources is None:
        sources = torch.zeros(len(tokens))
    return Batch(
        tokens.long(),
        labels.long(),
        loss_mask.bool(),
        starts,
        torch.cat([begins, ends]).to(torch.int32),
        sources.long(),
    )
