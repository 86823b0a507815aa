"""Megatron-Core's AdamW with a learning rate per step and exact resume from a checkpoint.

Without Transformer Engine and apex, megatron-core 0.16.1's DistributedOptimizer uses torch's AdamW and has
two faults. It fails to load a checkpoint, because it expects a `step` that is not a tensor. And it gives all
parameters one shared step counter, which then rises once per parameter: the bias correction would silently be
wrong. TorchAdamOptimizer corrects both.
"""

from functools import cache
from itertools import chain

import megatron.core.optimizer as megatron_optimizer
import torch
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.distrib_optimizer import HAVE_APEX_OR_TE, DistributedOptimizer
from megatron.core.transformer.module import MegatronModule
from torch import Tensor

from configs.recipe import ScheduleConfig
from pretrain.model import weight_gradient


class TorchAdamOptimizer(DistributedOptimizer):
    """A DistributedOptimizer that loads checkpoints of torch's AdamW and counts steps per parameter."""

    def _set_main_param_and_optimizer_states(self, model_param, tensors):
        group, order = self.model_param_group_index_map[model_param]
        main = self.optimizer.param_groups[group]["params"][order]
        targets = {"param": main, **self.optimizer.state[main]}
        with torch.no_grad():
            for name, value in tensors.items():
                if name in targets and name != "step":
                    targets[name].copy_(value)

    def load_state_dict(self, state_dict):
        super().load_state_dict(state_dict)
        for state in self.optimizer.state.values():
            if torch.is_tensor(state.get("step")):
                state["step"] = state["step"].clone()

    @torch.no_grad()
    def step_in_one_pass(self, norm: float) -> None:
        """Clip by `norm` and update every parameter's shard; `prepare_grads` must have run."""
        clip = self.config.clip_grad / (norm + 1e-6) if self.config.clip_grad > 0.0 else 1.0
        if not hasattr(self, "_shards"):
            self._shards = self._weight_shards()
        for group in self.optimizer.param_groups:
            beta1, beta2 = group["betas"]
            rates = [group["lr"], group["weight_decay"], beta1, beta2, group["eps"], min(clip, 1.0)]
            tensor = torch.tensor(rates).pin_memory().to("cuda", non_blocking=True)
            for main in group["params"]:
                state = self.optimizer.state[main]
                if not state:
                    state["step"] = torch.zeros((), device=main.device)
                    state |= {name: torch.zeros_like(main) for name in ("exp_avg", "exp_avg_sq")}
                state["step"] += 1
                moments = (state["exp_avg"], state["exp_avg_sq"])
                _compiled_adamw()(main, main.grad, moments, self._shards[main], state["step"], tensor)

    def _weight_shards(self) -> dict[Tensor, Tensor]:
        """The shard of the model's weights, as a view, that belongs to each master shard."""
        shards = {}
        for mains, models in (
            (self.shard_fp32_from_float16_groups, self.model_float16_groups),
            (self.shard_fp32_groups, self.model_fp32_groups),
        ):
            for main, model in zip(chain(*mains), chain(*models), strict=True):
                place = self._get_model_param_range_map(model)["gbuf_world_in_bucket"]
                buffer, _, bucket = self.model_param_gbuf_map[model]
                flat = self.buffers[buffer].buckets[bucket].param_data.view(-1)
                shards[main] = flat[place.start : place.end]
        return shards


def with_gradient_buffers(model: MegatronModule) -> DistributedDataParallel:
    """Wrap a model so that its gradients are summed in fp32 buffers, over micro-batches and ranks.

    In bf16 the MTP head's part of the output layer's gradient would be lost (make bench-gradients).
    """
    config = DistributedDataParallelConfig(grad_reduce_in_fp32=True, use_distributed_optimizer=True)
    return DistributedDataParallel(model.config, config, model)


def build_optimizer(
    model: DistributedDataParallel, schedule: ScheduleConfig, bf16: bool
) -> MegatronOptimizer:
    """Build AdamW for `model` with fp32 master weights and moments, sharded over data-parallel ranks.

    From then on the model's weight gradients go straight to the fp32 buffers that the optimizer reads.
    """
    weight_gradient.install(model)
    config = OptimizerConfig(
        optimizer="adam",
        lr=schedule.learning_rate[0].start,
        min_lr=0.0,  # not used here, but megatron-core computes with it
        adam_beta1=schedule.adam_beta1,
        adam_beta2=schedule.adam_beta2,
        adam_eps=schedule.adam_epsilon,
        weight_decay=schedule.weight_decay,
        clip_grad=schedule.clip_grad,
        bf16=bf16,
        params_dtype=torch.bfloat16 if bf16 else torch.float32,
        use_distributed_optimizer=True,
    )
    if not HAVE_APEX_OR_TE:
        # get_megatron_optimizer takes the class from this name of its module.
        megatron_optimizer.DistributedOptimizer = TorchAdamOptimizer
    optimizer = get_megatron_optimizer(config, [model])
    if not HAVE_APEX_OR_TE:
        for group in optimizer.param_groups:
            group["fused"] = True  # one pass over memory; torch's default makes several
    return optimizer


def set_learning_rate(optimizer: MegatronOptimizer, learning_rate: float, weight_decay: float) -> None:
    """Set the learning rate and weight decay of every parameter group.

    In megatron-core, biases and norms have no weight decay.
    """
    for group in optimizer.param_groups:
        group["lr"] = learning_rate * group.get("lr_mult", 1.0)
        group["weight_decay"] = weight_decay * group.get("wd_mult", 1.0)


def gradient_norm(optimizer: MegatronOptimizer) -> Tensor | float:
    """Return the norm of the whole gradient before clipping, the same on every rank; weights do not change.

    On CUDA the result is a tensor, so that the host need not wait. Without apex, megatron-core's own norm
    waits once for every parameter.
    """
    optimizer.prepare_grads()
    if not torch.cuda.is_available():
        return float(optimizer.get_grad_norm())
    grads = [grad for part in optimizer.chained_optimizers for grad in part.get_main_grads_for_grad_norm()]
    total = (
        torch.stack(torch._foreach_norm(grads)).square().sum() if grads else torch.zeros((), device="cuda")
    )
    torch.distributed.all_reduce(total, group=optimizer.get_grad_stats_parallel_group())
    return total.sqrt()


def update(optimizer: MegatronOptimizer, norm: float) -> None:
    """Clip the gradient, whose norm is `norm`, and take a step of AdamW.

    On CUDA one kernel per parameter clips, updates and writes the weights' bf16 copy.
    """
    if not torch.cuda.is_available() or HAVE_APEX_OR_TE or not optimizer.config.bf16:
        optimizer.step()
        return
    for part in optimizer.chained_optimizers:
        if not part.is_stub_optimizer:
            part.step_in_one_pass(norm)
    for part in optimizer.chained_optimizers:
        for chunk in part.model_chunks:
            chunk.start_param_sync()


@cache
def _compiled_adamw():
    return torch.compile(adamw, dynamic=True)


def adamw(
    main: Tensor, grad: Tensor, moments: tuple[Tensor, Tensor], weight: Tensor, step: Tensor, rates: Tensor
) -> None:
    """Update master weights, moments and the model's weights, all [n], in place.

    rates: [6] learning rate, weight decay, beta1, beta2, epsilon, factor of the gradient.
    """
    learning_rate, decay, beta1, beta2, epsilon, clip = rates.unbind()
    first, second = moments
    clipped = grad * clip
    new_first = beta1 * first + (1 - beta1) * clipped
    new_second = beta2 * second + (1 - beta2) * clipped * clipped
    size = learning_rate / (1 - beta1**step)
    divisor = (new_second / (1 - beta2**step)).sqrt() + epsilon
    new_main = main * (1 - learning_rate * decay) - size * new_first / divisor
    first.copy_(new_first)
    second.copy_(new_second)
    main.copy_(new_main)
    weight.copy_(new_main)


def prepare_to_load(optimizer: MegatronOptimizer) -> None:
    """Allocate the state tensors that a checkpoint is loaded into; a new optimizer has none."""
    for part in optimizer.chained_optimizers:
        if not part.optimizer.state:
            part._init_optimizer_states_with_dummy_values()
