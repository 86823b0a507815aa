"""How a training run is laid out on its machines: train.toml, ranks per model replica, what can be split.

Nothing here changes what is learned, but rounding. No torch.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Gt, MinLen

from configs.bounds import Positive
from configs.loader import Config, ConfigError
from configs.recipe import ModelConfig, Recipe
from configs.storage.files import local_folder


class TrainConfig(Config):
    """train.toml."""

    micro_batch_tokens: Positive
    """Tokens per forward pass and rank, rounded down to whole sequences (at least one)."""
    tensor_parallel: Positive
    """Ranks that share the matrices of every layer."""
    pipeline_parallel: Positive
    """Ranks that share the layers."""
    context_parallel: Positive
    """Ranks that share the positions of a sequence; for sequences too long for one GPU."""
    precision: Literal["fp32", "bf16"]
    """Number format of weights and activations; the optimizer keeps fp32."""
    recompute: bool
    """Recompute the activations of every layer in the backward pass instead of keeping them."""
    deterministic: bool
    """The same layout gives the same bits again. Kernels that cannot do so are refused (slower on a GPU)."""
    checkpoint_every_steps: Positive
    """Write a checkpoint every N steps, and at the end of each stage."""
    kept_checkpoints: Positive
    """Checkpoints kept of the running stage; of a finished stage the last one is kept."""
    heldout_every_steps: Positive | None = None
    """Evaluate on held-out text every N steps; absent: never."""
    spike_sigmas: Annotated[float, Gt(0.0)] | None = None
    """Skip a step whose loss or gradient norm is more than N standard deviations above the mean of the last
    steps; absent: skip only what is not finite."""
    max_skipped_steps: Positive
    """Roll back to the last checkpoint after N skipped steps in a row."""
    wandb_project: Annotated[str, MinLen(1)] | None = None
    """Weights & Biases project that mirrors TensorBoard (its package is not in the lock); absent: none."""
    cpu_threads: Positive
    """Threads of torch on the CPU. They change the rounding, so they are part of the configuration."""


@dataclass(frozen=True)
class Layout:
    """How a model is spread over GPUs."""

    tensor_parallel: int
    pipeline_parallel: int
    context_parallel: int
    data_parallel: int
    """Model replicas."""
    bf16: bool
    recompute: bool
    micro_batch_tokens: int
    """Tokens per forward pass, at least one sequence."""


def layout_of(recipe: Recipe, config: TrainConfig, num_gpus: int) -> Layout:
    """The layout of train.toml on `num_gpus`, with the longest forward pass of any stage."""
    return Layout(
        tensor_parallel=config.tensor_parallel,
        pipeline_parallel=config.pipeline_parallel,
        context_parallel=config.context_parallel,
        data_parallel=num_gpus // ranks_per_model(config),
        bf16=config.precision == "bf16",
        recompute=config.recompute,
        micro_batch_tokens=max(config.micro_batch_tokens, *(s.sequence_length for s in recipe.stages)),
    )


def ranks_per_model(config: TrainConfig) -> int:
    """Processes that hold one model replica between them."""
    return config.tensor_parallel * config.pipeline_parallel * config.context_parallel


def check_split(model: ModelConfig, tensor_parallel: int, pipeline_parallel: int) -> None:
    """Refuse a model shape that cannot be cut evenly. Raises ConfigError."""
    splits = (
        ("padded vocabulary", model.padded_vocab_size, "tensor_parallel", tensor_parallel),
        ("num_query_groups", model.num_query_groups, "tensor_parallel", tensor_parallel),
        ("ffn_hidden_size", model.ffn_hidden_size, "tensor_parallel", tensor_parallel),
        ("num_layers", model.num_layers, "pipeline_parallel", pipeline_parallel),
    )
    for what, value, name, ways in splits:
        if value % ways:
            raise ConfigError(
                f"model.toml: {what} {value} cannot be split {ways} ways; remedy: choose {name} to divide it"
            )


def check_heldout_layout(config: TrainConfig) -> None:
    """Refuse to evaluate on held-out text where a rank does not hold whole sequences and all layers.

    Raises ConfigError.
    """
    if config.heldout_every_steps and config.pipeline_parallel * config.context_parallel > 1:
        raise ConfigError(
            f"train.toml: heldout_every_steps is {config.heldout_every_steps} with pipeline_parallel "
            f"{config.pipeline_parallel} and context_parallel {config.context_parallel}; "
            "remedy: remove the key and run make evaluate after each stage"
        )


def check_layout(recipe: Recipe, config: TrainConfig, num_gpus: int) -> None:
    """Refuse a model or batches that `num_gpus` (preflight.toml) cannot split evenly. Raises ConfigError."""
    check_split(recipe.model, config.tensor_parallel, config.pipeline_parallel)
    check_heldout_layout(config)
    for number, stage in enumerate(recipe.stages, 1):
        if stage.sequence_length % (2 * config.context_parallel):
            raise ConfigError(
                f"stage{number}.toml: sequence_length {stage.sequence_length} cannot be cut into twice "
                f"context_parallel {config.context_parallel} chunks; remedy: make it a multiple"
            )
    split = ranks_per_model(config)
    if num_gpus % split:
        raise ConfigError(
            f"preflight.toml: num_gpus is {num_gpus}, not a multiple of tensor x pipeline x "
            f"context_parallel {split}; remedy: choose one"
        )
    _check_batches(recipe, num_gpus // split)


def _check_batches(recipe: Recipe, ranks: int) -> None:
    """Refuse global batches, those of the ramp included, that data-parallel ranks cannot share evenly."""
    batches = [
        (f"stage{n}.toml: global_batch_size", s.global_batch_size) for n, s in enumerate(recipe.stages, 1)
    ]
    if (ramp := recipe.schedule.batch_warmup) is not None:
        batches += [
            ("schedule.toml: batch_warmup.start", ramp.start),
            ("schedule.toml: batch_warmup.increment", ramp.increment),
        ]
    for name, batch in batches:
        if batch % ranks:
            raise ConfigError(
                f"{name} {batch} is not a multiple of {ranks} data-parallel ranks; remedy: make it one"
            )


def run_folder(root: str) -> Path:
    """Folder of a run on a mounted file system, for its checkpoints. Raises ConfigError for another URI."""
    folder = local_folder(root)
    if folder is None:
        raise ConfigError(
            f"{root}: checkpoints need a mounted file system; remedy: pass --output with a path"
        )
    return folder
