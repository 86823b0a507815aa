"""The CPU shim: what it changes, and that the pinned megatron-core asks CUDA for nothing else."""

import re
from pathlib import Path

import megatron.core
import pytest
import torch

from configs.loader import ConfigError
from pretrain.model import compat

pytestmark = [
    pytest.mark.usefixtures("single_process"),
    pytest.mark.skipif(torch.cuda.is_available(), reason="the shim is for machines without CUDA"),
]

ON_OUR_PATH = (
    "distributed/distributed_data_parallel.py",
    "distributed/finalize_model_grads.py",
    "distributed/param_and_grad_buffer.py",
    "models/common/embeddings/rotary_pos_embedding.py",
    "models/common/language_module/language_module.py",
    "models/gpt/gpt_model.py",
    "optimizer/clip_grads.py",
    "optimizer/distrib_optimizer.py",
    "optimizer/optimizer.py",
    "pipeline_parallel/p2p_communication.py",
    "pipeline_parallel/schedules.py",
    "tensor_parallel/layers.py",
    "tensor_parallel/mappings.py",
    "tensor_parallel/random.py",
    "transformer/attention.py",
    "transformer/transformer_layer.py",
)
ANSWERED = {
    'device="cuda"', ".cuda(", "torch.cuda.current_device", "torch.cuda.synchronize",
    "torch.cuda.manual_seed", "torch.cuda.get_rng_state", "torch.cuda.set_rng_state",
    "torch.cuda.FloatTensor", "torch.cuda.HalfTensor", "torch.cuda.BFloat",
}  # fmt: skip
HARMLESS = {
    "torch.cuda.CUDAGraph",  # only with graph-safe random state
    "torch.cuda.Stream",  # only with several distributed-optimizer instances
    "torch.cuda.amp",  # decorators that do nothing without autocast
    "torch.cuda.default_generators",  # inside the two functions that the shim replaces
    "torch.cuda.default_stream",  # only with overlapped reduction
    "torch.cuda.empty_cache",  # does nothing without CUDA
    "torch.cuda.random",  # inside the two functions that the shim replaces
    "torch.cuda.stream",  # only with overlapped reduction
}


def test_tensors_asked_for_on_cuda_lie_on_the_cpu():
    assert torch.zeros(2, device="cuda").device.type == "cpu"
    assert torch.zeros(2, device="cuda:0").cuda().device.type == "cpu"
    assert torch.cuda.current_device() == torch.device("cpu")
    assert torch.zeros(1).type() == "torch.cuda.FloatTensor"
    assert torch.zeros(1).type(torch.int64).dtype == torch.int64


def test_install_twice_is_install_once():
    before = torch.overrides._get_current_function_mode_stack()
    compat.install()
    assert torch.overrides._get_current_function_mode_stack() == before


def test_the_random_tracker_forks():
    from megatron.core.tensor_parallel import get_cuda_rng_tracker, model_parallel_cuda_manual_seed

    model_parallel_cuda_manual_seed(5, force_reset_rng=True)
    state = torch.get_rng_state()
    with get_cuda_rng_tracker().fork():
        first = torch.rand(1)
    assert torch.equal(torch.get_rng_state(), state)
    with get_cuda_rng_tracker().fork():
        assert torch.rand(1) != first


def test_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(megatron.core, "__version__", "0.17.0")
    with pytest.raises(
        ConfigError, match=r"megatron-core 0\.17\.0.*remedy: pip install megatron-core==0\.16\.1"
    ):
        compat.install()


def test_the_pinned_version_asks_cuda_for_nothing_else():
    root = Path(megatron.core.__file__).parent
    pattern = r"device=[\"']cuda[\"']|torch\.cuda\.[a-zA-Z_]+|\.cuda\("
    found = {
        match.replace("'", '"')
        for name in ON_OUR_PATH
        for match in re.findall(pattern, (root / name).read_text(encoding="utf-8"))
    }
    assert found == ANSWERED | HARMLESS
