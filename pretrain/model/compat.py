"""Patches that let megatron-core run on a machine without CUDA, and filters for its irrelevant warnings.

megatron-core has no CPU path: it takes the device, the random state and the stream from torch.cuda, and it
writes `device="cuda"` literally. `install` replaces these functions by ones for the CPU. On a machine with
CUDA it changes nothing. The list of patches is minimal: each was removed once, and megatron-core failed
without it. A test checks that the pinned version needs no further patch.
"""

import warnings
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import megatron.core
import megatron.core.distributed.param_and_grad_buffer as buffers
import torch
from megatron.core.tensor_parallel import random as megatron_random

from configs.loader import ConfigError

MEGATRON_VERSION = "0.16.1"

UPSTREAM_WARNINGS = (
    "The .grad attribute of a Tensor that is not a leaf",  # megatron-core's zero_grad looks at views
    "Please use DTensor instead",  # megatron-core's checkpoints use torch's ShardedTensor
    "`load_state_dict` is deprecated",  # megatron-core loads checkpoints so
)
"""Beginnings of torch's warnings about the code of the pinned megatron-core; `install` silences them."""


class _CudaToCpu(torch.overrides.TorchFunctionMode):
    """Creates a tensor on the CPU wherever the call names device="cuda..."."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if kwargs and str(kwargs.get("device", "")).startswith("cuda"):
            kwargs = {**kwargs, "device": "cpu"}
        return func(*args, **(kwargs or {}))


def install() -> None:
    """Prepare this process for megatron-core. Call it once, in the main thread, before building a model.

    Raises ConfigError for every version of megatron-core other than the pinned one.
    """
    if megatron.core.__version__ != MEGATRON_VERSION:
        raise ConfigError(
            f"megatron-core {megatron.core.__version__}: this code was tested with {MEGATRON_VERSION} only; "
            f"remedy: pip install megatron-core=={MEGATRON_VERSION}"
        )
    for message in UPSTREAM_WARNINGS:
        warnings.filterwarnings("ignore", message=message)
    if torch.cuda.is_available() or torch.cuda.current_device is _current_device:
        return
    torch.cuda.current_device = _current_device
    torch.cuda.synchronize = _synchronize
    torch.cuda.manual_seed = _manual_seed
    torch.cuda.get_rng_state = _get_rng_state
    torch.cuda.set_rng_state = _set_rng_state
    megatron_random._get_cuda_rng_state = _get_rng_state
    megatron_random._set_cuda_rng_state = _set_rng_state
    torch.Tensor.cuda = _stay
    torch.Tensor.type = _type
    buffers.dist_all_gather_func = _unless_alone(buffers.dist_all_gather_func)
    buffers.dist_reduce_scatter_func = _unless_alone(buffers.dist_reduce_scatter_func)
    _CudaToCpu().__enter__()


def plain_functions() -> AbstractContextManager[object]:
    """Switch the redirection of device="cuda" off for code that does not need it.

    The redirection costs 3 us per torch call.
    """
    return nullcontext() if torch.cuda.is_available() else torch._C.DisableTorchFunction()


def _unless_alone(collective: Callable[..., object]) -> Callable[..., object]:
    """Wrap a collective so that a group of one rank skips it when the output is already the input.

    Gloo would copy the buffer onto itself, which takes 5 % of a step of the tiny preset.
    """

    def exchange(
        output: torch.Tensor, given: torch.Tensor, *arguments: object, group: object = None, **options: object
    ) -> object:
        if torch.distributed.get_world_size(group) == 1 and output.data_ptr() == given.data_ptr():
            return None
        return collective(output, given, *arguments, group=group, **options)

    return exchange


_torch_type = torch.Tensor.type


def _current_device() -> torch.device:
    return torch.device("cpu")


def _synchronize(device: object = None) -> None:
    """Do nothing: no work runs asynchronously on the CPU."""


def _manual_seed(seed: int) -> None:
    torch.default_generator.manual_seed(seed)


def _get_rng_state(device: object = "cuda", clone: bool = False, graph_safe: bool = False) -> torch.Tensor:
    return torch.get_rng_state()


def _set_rng_state(state: torch.Tensor, device: object = -1, graph_safe: bool = False) -> None:
    torch.set_rng_state(state)


def _stay(tensor: torch.Tensor, device: object = None, non_blocking: bool = False) -> torch.Tensor:
    return tensor


def _type(tensor: torch.Tensor, dtype: object = None, non_blocking: bool = False) -> torch.Tensor | str:
    """Act as `torch.Tensor.type`, but report CPU tensors as CUDA ones for megatron-core's optimizers."""
    if dtype is not None:
        return _torch_type(tensor, dtype, non_blocking)
    name = _torch_type(tensor)  # passes through _CudaToCpu, which calls this function a second time
    return name if name.startswith("torch.cuda.") else name.replace("torch.", "torch.cuda.", 1)
