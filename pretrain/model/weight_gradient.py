"""Gradients of weights, added to megatron-core's gradient buffer by the matrix product that makes them.

megatron-core keeps one buffer per parameter, `main_grad`, in fp32. Autograd would first write the gradient in
the weight's own type and then add it: three more passes over memory, and in bf16 a rounding to 8 bits before
the sum. Here the product accumulates in fp32 and writes its sum once. megatron-core's own way to do so needs
apex; `install` puts torch's product in its place, so its layers work in the same way.
"""

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from megatron.core.tensor_parallel import layers
from torch import Tensor


def install(model: torch.nn.Module) -> None:
    """Let the linear layers of a model with gradient buffers accumulate by `add_product`, on CUDA."""
    if not torch.cuda.is_available():
        return
    layers.fused_weight_gradient_mlp_cuda = SimpleNamespace(
        wgrad_gemm_accum_fp32=_add, wgrad_gemm_accum_fp16=_add
    )
    for module in model.modules():
        if isinstance(module, layers.ColumnParallelLinear | layers.RowParallelLinear):
            module.gradient_accumulation_fusion = True
    for weight in model.parameters():
        # True makes megatron-core's hook add the unwritten tensor of `of_weight` to the buffer.
        weight.zero_out_wgrad = False


def _add(inputs: Tensor, grad_output: Tensor, main_grad: Tensor) -> None:
    add_product(main_grad, grad_output.flatten(0, -2), inputs.flatten(0, -2))


def add_product(total: Tensor, grad_output: Tensor, inputs: Tensor) -> None:
    """Add grad_output^T @ inputs to `total`: [n, out]^T @ [n, in] -> [out, in].

    The sum is rounded once, to the type of `total`. On the CPU, where torch has no product of bf16 with an
    fp32 result, the factors are converted first.
    """
    if total.dtype == grad_output.dtype:
        torch.addmm(total, grad_output.t(), inputs, out=total)
    elif total.is_cuda:
        torch.addmm(total, grad_output.t(), inputs, out_dtype=total.dtype, out=total)
    else:
        torch.addmm(total, grad_output.t().to(total.dtype), inputs.to(total.dtype), out=total)


def of_weight(weight: Tensor, grad_output: Tensor, inputs: Tensor) -> Tensor:
    """Return what a backward pass gives autograd as the gradient of `weight` [out, in].

    Where the weight has a `main_grad`, the gradient is added there, and the result is an unwritten tensor:
    megatron-core's hook drops it when `grad_added_to_main_grad` is set.
    """
    rows, columns = grad_output.flatten(0, -2), inputs.flatten(0, -2)
    if not hasattr(weight, "main_grad"):
        return rows.t() @ columns
    add_product(weight.main_grad, rows, columns)
    weight.grad_added_to_main_grad = True
    return torch.empty_like(weight)


def lookup(weight: Tensor, tokens: Tensor) -> Tensor:
    """Rows of an embedding [v, h] for tokens [b, s] -> [s, b, h]; gradients go straight to `main_grad`."""
    return _Lookup.apply(weight, tokens)


class _Lookup(torch.autograd.Function):
    @staticmethod
    def forward(ctx, weight: Tensor, tokens: Tensor):
        ctx.save_for_backward(weight, tokens)
        return F.embedding(tokens.t(), weight)

    @staticmethod
    def backward(ctx, grad: Tensor):
        weight, tokens = ctx.saved_tensors
        has_buffer = hasattr(weight, "main_grad")
        total = weight.main_grad if has_buffer else torch.zeros_like(weight)
        total.index_add_(0, tokens.t().flatten(), grad.flatten(0, 1).to(total.dtype))
        # None, not an unwritten tensor: that of the MTP layer's embeddings would be kept to the end.
        return None if has_buffer else total, None
