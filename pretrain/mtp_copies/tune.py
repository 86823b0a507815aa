"""Train copies of the MTP layer, which predict tokens further ahead; the main model stays fixed.

Source: section 2.2 of the MiMo-7B report (arXiv:2505.07608). extend_mtp.py is the command. AdamW updates fp32
master weights of the copies; data-parallel ranks sum their gradients. The main model runs without gradients;
chunked_cross_entropy computes the output layer's gradient all the same, and it is dropped. A tuning that was
killed continues (state.py) to the same weights, bit for bit in the same parallel layout.
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
from pretrain.model.batch import Batch
from pretrain.model.loss import Head, chunked_cross_entropy
from pretrain.model.mimo import MimoModel
from pretrain.model.mtp import shift_within_documents
from pretrain.mtp_copies.state import TuningState
from pretrain.plan.schedule import Step
from pretrain.run import launch
from pretrain.run.samples import micro_batches, open_stage

logger = logging.getLogger(__name__)


class ExtendConfig(Config):
    """The keys of extend_mtp.toml."""

    num_copies: Positive
    """Number of MTP layers added to the trained one [2.2: two]."""
    tokens: Positive
    """Number of tokens on which the copies are tuned, with the last stage's batch size."""
    warmup_tokens: NonNegative
    """The learning rate rises linearly over this number of tokens, then falls as a cosine to 0."""
    learning_rate: PositiveFloat
    """Peak learning rate of the copies."""


def tune(
    model: MimoModel,
    root: str,
    recipe: Recipe,
    stage: int,
    config: ExtendConfig,
    micro_batch_tokens: int,
    state: TuningState,
) -> list[list[float]]:
    """Train every MTP layer but the first, starting from the last checkpoint of `state`.

    Returns the copies' mean losses in nats at the first and at the last step.
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
    # As in megatron-core, biases and norms have no weight decay.
    decayed = [master for master in masters if master.dim() > 1]
    groups = [
        {"params": decayed, "weight_decay": schedule.weight_decay},
        {"params": [master for master in masters if master.dim() == 1], "weight_decay": 0.0},
    ]
    betas = schedule.adam_beta1, schedule.adam_beta2
    return torch.optim.AdamW(groups, betas=betas, eps=schedule.adam_epsilon)


@torch.no_grad()
def _put(masters: Sequence[Tensor], weights: Sequence[Tensor]) -> None:
    """Copy the master weights into the model's weights, converted to their dtype."""
    for weight, master in zip(weights, masters, strict=True):
        weight.copy_(master)


def _log(step: Step, means: list[float]) -> None:
    if step.index % 10 == 0:
        losses = ", ".join(f"{mean:.4f}" for mean in means)
        logger.info("step %d, %d tokens: copies' losses %s", step.index, step.tokens_seen, losses)


def steps(recipe: Recipe, stage: int, config: ExtendConfig) -> Iterator[Step]:
    """Yield the steps of `config.tokens` tokens, with the stage's batch size and sequence length.

    The learning rate warms up and falls to 0 within these tokens.
    """
    trained, seen, index = recipe.stages[stage - 1], 0, 0
    while seen < config.tokens:
        tokens = min(trained.global_batch_size * trained.sequence_length, config.tokens - seen)
        middle = seen + tokens / 2  # a step uses the rate of its middle token, which is never 0
        falling = (middle - config.warmup_tokens) / max(config.tokens - config.warmup_tokens, 1)
        share = middle / config.warmup_tokens if falling < 0 else (1 + math.cos(math.pi * falling)) / 2
        yield Step(
            index=index, stage=stage, tokens_seen=seen, tokens=tokens,
            num_sequences=-(-tokens // trained.sequence_length), sequence_length=trained.sequence_length,
            rotary_base=trained.rotary_base, learning_rate=config.learning_rate * share, mtp_loss_weight=1.0,
        )  # fmt: skip
        seen, index = seen + tokens, index + 1


def targets(batch: Batch, number: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return MTP layer `number`'s inputs x_{t + number + 1}, labels x_{t + number + 2} and mask, [b, s] each.

    For tokens [A0 A1 A2 A3 B0] and labels [A1 A2 A3 A4 B1], layer 1 has the input [A2 A3 _ _ _] and the
    labels [A3 A4 _ _ _].
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
    """Add the global batch's gradient to the master weights'. Returns each copy's mean loss in nats."""
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
    """Stack scalars into one tensor and sum it over the data-parallel ranks."""
    total = torch.stack(values).double()
    torch.distributed.all_reduce(total, group=parallel_state.get_data_parallel_group())
    return total
