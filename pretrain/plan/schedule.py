"""The schedule as pure functions of tokens seen since the start of training (arXiv 2505.07608). No torch.

A step takes the stage, learning rate, MTP weight and batch of its first token; the last step of a stage is
cut to the stage's boundary, so that stages begin at their exact token. Cost: a few microseconds per step, so
MiMo's 1.1 million steps are listed in seconds.
Source: MiMo-7B report §2.3.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from configs.loader import ConfigError
from configs.recipe import ScheduleConfig, StageConfig


@dataclass(frozen=True)
class Step:
    """One optimizer step."""

    index: int
    """Counted over all stages, from 0."""
    stage: int
    """1, 2 or 3."""
    tokens_seen: int
    """Before this step."""
    tokens: int
    """Of this step; less than num_sequences * sequence_length only where a stage ends inside a sequence."""
    num_sequences: int
    sequence_length: int
    rotary_base: int
    learning_rate: float
    mtp_loss_weight: float


def total_tokens(stages: Sequence[StageConfig]) -> int:
    """Length of the whole run in tokens."""
    return sum(stage.tokens for stage in stages)


def stage_start(stages: Sequence[StageConfig], number: int) -> int:
    """Tokens seen before stage `number` (1-based)."""
    return sum(stage.tokens for stage in stages[: number - 1])


def stage_at(tokens_seen: int, stages: Sequence[StageConfig]) -> int:
    """Stage (1-based) of the token after `tokens_seen`; the end belongs to the last stage.

    Raises ValueError outside [0, total_tokens].
    """
    if not 0 <= tokens_seen <= total_tokens(stages):
        raise ValueError(f"tokens_seen {tokens_seen} is outside [0, {total_tokens(stages)}]")
    end = 0
    for number, stage in enumerate(stages, 1):
        end += stage.tokens
        if tokens_seen < end:
            return number
    return len(stages)


def learning_rate(tokens_seen: int, schedule: ScheduleConfig) -> float:
    """Learning rate of the token after `tokens_seen`: piecewise linear, constant or cosine, right-continuous.

    After the last piece its end value holds. Raises ValueError if `tokens_seen` is negative.
    """
    if tokens_seen < 0:
        raise ValueError(f"tokens_seen {tokens_seen} is negative")
    position = tokens_seen
    for piece in schedule.learning_rate:
        if position < piece.tokens:
            done = position / piece.tokens
            if piece.shape == "constant":
                return piece.start
            if piece.shape == "linear":
                return piece.start + (piece.end - piece.start) * done
            return piece.end + (piece.start - piece.end) * 0.5 * (1.0 + math.cos(math.pi * done))
        position -= piece.tokens
    return schedule.learning_rate[-1].end


def mtp_loss_weight(tokens_seen: int, schedule: ScheduleConfig) -> float:
    """Weight of the MTP loss after `tokens_seen` tokens of the whole run.

    Piecewise constant and right-continuous: at `from_token` the new weight already applies.
    Raises ValueError if `tokens_seen` is negative. Source: §2.3 (0.3 for the first 10.3T tokens, then 0.1).
    """
    if tokens_seen < 0:
        raise ValueError(f"tokens_seen {tokens_seen} is negative")
    return next(item.weight for item in reversed(schedule.mtp_loss_weight) if item.from_token <= tokens_seen)


def global_batch_size(tokens_seen: int, schedule: ScheduleConfig, stage: StageConfig) -> int:
    """Sequences of the step that begins after `tokens_seen`: the linear ramp, then the stage's own batch.

    The ramp goes from `start` to the stage's batch in multiples of `increment`, rounded down.
    """
    ramp = schedule.batch_warmup
    if ramp is None or tokens_seen >= ramp.tokens:
        return stage.global_batch_size
    # Integer arithmetic: a float would round at 168B tokens.
    grown = (stage.global_batch_size - ramp.start) * tokens_seen // ramp.tokens
    return min(ramp.start + grown // ramp.increment * ramp.increment, stage.global_batch_size)


def steps(schedule: ScheduleConfig, stages: Sequence[StageConfig], first_token: int = 0) -> Iterator[Step]:
    """Every step from the one that begins at `first_token`, numbered from 0."""
    tokens_seen, index = first_token, 0
    end = total_tokens(stages)
    while tokens_seen < end:
        number = stage_at(tokens_seen, stages)
        stage = stages[number - 1]
        left = stage_start(stages, number + 1) - tokens_seen
        batch = global_batch_size(tokens_seen, schedule, stage)
        tokens = min(batch * stage.sequence_length, left)
        yield Step(
            index=index,
            stage=number,
            tokens_seen=tokens_seen,
            tokens=tokens,
            num_sequences=-(-tokens // stage.sequence_length),
            sequence_length=stage.sequence_length,
            rotary_base=stage.rotary_base,
            learning_rate=learning_rate(tokens_seen, schedule),
            mtp_loss_weight=mtp_loss_weight(tokens_seen, schedule),
        )
        tokens_seen, index = tokens_seen + tokens, index + 1


def count_steps(schedule: ScheduleConfig, stages: Sequence[StageConfig]) -> list[int]:
    """Number of steps of each stage, as `steps` lists them. Only the batch ramp is walked step by step."""
    ramp_end = 0 if schedule.batch_warmup is None else schedule.batch_warmup.tokens
    counts = []
    for number, stage in enumerate(stages, 1):
        tokens_seen, end = stage_start(stages, number), stage_start(stages, number + 1)
        count = 0
        while tokens_seen < min(ramp_end, end):
            batch = global_batch_size(tokens_seen, schedule, stage)
            tokens_seen = min(tokens_seen + batch * stage.sequence_length, end)
            count += 1
        left, step_tokens = end - tokens_seen, stage.global_batch_size * stage.sequence_length
        counts.append(count + -(-left // step_tokens))
    return counts


def check(schedule: ScheduleConfig, stages: Sequence[StageConfig]) -> None:
    """Refuse a schedule that contradicts itself. Raises ConfigError naming key, value and remedy."""
    pieces = sum(piece.tokens for piece in schedule.learning_rate)
    if pieces != total_tokens(stages):
        raise ConfigError(
            f"schedule.toml: learning_rate pieces cover {pieces} tokens, the stages {total_tokens(stages)}; "
            "remedy: make both sums equal"
        )
    value = schedule.learning_rate[0].start
    for number, piece in enumerate(schedule.learning_rate):
        if piece.start != value:
            raise ConfigError(
                f"schedule.toml: learning_rate.{number}.start is {piece.start}, the piece before ends at "
                f"{value}; remedy: make the curve continuous"
            )
        if piece.shape == "constant" and piece.end != piece.start:
            raise ConfigError(
                f"schedule.toml: learning_rate.{number} is constant from {piece.start} to {piece.end}; "
                "remedy: give it one value"
            )
        value = piece.end
    starts = [item.from_token for item in schedule.mtp_loss_weight]
    if starts[:1] != [0] or starts != sorted(set(starts)):
        raise ConfigError(
            f"schedule.toml: mtp_loss_weight.from_token is {starts}; "
            "remedy: begin at 0 and let each be larger"
        )
    ramp, batch = schedule.batch_warmup, stages[0].global_batch_size
    if ramp is not None and (ramp.start > batch or ramp.tokens > stages[0].tokens):
        raise ConfigError(
            f"schedule.toml: batch_warmup starts at {ramp.start} of {batch} sequences and takes "
            f"{ramp.tokens} of stage 1's {stages[0].tokens} tokens; "
            "remedy: let it begin lower and end inside stage 1"
        )
