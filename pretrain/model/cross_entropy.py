"""Cross-entropy of one chunk of positions, and its gradient by this rank's logits.

On the CPU the arithmetic runs in fp32, step by step. On CUDA two compiled kernels read the logits as the
product wrote them: one finds each row's largest logit and its sum of exponentials, one writes the gradient
over the logits. No fp32 copy of the logits exists.
"""

from functools import cache
from typing import NamedTuple

import torch
from megatron.core import parallel_state
from torch import Tensor


class Chunk(NamedTuple):
    """Positions whose logits exist at once."""

    hidden: Tensor
    """[c, h]."""
    labels: Tensor
    """[c]."""
    mask: Tensor
    """[c] bool."""
    scale: float
    """Factor of the cross-entropy in the total."""


def one_chunk(
    weight: Tensor, chunk: Chunk, vocab_size: int, with_grads: bool
) -> tuple[Tensor, Tensor | None]:
    """Masked losses [c] of a chunk and, scaled, their gradient by this rank's logits [c, v / tp]."""
    first_row = parallel_state.get_tensor_model_parallel_rank() * weight.size(0)
    local = torch.where(chunk.mask, chunk.labels, 0) - first_row
    here = (local >= 0) & (local < weight.size(0))
    column = torch.where(here, local, 0).unsqueeze(-1)
    words = min(max(vocab_size - first_row, 0), weight.size(0))
    compute = _fused if weight.is_cuda else _step_by_step
    return compute(chunk.hidden @ weight.t(), chunk, here, column, words, with_grads)


def _step_by_step(
    product: Tensor, chunk: Chunk, here: Tensor, column: Tensor, words: int, with_grads: bool
) -> tuple[Tensor, Tensor | None]:
    """`one_chunk` from the product [c, v / tp], of whose columns the first `words` are of the vocabulary."""
    logits = product.float()
    if words < logits.size(1):
        logits[:, words:] = -torch.inf
    largest = logits.max(dim=-1).values
    reduce(largest, torch.distributed.ReduceOp.MAX)
    logits -= largest.unsqueeze(-1)
    label_logits = torch.where(here, logits.gather(-1, column).squeeze(-1), 0.0)
    exponentials = logits.exp_()
    denominator = exponentials.sum(dim=-1)
    reduce(label_logits, torch.distributed.ReduceOp.SUM)
    reduce(denominator, torch.distributed.ReduceOp.SUM)
    losses = torch.where(chunk.mask, denominator.log() - label_logits, 0.0)
    if not with_grads:
        return losses, None
    factor = chunk.mask * chunk.scale
    grad = exponentials.mul_((factor / denominator).unsqueeze(-1))
    # One label a row: no two writes meet, so this is deterministic where scatter_add would not be.
    grad.scatter_(-1, column, grad.gather(-1, column) - (factor * here).unsqueeze(-1))
    return losses, grad.to(product.dtype)


def _fused(
    product: Tensor, chunk: Chunk, here: Tensor, column: Tensor, words: int, with_grads: bool
) -> tuple[Tensor, Tensor | None]:
    """The same as `_step_by_step`; the gradient is written over `product`."""
    row_statistics, write_gradient = _kernels()
    if words:
        mine, sums = row_statistics(product, words)
    else:  # a rank that holds padding alone
        mine, sums = (
            torch.full_like(here, -1e30, dtype=torch.float32),
            torch.zeros_like(here, dtype=torch.float32),
        )
    largest = mine.clone()
    reduce(largest, torch.distributed.ReduceOp.MAX)
    denominator = sums * (mine - largest).exp()
    label_logits = torch.where(here, product.gather(-1, column).squeeze(-1).float() - largest, 0.0)
    reduce(label_logits, torch.distributed.ReduceOp.SUM)
    reduce(denominator, torch.distributed.ReduceOp.SUM)
    losses = torch.where(chunk.mask, denominator.log() - label_logits, 0.0)
    if not with_grads:
        return losses, None
    factor = chunk.mask * chunk.scale
    write_gradient(product, largest, factor / denominator, torch.where(here, factor, 0.0), column, words)
    return losses, product


@cache
def _kernels():
    return torch.compile(row_statistics, dynamic=False), torch.compile(write_gradient, dynamic=False)


def row_statistics(logits: Tensor, words: int) -> tuple[Tensor, Tensor]:
    """Largest of the first `words` logits [c, v] in each row, and the sum of exp(logit - largest)."""
    wide = _of_vocabulary(logits, words)
    largest = wide.amax(dim=-1, keepdim=True)
    return largest.squeeze(-1), (wide - largest).exp().sum(dim=-1)


def write_gradient(
    logits: Tensor, largest: Tensor, factor: Tensor, at_label: Tensor, column: Tensor, words: int
) -> None:
    """Overwrite logits [c, v] with factor * exp(logit - largest), less `at_label` in the label's column."""
    grad = (_of_vocabulary(logits, words) - largest.unsqueeze(-1)).exp() * factor.unsqueeze(-1)
    is_label = torch.arange(logits.size(1), device=logits.device) == column
    logits.copy_(grad - torch.where(is_label, at_label.unsqueeze(-1), 0.0))


def _of_vocabulary(logits: Tensor, words: int) -> Tensor:
    """The logits in fp32, minus infinity in the padding columns."""
    columns = torch.arange(logits.size(1), device=logits.device)
    return torch.where(columns < words, logits.float(), -torch.inf)


def reduce(tensor: Tensor, operation: torch.distributed.ReduceOp.RedOpType) -> None:
    """All-reduce over tensor-parallel ranks, in place."""
    if parallel_state.get_tensor_model_parallel_world_size() > 1:
        group = parallel_state.get_tensor_model_parallel_group()
        torch.distributed.all_reduce(tensor, op=operation, group=group)
