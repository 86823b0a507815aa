"""Main and MTP losses over a global batch, without ever holding the logits.

loss = sum(CE_main) / N_main + weight * sum(CE_mtp) / N_mtp, each N the valid positions of its own head over
all micro-batches and data-parallel ranks. N is counted from the masks before the step, so a micro-batch
without a valid token adds 0, and gradients are summed, never averaged over micro-batches or ranks.

The cross-entropy makes its gradients in the forward pass, chunk by chunk: logits [HEAD_CHUNK_TOKENS, v] live
only inside one chunk and are not computed again. Cost: one fp32 gradient of the output weight [v, h] for a
while, and one in the weight's type until the backward pass.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch
from megatron.core import parallel_state
from torch import Tensor

from pretrain.model import weight_gradient
from pretrain.model.batch import Batch
from pretrain.model.context_parallel import local
from pretrain.model.cross_entropy import Chunk, one_chunk, reduce
from pretrain.model.mtp import shift_within_documents
from pretrain.plan.sizes import HEAD_CHUNK_TOKENS


class Counts(NamedTuple):
    """Valid positions of a global batch, per head."""

    main: int
    mtp: int


class Losses(NamedTuple):
    """What the last pipeline stage computes from one micro-batch."""

    total: Tensor
    """Scalar with gradient: this micro-batch's share of the global loss."""
    sums: Tensor
    """[2, b] without gradient: each row's summed cross-entropy in nats, main and MTP."""


def mtp_targets(batch: Batch) -> tuple[Tensor, Tensor]:
    """Labels and mask of the MTP head, [b, s] each: x_{t+2} at t, where t+1 is in the same document.

    tokens [A0 A1 A2 B0 B1], labels [A1 A2 B0 B1 B2], mask [1 1 0 1 1], starts [1 0 0 1 0]
    -> labels [A2 _ _ B2 _], mask [1 0 0 1 0].
    """
    labels = shift_within_documents(batch.labels, batch.document_starts)
    mask = shift_within_documents(batch.loss_mask, batch.document_starts, fill=False)
    return labels, mask


def global_counts(batches: Sequence[Batch]) -> Counts:
    """Valid positions in all of this rank's micro-batches, summed over data-parallel ranks.

    Give it batches that are still on the CPU: reading the counts from a GPU would wait for the step before.
    """
    count = torch.zeros(2, dtype=torch.int64, device=batches[0].tokens.device)
    for batch in batches:
        count += torch.stack([batch.loss_mask.sum(), mtp_targets(batch)[1].sum()])
    if parallel_state.get_data_parallel_world_size() > 1:
        if torch.cuda.is_available():
            count = count.cuda()
        torch.distributed.all_reduce(count, group=parallel_state.get_data_parallel_group())
    return Counts(*count.tolist())


def forward_step(counts: Counts, mtp_weight: float) -> Callable:
    """The forward step for megatron-core's schedules: (iterator of Batch, model) -> (output, loss function).

    The config must have calculate_per_token_loss=True; the schedule then returns one `Losses.sums` per
    micro-batch on the last stage, for `reduce_losses`.
    """
    scales = (1.0 / max(counts.main, 1), mtp_weight / max(counts.mtp, 1))

    def step(batches: Iterator[Batch], model: torch.nn.Module) -> tuple[object, Callable]:
        return model(next(batches), loss_scales=scales), _report

    return step


def _report(losses: Losses) -> tuple[Tensor, Tensor, Tensor]:
    # 0 tokens: megatron-core then leaves the scale of the gradients to us.
    return losses.total, torch.zeros((), dtype=torch.int, device=losses.sums.device), losses.sums


class StepLosses(NamedTuple):
    """Mean losses in nats of a global batch, the same on every rank."""

    main: float
    mtp: float
    by_source: tuple[tuple[float, float], ...]
    """(main, MTP) of each source; NaN where the batch holds no valid token of it."""


def reduce_losses(sums: Sequence[Tensor], batches: Sequence[Batch], num_sources: int) -> StepLosses:
    """The losses of a step from what the schedule returned for this rank's `batches`, in their order.

    `sums` ([2, b] each) is empty on all but the last pipeline stage.
    """
    # [source, (main nats, main positions, MTP nats, MTP positions)]
    table = torch.zeros(num_sources, 4, dtype=torch.float64, device=batches[0].tokens.device)
    for batch, nats in zip(batches, sums, strict=True) if sums else ():
        valid = (local(batch.loss_mask, 1).sum(1), local(mtp_targets(batch)[1], 1).sum(1))
        rows = torch.stack([nats[0], valid[0], nats[1], valid[1]], dim=1)
        table.index_add_(0, batch.sources, rows.to(table.dtype))
    torch.distributed.all_reduce(table, group=parallel_state.get_data_parallel_group(True))
    if parallel_state.get_pipeline_model_parallel_world_size() > 1:
        torch.distributed.broadcast(
            table,
            src=parallel_state.get_pipeline_model_parallel_last_rank(),
            group=parallel_state.get_pipeline_model_parallel_group(),
        )
    whole = table.sum(0).tolist()
    by_source = tuple((_mean(a, b), _mean(c, d)) for a, b, c, d in table.tolist())
    return StepLosses(whole[0] / max(whole[1], 1), whole[2] / max(whole[3], 1), by_source)


def _mean(total: float, count: float) -> float:
    return total / count if count else math.nan


class Head(NamedTuple):
    """Hidden states that go through the shared output layer, and what they should predict."""

    hidden: Tensor
    """[s, b, h]."""
    labels: Tensor
    """[b, s]."""
    mask: Tensor
    """[b, s] bool."""
    scale: float
    """Factor of this head's summed cross-entropy in the total."""


def chunked_cross_entropy(weight: Tensor, heads: Sequence[Head], vocab_size: int) -> Losses:
    """Scaled sum over heads of masked cross-entropies, and the sum (in nats) of each head and row.

    weight: [v / tensor parallel, h], this rank's rows of the output layer; rows from `vocab_size` on are
    padding and take no part in the softmax.
    """
    arguments = [item for head in heads for item in head]
    total, sums = _ChunkedCrossEntropy.apply(weight, vocab_size, torch.is_grad_enabled(), *arguments)
    return Losses(total, sums)


class _ChunkedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, vocab_size: int, with_grads: bool, *arguments):
        heads = [Head(*arguments[i : i + 4]) for i in range(0, len(arguments), 4)]
        # Where megatron-core keeps an fp32 buffer, no second one is made, and nothing is rounded in between.
        is_direct = weight.is_cuda and weight.requires_grad and hasattr(weight, "main_grad")
        ctx.is_direct, grad_weight = is_direct, None
        if with_grads:
            grad_weight = weight.main_grad if is_direct else torch.zeros_like(weight, dtype=torch.float32)
        grads, sums = [], []
        for head in heads:
            grad_hidden = torch.empty_like(head.hidden) if with_grads else None
            rows = torch.zeros(head.hidden.size(1), dtype=torch.float32, device=weight.device)
            length = max(HEAD_CHUNK_TOKENS // head.hidden.size(1), 1)
            for start in range(0, head.hidden.size(0), length):
                part = slice(start, start + length)
                # [c, b, h] -> [c*b, h]; labels and mask [b, c] -> [c*b]
                hidden = head.hidden[part].flatten(0, 1)
                labels, mask = (column[:, part].t().flatten() for column in (head.labels, head.mask))
                chunk = Chunk(hidden, labels, mask, head.scale)
                losses, logits_grad = one_chunk(weight, chunk, vocab_size, with_grads)
                rows += losses.view(-1, head.hidden.size(1)).sum(0)
                if with_grads:
                    grad_hidden[part] = (logits_grad @ weight).view_as(head.hidden[part])
                    _add_weight_gradient(grad_weight, logits_grad, hidden)
                del logits_grad  # else it would live beside the next chunk's logits
            sums.append(rows)
            if with_grads:
                reduce(grad_hidden, torch.distributed.ReduceOp.SUM)
                grads.append(grad_hidden)
        if with_grads:
            ctx.save_for_backward(weight if is_direct else grad_weight.to(weight.dtype), *grads)
        stacked = torch.stack(sums)
        total = sum(head.scale * rows.sum() for head, rows in zip(heads, sums, strict=True))
        ctx.mark_non_differentiable(stacked)
        return total, stacked

    @staticmethod
    def backward(ctx, grad_total: Tensor, _):
        grad_weight, *grads = ctx.saved_tensors
        if ctx.is_direct:  # already added with a factor of 1, which is what `_report` gets for grad_total
            grad_weight.grad_added_to_main_grad = True
            result = [torch.empty_like(grad_weight), None, None]
        else:
            result = [grad_weight * grad_total.to(grad_weight.dtype), None, None]
        for grad_hidden in grads:
            result += [grad_hidden * grad_total.to(grad_hidden.dtype), None, None, None]
        return tuple(result)


def _add_weight_gradient(total: Tensor, logits_grad: Tensor, hidden: Tensor) -> None:
    if total.is_cuda:
        weight_gradient.add_product(total, logits_grad, hidden)
    else:
        total += logits_grad.t() @ hidden
