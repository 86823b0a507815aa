"""The decoder layer for training on CUDA without Transformer Engine: few passes over memory, little kept.

megatron-core's layer runs one kernel per operation and keeps every intermediate result for the backward pass.
Here everything between two matrix products is one compiled kernel, the residual is added by the product, and
weight gradients are added to the fp32 buffer by their products (weight_gradient.py). Kept per token are the
two inputs of the norms, queries, keys, values, the attention's output and the gate and up projections; norms
and the activation are computed again in the backward pass, which costs less than a read of what it replaces.

The parameters are those of megatron-core's layer, so checkpoints do not differ. With tensor parallelism, on
the CPU and while decoding, megatron-core's own layer runs.
"""

from collections.abc import Callable
from functools import wraps

import torch
import torch.nn.functional as F
from megatron.core import parallel_state
from megatron.core.transformer.transformer_layer import TransformerLayer
from torch import Tensor

from pretrain.model import context_parallel, weight_gradient
from pretrain.model.attention import Documents, attend


class FusedLayer(TransformerLayer):
    """megatron-core's decoder layer with a faster forward and backward pass where it applies."""

    def forward(self, hidden_states: Tensor, *args: object, **kwargs: object) -> tuple[Tensor, Tensor | None]:
        """Run the layer on [s, b, h]; the second result is megatron-core's context, which is not used."""
        if not self.training or not is_supported(hidden_states.device):
            return super().forward(hidden_states, *args, **kwargs)
        return self.fused(hidden_states, kwargs["rotary_pos_emb"], kwargs["packed_seq_params"]), None

    def fused(self, hidden: Tensor, angles: Tensor, documents: Documents) -> Tensor:
        """Run the layer on [s, b, h] with rotary angles [s, 1, 1, d]."""
        attention, config = self.self_attention, self.config
        joined, hidden = _NormedLinear.apply(
            hidden, self.input_layernorm.weight, attention.linear_qkv.weight, config.layernorm_epsilon
        )
        query, key, value = rotated_heads(
            joined, attention.linear_qkv.bias, angles, config.num_query_groups, config.kv_channels
        )
        key, value = context_parallel.gather(key), context_parallel.gather(value)
        mixed = attend(query, key, value, documents, attention.core_attention.scale)
        hidden = _AddedLinear.apply(mixed, attention.linear_proj.weight, hidden)
        return _SwiGlu.apply(
            hidden,
            self.pre_mlp_layernorm.weight,
            self.mlp.linear_fc1.weight,
            self.mlp.linear_fc2.weight,
            config.layernorm_epsilon,
        )


def is_supported(device: torch.device) -> bool:
    """Tell whether the fused layer runs on this device and with this process's split."""
    return device.type == "cuda" and parallel_state.get_tensor_model_parallel_world_size() == 1


def _compiled(function: Callable) -> Callable:
    """Compile a function for CUDA tensors; on the CPU it runs as written."""
    fused = torch.compile(function, dynamic=False)

    @wraps(function)
    def call(first: Tensor, *rest: object):
        return fused(first, *rest) if first.is_cuda else function(first, *rest)

    return call


@_compiled
def rotated_heads(
    joined: Tensor, bias: Tensor, angles: Tensor, groups: int, dim: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Split [s, b, groups x (queries + key + value) x d] into heads and rotate queries and keys.

    Returns queries [s, b, heads, d], keys and values [s, b, groups, d].
    """
    length, batch, width = joined.shape
    heads = (joined + bias).view(length, batch, groups, width // groups // dim, dim)
    cos, sin = (part.to(joined.dtype).unsqueeze(2) for part in (angles.cos(), angles.sin()))
    turned = heads[..., :-1, :]  # queries and key of each group
    first, second = turned.chunk(2, dim=-1)
    turned = turned * cos + torch.cat([-second, first], dim=-1) * sin
    query = turned[..., :-1, :].reshape(length, batch, -1, dim)
    return query, turned[..., -1, :].contiguous(), heads[..., -1, :].contiguous()


@_compiled
def rms_norm(x: Tensor, weight: Tensor, epsilon: float) -> Tensor:
    """Return x / rms(x) * weight along the last dimension, computed in fp32."""
    wide = x.float()
    return (wide * torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon) * weight.float()).to(x.dtype)


@_compiled
def rms_norm_backward(
    x: Tensor, weight: Tensor, epsilon: float, grad: Tensor, grad_residual: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients by x, to which that of the residual is added, and by the weight."""
    wide = x.float()
    scale = torch.rsqrt(wide.square().mean(-1, keepdim=True) + epsilon)
    normed, grad_wide = wide * scale, grad.float()
    grad_normed = grad_wide * weight.float()
    shared = (grad_normed * normed).mean(-1, keepdim=True)
    grad_x = scale * (grad_normed - normed * shared) + grad_residual.float()
    grad_weight = (grad_wide * normed).flatten(0, -2).sum(0)
    return grad_x.to(x.dtype), grad_weight.to(weight.dtype)


@_compiled
def swiglu(joined: Tensor) -> Tensor:
    """silu(gate) * up for joined = [gate, up] along the last dimension."""
    gate, up = joined.float().chunk(2, dim=-1)
    return (F.silu(gate) * up).to(joined.dtype)


@_compiled
def swiglu_backward(joined: Tensor, grad: Tensor) -> tuple[Tensor, Tensor]:
    """The activation again, and the gradient by [gate, up]."""
    gate, up = joined.float().chunk(2, dim=-1)
    wide, sigmoid = grad.float(), torch.sigmoid(gate)
    silu = gate * sigmoid
    grad_gate = wide * up * (sigmoid + silu * (1 - sigmoid))
    grad_joined = torch.cat([grad_gate.to(joined.dtype), (wide * silu).to(joined.dtype)], dim=-1)
    return (silu * up).to(joined.dtype), grad_joined


class _NormedLinear(torch.autograd.Function):
    """(rms_norm(x) @ weight^T, x): the second is the residual, whose gradient the norm's kernel adds."""

    @staticmethod
    def forward(ctx, x: Tensor, norm: Tensor, weight: Tensor, epsilon: float):
        ctx.save_for_backward(x, norm, weight)
        ctx.epsilon = epsilon
        return rms_norm(x, norm, epsilon) @ weight.t(), x.view_as(x)

    @staticmethod
    def backward(ctx, grad: Tensor, grad_residual: Tensor):
        x, norm, weight = ctx.saved_tensors
        grad_weight = weight_gradient.of_weight(weight, grad, rms_norm(x, norm, ctx.epsilon))
        grad_x, grad_norm = rms_norm_backward(x, norm, ctx.epsilon, grad @ weight, grad_residual)
        return grad_x, grad_norm, grad_weight, None


class _AddedLinear(torch.autograd.Function):
    """residual + x @ weight^T, added by the product itself."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, residual: Tensor):
        ctx.save_for_backward(x, weight)
        return _added_product(residual, x, weight)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, weight = ctx.saved_tensors
        return grad @ weight, weight_gradient.of_weight(weight, grad, x), grad


class _SwiGlu(torch.autograd.Function):
    """x + swiglu(rms_norm(x) @ first^T) @ second^T; kept are x and the first product."""

    @staticmethod
    def forward(ctx, x: Tensor, norm: Tensor, first: Tensor, second: Tensor, epsilon: float):
        joined = rms_norm(x, norm, epsilon) @ first.t()
        ctx.save_for_backward(x, norm, first, second, joined)
        ctx.epsilon = epsilon
        return _added_product(x, swiglu(joined), second)

    @staticmethod
    def backward(ctx, grad: Tensor):
        x, norm, first, second, joined = ctx.saved_tensors
        activated, grad_joined = swiglu_backward(joined, grad @ second)
        grad_second = weight_gradient.of_weight(second, grad, activated)
        del activated
        grad_first = weight_gradient.of_weight(first, grad_joined, rms_norm(x, norm, ctx.epsilon))
        grad_x, grad_norm = rms_norm_backward(x, norm, ctx.epsilon, grad_joined @ first, grad)
        return grad_x, grad_norm, grad_first, grad_second, None


def _added_product(residual: Tensor, x: Tensor, weight: Tensor) -> Tensor:
    return torch.addmm(residual.flatten(0, -2), x.flatten(0, -2), weight.t()).view_as(residual)
