"""Megatron-Core's AdamW with a learning rate per step and exact resume from a checkpoint.

Without Transformer Engine and apex, megatron-core 0.16.1's DistributedOptimizer uses torch's AdamW and has
two faults. It fails to load a checkpoint, because it expects a `step` that is not a tensor. And it gives all
parameters one shared step counter, which then rises once per parameter: the bias correction would silently be
wrong. TorchAdamOptimizer corrects both.
"""

import megatron.core.optimizer as megatron_optimizer
import torch
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer, OptimizerConfig, get_megatron_optimizer
from megatron.core.optimizer.distrib_optimizer import HAVE_APEX_OR_TE, DistributedOptimizer

from configs.recipe import ScheduleConfig


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


def build_optimizer(
    model: DistributedDataParallel, schedule: ScheduleConfig, bf16: bool
) -> MegatronOptimizer:
    """Build AdamW for `model` with fp32 master weights and moments, sharded over data-parallel ranks."""
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


def gradient_norm(optimizer: MegatronOptimizer) -> float:
    """Return the norm of the whole gradient before clipping, the same on every rank.

    Weights do not change.
    """
    optimizer.prepare_grads()
    return float(optimizer.get_grad_norm())


def prepare_to_load(optimizer: MegatronOptimizer) -> None:
    """Allocate the state tensors that a checkpoint is loaded into; a new optimizer has none."""
    for part in optimizer.chained_optimizers:
        if not part.optimizer.state:
            part._init_optimizer_states_with_dummy_values()
