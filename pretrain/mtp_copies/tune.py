"""Train copies of the MTP layer, and nothing else, for the tokens further on (extend_mtp.py).

Plain AdamW on fp32 masters of the copies; data-parallel ranks add up their gradients. The main model runs
without gradients; the output layer's own, which chunked_cross_entropy makes anyway, goes nowhere. A killed
tuning goes on to the same weights, digit for digit in the same layout (tuning_state.py).
"""

import logging
import math
from collections.abc import Iterator, Sequence

import torch
from megatron.core import parallel_state
from torch import Tensor

from configs.bounds import NonNegative, Positive, PositiveFloat
from configs.loader import Config
from configs.recipe import Recipe, ScheduleConfig
from pretrain.model import compat
from pretrain.model.loss import Batch, Head, chunked_cross_entropy
from pretrain.model.mimo import MimoModel
from pretrain.model.mtp import shift_within_documents
from pretrain.mtp_copies.state import TuningState
from pretrain.plan.schedule import Step
from pretrain.run import launch
from pretrain.run.samples import micro_batches, open_stage

logger = logging.getLogger(__name__)


class ExtendConfig(Config):
    """extend_mtp.toml."""

    num_copies: Positive
    """MTP layers beside the trained one [2.2: two]."""
    tokens: Positive
    """The copies are tuned on, in steps of the last stage's batch."""
    warmup_tokens: NonNegative
    """The learning rate rises linearly over these, then falls as a cosine to 0."""
    learning_rate: PositiveFloat


def tune(
    model: MimoModel,
    root: str,
    recipe: Recipe,
    stage: int,
    config: ExtendConfig,
    micro_batch_tokens: int,
    state: TuningState,
) -> list[list[float]]:
    """Train every MTP layer but the first, from where `state` stands.

    Returns the copies' mean losses in nats, first step and last.
    """
    data = open_stage(root, stage, recipe.schedule.seed)
    model.eval().requires_grad_(False)
    weights = list(model.mtp.layers[1:].requires_grad_(True).parameters())
    masters = [weight.detach().float().clone() for weight in weights]
    optimizer = _optimizer(masters, recipe.schedule)
    rank, ranks = parallel_state.get_data_parallel_rank(), parallel_state.get_data_parallel_world_size()
    means = state.load(masters, optimizer)
    planned = list(steps(recipe, stage, config))
    samples = sum(step.num_sequences for step in planned[: len(means)])
    drawn = data.drawn(samples)
    _put(masters, weights)
    for step in planned[len(means) :]:
        rows = data.sequences(samples, step.num_sequences, drawn, step.sequence_length)
        samples += step.num_sequences
        size = max(micro_batch_tokens // step.sequence_length, 1)
        batches = [
            batch.to(launch.device()) for batch in micro_batches(step, rows, data.eod, size, rank, ranks)
        ]
        for master in masters:
            master.grad = torch.zeros_like(master)
        means.append(_gradients(model, batches, weights, masters))
        torch.nn.utils.clip_grad_norm_(masters, recipe.schedule.clip_grad)
        for group in optimizer.param_groups:
            group["lr"] = step.learning_rate
        optimizer.step()
        _put(masters, weights)
        if rank == 0:
            _log(step, means[-1])
            state.save_if_due(masters, optimizer, means)
    return [means[0], means[-1]]


def _optimizer(masters: Sequence[Tensor], schedule: ScheduleConfig) -> torch.optim.AdamW:
    decayed = [master for master in masters if master.dim() > 1]  # as megatron-core: no biases, no norms
    groups = [
        {"params": decayed, "weight_decay": schedule.weight_decay},
        {"params": [master for master in masters if master.dim() == 1], "weight_decay": 0.0},
    ]
    betas = schedule.adam_beta1, schedule.adam_beta2
    return torch.optim.AdamW(groups, betas=betas, eps=schedule.adam_epsilon)


@torch.no_grad()
def _put(masters: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Give the model's weights, in their own type, the masters' values."""
    for weight, master in zip(weights, masters, strict=True):
        weight.copy_(master)


def _log(step: Step, means: list[float]) -> None:
    if step.index % 10 == 0:
        losses = ", ".join(f"{mean:.4f}" for mean in means)
        logger.info("step %d, %d tokens: copies' losses %s", step.index, step.tokens_seen, losses)


def steps(recipe: Recipe, stage: int, config: ExtendConfig) -> Iterator[Step]:
    """Steps of the stage's batch and length; their rate warms up and falls to 0 within `config.tokens`."""
    trained, seen, index = recipe.stages[stage - 1], 0, 0
    while seen < config.tokens:
        tokens = min(trained.global_batch_size * trained.sequence_length, config.tokens - seen)
        middle = seen + tokens / 2  # a step's rate is that of its middle token: never 0
        falling = (middle - config.warmup_tokens) / max(config.tokens - config.warmup_tokens, 1)
        share = middle / config.warmup_tokens if falling < 0 else (1 + math.cos(math.pi * falling)) / 2
        yield Step(
            index=index, stage=stage, tokens_seen=seen, tokens=tokens,
            num_sequences=-(-tokens // trained.sequence_length), sequence_length=trained.sequence_length,
            rotary_base=trained.rotary_base, learning_rate=config.learning_rate * share, mtp_loss_weight=1.0,
        )  # fmt: skip
        seen, index = seen + tokens, index + 1


def targets(batch: Batch, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """What MTP layer `number` reads, x_{t + number + 1}, and learns, x_{t + number + 2} and its mask; [b, s].

    Layer 1 of tokens [A0 A1 A2 A3 B0], labels [A1 A2 A3 A4 B1]: reads [A2 A3 _ _ _], learns [A3 A4 _ _ _].
    """
    following, labels, mask = batch.tokens, batch.labels, batch.loss_mask
    for _ in range(number + 1):
        following = shift_within_documents(following, batch.document_starts)
        labels = shift_within_documents(labels, batch.document_starts)
        mask = shift_within_documents(mask, batch.document_starts, fill=False)
    return following, labels, mask


def _gradients(
    model: MimoModel, batches: list[Batch], weights: list[Tensor], masters: list[Tensor]
) -> list[float]:
    """Add the global batch's gradient to the masters'. Returns each copy's mean loss in nats."""
    numbers = range(1, len(model.mtp.layers))
    goals = [[targets(batch, number) for number in numbers] for batch in batches]
    counts = _summed([sum(copy[2].sum() for copy in column) for column in zip(*goals, strict=True)])
    sums = [torch.zeros((), device=counts.device) for _ in numbers]
    for batch, goal in zip(batches, goals, strict=True):
        with torch.no_grad():
            states = model(batch)
        heads = []
        for number, (following, labels, mask) in zip(numbers, goal, strict=True):
            with compat.plain_functions():
                hidden = model.draft(states, following, number)
            heads.append(Head(hidden, labels, mask, 1.0 / max(int(counts[number - 1]), 1)))
        losses = chunked_cross_entropy(model.output_layer.weight, heads, model.model_config.vocab_size)
        losses.total.backward()
        for weight, master in zip(weights, masters, strict=True):
            master.grad += weight.grad
            weight.grad = None
        sums = [total + row.sum() for total, row in zip(sums, losses.sums, strict=True)]
    for master in masters:
        torch.distributed.all_reduce(master.grad, group=parallel_state.get_data_parallel_group())
    return (_summed(sums) / counts.clamp(min=1)).tolist()


def _summed(values: list[Tensor]) -> Tensor:
    """Scalars as one tensor, added up over data-parallel ranks."""
    total = torch.stack(values).double()
    torch.distributed.all_reduce(total, group=parallel_state.get_data_parallel_group())
    return total
