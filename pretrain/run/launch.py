"""How a process joins a training run: process groups, determinism, signals.

The ranks come from torchrun's environment; without it one process is the whole run.
"""

import os
import signal
from collections.abc import Callable

import torch
from megatron.core import parallel_state
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

from configs.loader import ConfigError
from pretrain.model import compat
from pretrain.model.mimo import start_single_process
from pretrain.plan.layout import TrainConfig, ranks_per_model

SAVE, STOP = 1, 2
"""What a signal asks of the loop: a checkpoint (SIGUSR1), or a checkpoint and the end (SIGTERM)."""

CUBLAS_WORKSPACE = ":4096:8"  # what torch.use_deterministic_algorithms asks for on CUDA (torch's docs)


def device() -> str:
    """Where tensors of this run live."""
    return "cuda" if torch.cuda.is_available() else "cpu"


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
