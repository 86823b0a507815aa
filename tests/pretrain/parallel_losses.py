"""Losses of a few training steps of one small model under a parallel layout; run by torchrun, or called.

torchrun --nproc-per-node 2 tests/pretrain/parallel_losses.py OUT.json     (1: the layout of one process)
On machines with GPUs it runs there, over NCCL.
"""

import json
import os
import sys
import zlib

import torch
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed

from configs.recipe import ModelConfig
from pretrain.model import compat
from pretrain.model.batch import make_batch
from pretrain.model.loss import forward_step, global_counts, reduce_losses
from pretrain.model.mimo import build_model
from pretrain.run.launch import device

ALONE = {"alone": (1, 1, 1)}
LAYOUTS = {"dp2": (1, 1, 1), "tp2": (2, 1, 1), "pp2": (1, 2, 1), "cp2": (1, 1, 2)}
"""Tensor, pipeline and context parallelism."""
STEPS, MICRO_BATCHES, MICRO_BATCH_SIZE, LENGTH = 4, 4, 2, 32
CONFIG = ModelConfig(
    num_layers=2,
    hidden_size=32,
    ffn_hidden_size=48,
    num_attention_heads=4,
    num_query_groups=2,
    head_dim=16,
    vocab_size=90,
    vocab_divisible_by=64,
    norm_epsilon=1e-5,
    init_std=0.02,
    mtp_num_layers=1,
    mtp_hidden="mimo",
    mtp_zero_first_embedding=True,
)


def fill(model) -> None:
    """Give every parameter the values of its global name, cut to this rank."""
    tp_rank = parallel_state.get_tensor_model_parallel_rank()
    tp_size = parallel_state.get_tensor_model_parallel_world_size()
    first_layer = parallel_state.get_pipeline_model_parallel_rank() * len(model.decoder.layers)
    for name, parameter in model.named_parameters():
        if name.startswith("decoder.layers."):
            number, part = name.removeprefix("decoder.layers.").split(".", 1)
            name = f"decoder.layers.{int(number) + first_layer}.{part}"
        shape = list(parameter.shape)
        split = getattr(parameter, "partition_dim", -1) if tp_size > 1 else -1
        if split >= 0:
            shape[split] *= tp_size
        generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
        whole = 0.2 * torch.randn(shape, generator=generator) + (1.0 if "norm" in name else 0.0)
        if split >= 0 and "linear_fc1" in name:  # gate and up are cut one by one
            whole = torch.cat([half.chunk(tp_size)[tp_rank] for half in whole.chunk(2)])
        elif split >= 0:
            whole = whole.chunk(tp_size, dim=split)[tp_rank]
        parameter.data.copy_(whole)


def micro_batches(step: int) -> list:
    """This data-parallel rank's share of the step's global batch; the last micro-batch has no valid token."""
    generator = torch.Generator().manual_seed(step)
    made = []
    for number in range(MICRO_BATCHES):
        stream = torch.randint(0, CONFIG.vocab_size, (MICRO_BATCH_SIZE, LENGTH + 1), generator=generator)
        starts = torch.rand(MICRO_BATCH_SIZE, LENGTH, generator=generator) < 0.1
        mask = torch.ones_like(starts)
        mask[:, :-1] = ~starts[:, 1:]
        mask &= number != MICRO_BATCHES - 1
        made.append(make_batch(stream[:, :-1], stream[:, 1:], mask, starts))
    rank = parallel_state.get_data_parallel_rank()
    mine = made[rank :: parallel_state.get_data_parallel_world_size()]
    return [batch.to(device()) for batch in mine]


def train(tensor_parallel: int, pipeline_parallel: int) -> list[tuple[float, float]]:
    """(main, MTP) loss of each step; parallel state must be initialised in this layout."""
    model = build_model(
        CONFIG,
        sequence_length=LENGTH,
        rotary_base=10_000,
        tensor_parallel=tensor_parallel,
        pipeline_parallel=pipeline_parallel,
    )
    fill(model)
    ddp = DistributedDataParallel(
        model.config, DistributedDataParallelConfig(grad_reduce_in_fp32=True), model
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    trace = []
    for step in range(STEPS):
        ddp.zero_grad_buffer()
        batches = micro_batches(step)
        counts = global_counts(batches)
        sums = get_forward_backward_func()(
            forward_step_func=forward_step(counts, mtp_weight=0.3),
            data_iterator=iter(batches),
            model=[ddp],
            num_microbatches=len(batches),
            seq_length=LENGTH,
            micro_batch_size=MICRO_BATCH_SIZE,
            forward_only=False,
        )
        for parameter in model.parameters():
            parameter.grad = parameter.main_grad
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)  # else autograd would add into main_grad by itself
        trace.append(reduce_losses(sums, batches, 1)[:2])
    return trace


def run(out: str) -> None:
    compat.install()
    has_cuda = torch.cuda.is_available()
    if has_cuda:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if has_cuda else "gloo")
    traces = {}
    layouts = LAYOUTS if torch.distributed.get_world_size() > 1 else ALONE
    for name, (tensor_parallel, pipeline_parallel, context_parallel) in layouts.items():
        parallel_state.initialize_model_parallel(
            tensor_parallel, pipeline_parallel, context_parallel_size=context_parallel
        )
        if has_cuda:
            model_parallel_cuda_manual_seed(0, force_reset_rng=True)
        traces[name] = train(tensor_parallel, pipeline_parallel)
        parallel_state.destroy_model_parallel()
    if torch.distributed.get_rank() == 0:
        with open(out, "w", encoding="utf-8") as file:
            json.dump(traces, file)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    run(sys.argv[1])
