"""MiMo with one MTP layer as a plain PyTorch module: the yardstick of two benchmarks, on no code of ours.

What a careful user would write: torch's RMSNorm, scaled_dot_product_attention, SwiGLU, cross_entropy over
whole logits of both heads. On a GPU torch.compile of every layer, and a cross-entropy that makes its
gradients in the forward pass, one chunk of logits at a time.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from configs.recipe import ModelConfig


class Layer(nn.Module):
    """One pre-norm decoder layer."""

    def __init__(self, model: ModelConfig) -> None:
        super().__init__()
        h, d = model.hidden_size, model.head_dim
        self.heads, self.groups, self.dim = model.num_attention_heads, model.num_query_groups, d
        self.norm1, self.norm2 = nn.RMSNorm(h, model.norm_epsilon), nn.RMSNorm(h, model.norm_epsilon)
        self.qkv = nn.Linear(h, (self.heads + 2 * self.groups) * d)
        self.out = nn.Linear(self.heads * d, h, bias=False)
        self.up = nn.Linear(h, 2 * model.ffn_hidden_size, bias=False)
        self.down = nn.Linear(model.ffn_hidden_size, h, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Tensor | None) -> Tensor:
        """[b, s, h] -> [b, s, h]."""
        b, s, _ = x.shape
        sizes = [self.heads * self.dim, self.groups * self.dim, self.groups * self.dim]
        q, k, v = (
            part.view(b, s, -1, self.dim).transpose(1, 2) for part in self.qkv(self.norm1(x)).split(sizes, -1)
        )
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        mixed = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=True
        )
        x = x + self.out(mixed.transpose(1, 2).reshape(b, s, -1))
        gate, up = self.up(self.norm2(x)).chunk(2, -1)
        return x + self.down(F.silu(gate) * up)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat([-second, first], -1) * sin


class PlainMimo(nn.Module):
    """The decoder, the MTP layer and both losses."""

    def __init__(self, model: ModelConfig, length: int, rotary_base: int) -> None:
        super().__init__()
        h = model.hidden_size
        self.embedding = nn.Embedding(model.padded_vocab_size, h)
        self.head = nn.Linear(h, model.padded_vocab_size, bias=False)
        self.layers = nn.ModuleList(Layer(model) for _ in range(model.num_layers))
        self.norm = nn.RMSNorm(h, model.norm_epsilon)
        self.mtp_layer = Layer(model)
        self.mtp_norms = nn.ModuleList(nn.RMSNorm(h, model.norm_epsilon) for _ in range(3))
        self.mtp_projection = nn.Linear(2 * h, h, bias=False)
        inverse = rotary_base ** (-torch.arange(0, model.head_dim, 2).float() / model.head_dim)
        angles = torch.outer(torch.arange(length).float(), inverse).repeat(1, 2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=model.init_std)

    def forward(self, tokens: Tensor, labels: Tensor, mask: Tensor | None) -> Tensor:
        """tokens, labels [b, s] (-100 where nothing counts) -> main loss + 0.3 x MTP loss."""
        x = self.embedding(tokens)
        for layer in self.layers:
            x = layer(x, self.cos, self.sin, mask)
        shifted = F.pad(tokens[:, 1:], (0, 1))
        token_norm, hidden_norm, last_norm = self.mtp_norms
        joined = torch.cat([hidden_norm(x), token_norm(self.embedding(shifted))], -1)
        draft = last_norm(self.mtp_layer(self.mtp_projection(joined), self.cos, self.sin, mask))
        main = self._loss(self.norm(x), labels)
        return main + 0.3 * self._loss(draft, F.pad(labels[:, 1:], (0, 1), value=-100))

    def _loss(self, hidden: Tensor, labels: Tensor) -> Tensor:
        if hidden.is_cuda:
            return ChunkedLoss.apply(hidden.flatten(0, 1), self.head.weight, labels.flatten())
        return F.cross_entropy(self.head(hidden).flatten(0, 1).float(), labels.flatten(), ignore_index=-100)


CHUNK_TOKENS = 4096


class ChunkedLoss(torch.autograd.Function):
    """Mean cross-entropy whose gradients are made in the forward pass; no logits are kept or made again."""

    @staticmethod
    def forward(ctx, x: Tensor, weight: Tensor, labels: Tensor) -> Tensor:
        counted = (labels >= 0).sum()
        grad_x, total = torch.empty_like(x), torch.zeros((), device=x.device)
        grad_weight = torch.zeros_like(weight, dtype=torch.float32)
        for start in range(0, len(x), CHUNK_TOKENS):
            part = slice(start, start + CHUNK_TOKENS)
            grad, loss = softmax_gradient(x[part] @ weight.t(), labels[part], counted)
            total += loss
            torch.mm(grad, weight, out=grad_x[part])
            grad_weight += grad.t() @ x[part]
        ctx.save_for_backward(grad_x, grad_weight.to(weight.dtype))
        return total

    @staticmethod
    def backward(ctx, grad: Tensor):
        grad_x, grad_weight = ctx.saved_tensors
        return grad.to(grad_x.dtype) * grad_x, grad.to(grad_weight.dtype) * grad_weight, None


@torch.compile
def softmax_gradient(logits: Tensor, labels: Tensor, counted: Tensor) -> tuple[Tensor, Tensor]:
    wide, is_counted = logits.float(), labels >= 0
    column = torch.where(is_counted, labels, 0)[:, None]
    normaliser = torch.logsumexp(wide, -1)
    losses = torch.where(is_counted, normaliser - wide.gather(1, column).squeeze(1), 0.0)
    grad = torch.exp(wide - normaliser[:, None])
    grad = grad - (torch.arange(wide.size(1), device=wide.device) == column).float()
    grad = torch.where(is_counted[:, None], grad, 0.0) / counted
    return grad.to(logits.dtype), losses.sum() / counted
