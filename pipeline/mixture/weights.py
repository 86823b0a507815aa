"""How many tokens each stage draws from each bucket: arithmetic, no Spark (report: arXiv 2505.07608).

1. A stage's budget is split into groups: synthetic; mathematics and code; the other domains (or all natural
   documents as one group where a stage sets no share).
2. In a group, tokens go to buckets in proportion to size x domain weight x band weight. A bucket that would
   pass max_natural_epochs is filled to it, the rest goes to the others in the same proportion.
3. Stages with a share of mathematics and code choose first: what they cannot replace, another stage can.
4. A bucket drawn less than once gives each stage a range as long as its draw; else it is split in proportion.
5. When the ranges are cut at documents, `weights` repeats step 2 within each stage's own ranges.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, inf

from configs.loader import ConfigError
from configs.recipe import MATH_AND_CODE, SYNTHETIC_BAND, MixtureConfig, StageMixture

Draws = dict[str, float]
"""Bucket name -> tokens."""


@dataclass(frozen=True)
class Bucket:
    """Train documents of one domain, band and source."""

    name: str
    domain: str
    band: str
    source: str
    tokens: int
    """One pass, each document's end included."""

    @property
    def is_synthetic(self) -> bool:
        """Made by a teacher: any number of epochs [2.1]."""
        return self.band == SYNTHETIC_BAND


@dataclass(frozen=True)
class Group:
    """A part of a stage's budget that only some buckets can give."""

    name: str
    tokens: float
    buckets: tuple[Bucket, ...]


def plan_draws(
    buckets: Sequence[Bucket], stage_tokens: Sequence[int], mixture: MixtureConfig
) -> tuple[Draws, ...]:
    """Tokens that each stage draws from each bucket, repetitions included. Raises ConfigError if short."""
    left = {bucket.name: bucket.tokens * _max_epochs(bucket, mixture) for bucket in buckets}
    draws: list[Draws] = [{} for _ in stage_tokens]
    numbers = range(len(stage_tokens))
    for stage in sorted(numbers, key=lambda n: (mixture.stages[n].math_and_code_fraction is None, -n)):
        for group in _groups(buckets, stage_tokens[stage], mixture.stages[stage]):
            drawn = _draw(group, stage, mixture, left)
            draws[stage] |= drawn
            for name, tokens in drawn.items():
                left[name] -= tokens
    return tuple(draws)


def split_buckets(buckets: Sequence[Bucket], draws: Sequence[Draws]) -> dict[str, tuple[float, ...]]:
    """Tokens of each bucket's own text that each stage gets; they sum to at most the bucket's tokens."""
    ranges = {}
    for bucket in buckets:
        drawn = [stage.get(bucket.name, 0.0) for stage in draws]
        scale = min(1.0, bucket.tokens / fsum(drawn)) if fsum(drawn) else 0.0
        ranges[bucket.name] = tuple(tokens * scale for tokens in drawn)
    return ranges


def weights(
    stage: int, ranges: Sequence[Bucket], draws: Draws, stage_tokens: int, mixture: MixtureConfig
) -> Draws:
    """Each bucket's share of the stage, summing to 1; `ranges` are buckets whose tokens are the stage's own.

    Raises ConfigError if a group's ranges, cut at documents, cannot give its tokens.
    """
    left = {bucket.name: bucket.tokens * _max_epochs(bucket, mixture) for bucket in ranges}
    drawn: Draws = {}
    for group in _groups(ranges, stage_tokens, mixture.stages[stage]):
        drawn |= _draw(group, stage, mixture, left, draws)
    total = fsum(drawn.values())
    return {name: tokens / total for name, tokens in drawn.items() if tokens > 0}


def fill(total: float, desire: Mapping[str, float], capacity: Mapping[str, float]) -> Draws | None:
    """`total` in proportion to `desire`, no entry above its capacity; None if they cannot hold it."""
    open_names = [name for name, amount in sorted(desire.items()) if amount > 0 and capacity[name] > 0]
    filled: Draws = {}
    rest = total
    while rest > 0:
        wanted = fsum(desire[name] for name in open_names)
        full = [name for name in open_names if rest * desire[name] >= capacity[name] * wanted]
        if not open_names:
            # A millionth of a token is rounding, not a shortage.
            return filled if rest <= 1e-6 * max(1.0, total) else None
        if not full:
            return filled | {name: rest * desire[name] / wanted for name in open_names}
        filled |= {name: capacity[name] for name in full}
        rest = total - fsum(filled.values())
        open_names = [name for name in open_names if name not in filled]
    return filled


def _groups(buckets: Sequence[Bucket], tokens: int, stage: StageMixture) -> list[Group]:
    synthetic = tuple(bucket for bucket in buckets if bucket.is_synthetic)
    natural = tuple(bucket for bucket in buckets if not bucket.is_synthetic)
    rest = tokens * (1.0 - stage.synthetic_fraction)
    groups = [Group("synthetic text", tokens * stage.synthetic_fraction, synthetic)]
    share = stage.math_and_code_fraction
    if share is None:
        groups.append(Group("natural text", rest, natural))
    else:
        dense = tuple(bucket for bucket in natural if bucket.domain in MATH_AND_CODE)
        others = tuple(bucket for bucket in natural if bucket.domain not in MATH_AND_CODE)
        groups.append(Group("mathematics and code", rest * share, dense))
        groups.append(Group("other domains", rest * (1.0 - share), others))
    return [group for group in groups if group.tokens > 0]


def _draw(group: Group, stage: int, mixture: MixtureConfig, left: Draws, draws: Draws | None = None) -> Draws:
    """The group's tokens from its buckets, in proportion to `draws` where given, else to their weights."""
    desire = {
        bucket.name: _desire(bucket, mixture) if draws is None else draws.get(bucket.name, 0.0)
        for bucket in group.buckets
    }
    capacity = {name: left[name] for name in desire}
    drawn = fill(group.tokens, desire, capacity)
    if drawn is None:
        available = fsum(capacity[name] for name, amount in desire.items() if amount > 0)
        unit = "" if group.name == "synthetic text" else f" at {mixture.max_natural_epochs:g} epochs"
        unit += "" if draws is None else ", shared out in whole documents"
        raise ConfigError(
            f"mixture.toml: stage {stage + 1} wants {group.tokens:,.0f} tokens of {group.name}, the corpus "
            f"has {available:,.0f} for it{unit}; remedy: lower tokens in stage{stage + 1}.toml or its shares "
            "in mixture.toml, raise max_natural_epochs, or give more documents"
        )
    return drawn


def _max_epochs(bucket: Bucket, mixture: MixtureConfig) -> float:
    if bucket.is_synthetic:
        return inf if bucket.tokens else 0.0
    return mixture.max_natural_epochs


def _desire(bucket: Bucket, mixture: MixtureConfig) -> float:
    """Tokens times the weights of domain and band (synthetic text: of the domain alone)."""
    bands = {band.name: band.weight for band in mixture.bands} | {SYNTHETIC_BAND: 1.0}
    return bucket.tokens * mixture.domain_weights[bucket.domain] * bands[bucket.band]
