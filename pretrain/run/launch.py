"""How a training run sits on its machine: train.toml, process groups, signals.

From torchrun's environment, or one process alone. Nothing here changes what is learned, but rounding.
"""

import os
import signal
from collections.abc import Callable
from typing import Annotated, Literal

import torch
from annotated_types import Ge, Gt
from megatron.core import parallel_state
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

from configs.loader import Config, ConfigError
from configs.recipe import NonNegative, Positive
from pretrain.model import compat
from pretrain.model.mimo import start_single_process

SAVE, STOP = 1, 2
"""What a signal asks of the loop: a checkpoint (SIGUSR1), or a checkpoint and the end (SIGTERM)."""

CUBLAS_WORKSPACE = ":4096:8"  # what torch.use_deterministic_algorithms asks for on CUDA (torch's docs)


class TrainConfig(Config):
    """train.toml."""

    micro_batch_tokens: Positive
    """Tokens of one forward pass on one rank: so many whole sequences, at least one."""
    tensor_parallel: Positive
    pipeline_parallel: Positive
    context_parallel: Positive
    """Ranks that share a row's positions; for rows too long for one."""
    precision: Literal["fp32", "bf16"]
    recompute: bool
    """Recompute every layer's activations in the backward pass."""
    deterministic: bool
    """The same layout gives the same bits again; kernels that cannot are refused (slower on a GPU)."""
    checkpoint_every_steps: Positive
    kept_checkpoints: Positive
    """Of the running stage; of finished stages the last one is kept."""
    heldout_every_steps: NonNegative
    """Measure bits per byte and the draft head on held-out text so often; 0: never."""
    spike_sigmas: Annotated[float, Ge(0.0)]
    """Skip a step whose loss or gradient norm is so many standard deviations high; 0: only if not finite."""
    max_skipped_steps: Positive
    """So many skipped steps in a row, and the run goes back to its last checkpoint."""
    wandb_project: str
    """Weights & Biases project that mirrors TensorBoard (its package is not in the lock); empty: none."""
    cpu_threads: Positive
    """Of torch, where there is no GPU; part of the arithmetic, so stated."""
    num_gpus: Positive
    """GPUs that preflight plans for."""
    flops_utilisation: Annotated[float, Gt(0.0)]
    """Share of a GPU's peak that preflight counts on."""


def device() -> str:
    """Where tensors of this run live."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def ranks_per_model(config: TrainConfig) -> int:
    """Processes that hold one replica between them."""
    return config.tensor_parallel * config.pipeline_parallel * config.context_parallel


def check_heldout_layout(config: TrainConfig) -> None:
    """Refuse to measure on held-out text where a rank does not see whole rows and all layers. ConfigError."""
    if config.heldout_every_steps and config.pipeline_parallel * config.context_parallel > 1:
        raise ConfigError(
            f"train.toml: heldout_every_steps is {config.heldout_every_steps} with pipeline_parallel "
            f"{config.pipeline_parallel} and context_parallel {config.context_parallel}; "
            "remedy: set it to 0 and run make evaluate after each stage"
        )


def start_alone(config: TrainConfig) -> None:
    """Make this process the only one of a job that reads a run: no split, no deterministic kernels."""
    compat.install()
    torch.set_num_threads(config.cpu_threads)
    start_single_process()


def start(config: TrainConfig) -> None:
    """Make this process a rank of the run. Raises ConfigError if torchrun's size does not fit train.toml."""
    compat.install()
    torch.set_num_threads(config.cpu_threads)
    if config.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", CUBLAS_WORKSPACE)
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False  # costs a write; nothing reads it here
    split = ranks_per_model(config)
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world % split:
        raise ConfigError(
            f"train.toml: tensor x pipeline x context_parallel is {split}, torchrun started {world}; "
            f"remedy: torchrun --nproc-per-node with a multiple of {split}"
        )
    if world == 1:
        start_single_process()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    parallel_state.initialize_model_parallel(
        config.tensor_parallel, config.pipeline_parallel, context_parallel_size=config.context_parallel
    )
    if torch.cuda.is_available():
        model_parallel_cuda_manual_seed(0)


def catch_signals() -> Callable[[], int]:
    """Listen to SIGUSR1 and SIGTERM; the result asks all ranks what was heard since the last call.

    It returns 0, SAVE or STOP, the same on every rank whichever of them got the signal.
    """
    heard: list[int] = []
    signal.signal(signal.SIGUSR1, lambda number, frame: heard.append(SAVE))
    signal.signal(signal.SIGTERM, lambda number, frame: heard.append(STOP))

    def asked() -> int:
        largest = max(heard, default=0)
        if largest == SAVE:
            heard.clear()
        if torch.distributed.get_world_size() == 1:
            return largest
        flag = torch.tensor([largest], device=device())
        torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
        return int(flag.item())

    return asked


def is_last_rank() -> bool:
    """True on the rank that logs: it is on the last pipeline stage, where losses are."""
    return torch.distributed.get_rank() == torch.distributed.get_world_size() - 1
