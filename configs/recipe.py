"""The models that rooms share, with [sections] of the MiMo-7B report, arXiv 2505.07608.

`model.toml`, `schedule.toml`, `stage1..3.toml` and `mixture.toml` of a preset. A stage is an interval of
tokens, not a script: what differs between stages is in stageN.toml, everything else is stated once.
"""

from pathlib import Path
from typing import Literal

from pydantic import model_validator

from configs.bounds import Fraction, NonNegative, NonNegativeFloat, Positive, PositiveFloat
from configs.contract import DOMAINS, SCORES
from configs.loader import Config, load

NUM_STAGES = 3  # [2.3]

MATH_AND_CODE = ("mathematics", "code")
"""The domains that stage 2 raises [2.1]."""

SYNTHETIC_BAND = "synthetic"
"""Band of every synthetic document, so that its buckets never mix with natural ones."""


class ModelConfig(Config):
    """Shape of the decoder and its MTP layer [2.2, 2.3]."""

    num_layers: Positive
    """Decoder layers, without the MTP layer."""
    hidden_size: Positive
    """Width of the residual stream."""
    ffn_hidden_size: Positive
    """Width of the SwiGLU gate and up projections."""
    num_attention_heads: Positive
    """Query heads per layer."""
    num_query_groups: Positive
    """Key-value heads per layer; they divide the query heads."""
    head_dim: Positive
    """Width of one head."""
    vocab_size: Positive
    """Tokens that the tokenizer knows, before padding."""
    vocab_divisible_by: Positive
    """The embedding is padded up to a multiple of this many rows."""
    norm_epsilon: PositiveFloat
    """Added to the mean square inside every RMSNorm."""
    init_std: PositiveFloat
    """Standard deviation of the normal distribution that weights are drawn from."""
    mtp_num_layers: Literal[0, 1]
    """MTP layers that are trained along with the decoder."""
    mtp_hidden: Literal["mimo", "megatron"]
    """Hidden state given to the MTP layer: before (mimo) or after (megatron) the main final norm."""
    mtp_zero_first_embedding: bool
    """Zero the MTP input embedding at the first position of each document, as vLLM's inference does."""

    @property
    def padded_vocab_size(self) -> int:
        """vocab_size rounded up to a multiple of vocab_divisible_by."""
        return -(-self.vocab_size // self.vocab_divisible_by) * self.vocab_divisible_by

    @model_validator(mode="after")
    def _divisible(self) -> "ModelConfig":
        if self.num_attention_heads % self.num_query_groups:
            raise ValueError("num_attention_heads must be a multiple of num_query_groups")
        return self


class LearningRateSegment(Config):
    """One piece of the learning-rate curve; pieces follow each other from token 0."""

    shape: Literal["linear", "constant", "cosine"]
    """How the rate goes from `start` to `end`."""
    tokens: Positive
    """Length of the piece in training tokens."""
    start: NonNegativeFloat
    """Learning rate at the first token of the piece."""
    end: NonNegativeFloat
    """Learning rate at the end of the piece; equals `start` where the shape is constant."""


class MtpWeight(Config):
    """Weight of the MTP loss from a token on."""

    from_token: NonNegative
    """Training tokens, counted over all stages, after which the weight applies."""
    weight: NonNegativeFloat
    """Factor of the MTP loss in the total loss."""


class BatchWarmup(Config):
    """Linear ramp of the global batch from `start` sequences to the batch of stage 1 [2.3]."""

    tokens: Positive
    """Length of the ramp in training tokens."""
    start: Positive
    """Sequences of the first step."""
    increment: Positive
    """The batch grows in multiples of this many sequences."""


class ScheduleConfig(Config):
    """Everything that is a function of tokens seen since the start, and the optimizer's constants [2.3]."""

    seed: NonNegative
    """Root seed of initialisation and data order."""
    learning_rate: tuple[LearningRateSegment, ...]
    """The pieces of the learning-rate curve, in order; together they are as long as the stages."""
    mtp_loss_weight: tuple[MtpWeight, ...]
    """The weights of the MTP loss, in order of `from_token`; the first one starts at token 0."""
    batch_warmup: BatchWarmup | None = None
    """The ramp of the global batch; absent: stage 1 begins with its whole batch."""
    adam_beta1: Fraction
    """Decay of AdamW's mean of gradients, per step."""
    adam_beta2: Fraction
    """Decay of AdamW's mean of squared gradients, per step."""
    adam_epsilon: PositiveFloat
    """Added to the root of the squared gradients' mean before AdamW divides by it."""
    weight_decay: NonNegativeFloat
    """Each step takes learning rate x weight_decay x the weight off every weight but biases and norms."""
    clip_grad: PositiveFloat
    """Largest norm of the whole gradient; a longer one is scaled down to it."""


class StageConfig(Config):
    """What one stage changes [2.3]."""

    tokens: Positive
    """Length of the stage in training tokens."""
    sequence_length: Positive
    """Tokens per sequence."""
    rotary_base: Positive
    """Base of the rotary position embedding's frequencies."""
    global_batch_size: Positive
    """Sequences per step, once the ramp is over."""


class ScoreBand(Config):
    """Documents whose reasoning-density score is at least `min_score` and below the next band's."""

    name: str
    """Name of the band, part of the names of its buckets."""
    min_score: Fraction
    """Lowest score of the band."""
    weight: NonNegativeFloat
    """Factor of the band's tokens in the mixture [2.1: lower for low density and depth, higher for high]."""


class StageMixture(Config):
    """What the mixture of one stage asks for besides the weights."""

    math_and_code_fraction: Fraction | None = None
    """Share of mathematics and code in the natural tokens; absent: as the weights give it [2.1: .7]."""
    synthetic_fraction: Fraction
    """Share of synthetic responses in all tokens [2.1: about .1 in stage 3, 0 before]."""


class MixtureConfig(Config):
    """How scored and synthetic documents become the three stages' blends [2.1]."""

    seed: NonNegative
    """Seed of the order of documents inside a bucket (hash of seed and doc_id)."""
    domain_weights: dict[str, NonNegativeFloat]
    """Factor of each domain's tokens, for every domain of the contract."""
    score_weights: dict[str, NonNegativeFloat]
    """Share of each of the contract's scores in the one score that bands cut; sum 1."""
    bands: tuple[ScoreBand, ...]
    """The bands of that score, by ascending min_score; the first one begins at 0."""
    max_natural_epochs: PositiveFloat
    """Largest number of passes over natural documents, all stages together; a plan beyond it is refused."""
    stages: tuple[StageMixture, ...]
    """Stages 1 to 3, in order."""

    @model_validator(mode="after")
    def _complete(self) -> "MixtureConfig":
        odd = sorted(self.domain_weights.keys() ^ set(DOMAINS))
        if odd:
            raise ValueError(f"domain_weights must name every domain and no other; check {odd}")
        if self.score_weights.keys() != set(SCORES):
            raise ValueError(f"score_weights must be {', '.join(SCORES)}; got {sorted(self.score_weights)}")
        if abs(sum(self.score_weights.values()) - 1.0) > 1e-9:
            raise ValueError("score_weights must sum to 1")
        cuts = [band.min_score for band in self.bands]
        names = [band.name for band in self.bands]
        if not cuts or cuts[0] != 0.0 or cuts != sorted(set(cuts)):
            raise ValueError(f"bands must start at min_score 0 and rise; got {cuts}")
        if len(set(names)) != len(names) or SYNTHETIC_BAND in names:
            raise ValueError(f"bands need names of their own, none {SYNTHETIC_BAND!r}; got {names}")
        if len(self.stages) != NUM_STAGES:
            raise ValueError(f"stages must be {NUM_STAGES}, got {len(self.stages)}")
        return self


class Recipe(Config):
    """The shared part of a preset, read together."""

    model: ModelConfig
    schedule: ScheduleConfig
    stages: tuple[StageConfig, ...]
    mixture: MixtureConfig


def load_recipe(preset: str | Path) -> Recipe:
    """Read model, schedule, stage1..3 and mixture of a preset. Raises ConfigError."""
    return Recipe(
        model=load(preset, "model", ModelConfig),
        schedule=load(preset, "schedule", ScheduleConfig),
        stages=tuple(load(preset, f"stage{n}", StageConfig) for n in range(1, NUM_STAGES + 1)),
        mixture=load(preset, "mixture", MixtureConfig),
    )
