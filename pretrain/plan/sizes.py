"""The size of a model and its work: parameters, bytes, FLOPs, computed from its shape. No torch.

FLOPs are those of forward and backward: 6 for every weight of a matrix product, and in each layer 12 for
every number of a query and every key that it attends to. A query attends to earlier tokens of its own
document, so the honest count needs the documents' lengths (`attended_keys`). Two published conventions count
whole rows instead: "causal" half of the square, and "full" all of it, as PaLM and Megatron-LM report. The
embedding is looked up and counts nothing; each head counts the output layer once.
"""

from collections.abc import Iterable
from typing import Literal

from configs.recipe import ModelConfig
from pretrain.plan.layout import Layout

PEAK_FLOPS = 989e12
"""One H100 or H200 SXM, dense bf16 (NVIDIA's data sheet)."""

HEAD_CHUNK_TOKENS = 4096
"""Positions whose logits exist at once. Our choice: 4,096 x 151,680 words are 2.5 GB in fp32, and the matrix
products are long enough to run at full speed on an H200."""

Convention = Literal["causal", "full"]


def layer_parameters(model: ModelConfig) -> int:
    """Parameters of one decoder layer: QKV with bias, output projection, SwiGLU, two norms."""
    h, heads = model.hidden_size, model.num_attention_heads * model.head_dim
    qkv = heads + 2 * model.num_query_groups * model.head_dim
    return h * qkv + qkv + heads * h + 3 * h * model.ffn_hidden_size + 2 * h


def parameters(model: ModelConfig) -> tuple[int, int]:
    """Parameters of the whole model, and of its MTP layer (which shares embedding and head)."""
    h = model.hidden_size
    mtp = model.mtp_num_layers * (layer_parameters(model) + 2 * h * h + 3 * h)
    return 2 * model.padded_vocab_size * h + model.num_layers * layer_parameters(model) + h + mtp, mtp


def attended_keys(document_lengths: Iterable[int]) -> float:
    """Mean number of keys that a token attends to, itself included; documents of 1 and 3 tokens: 7 / 4."""
    lengths = list(document_lengths)
    return sum(length * (length + 1) for length in lengths) / 2 / sum(lengths)


def whole_row_keys(sequence_length: int, convention: Convention) -> float:
    """Keys per token in a published convention, which takes each row for one document."""
    return sequence_length / 2 if convention == "causal" else float(sequence_length)


def flops_per_token(model: ModelConfig, keys: float, has_mtp: bool) -> float:
    """Forward and backward work of one token that attends to `keys` keys on average."""
    total, mtp = parameters(model)
    weights = total - mtp - model.padded_vocab_size * model.hidden_size
    layers = model.num_layers
    if has_mtp and model.mtp_num_layers:
        weights += mtp + model.padded_vocab_size * model.hidden_size
        layers += model.mtp_num_layers
    return 6.0 * weights + 12 * layers * keys * model.num_attention_heads * model.head_dim


def memory_per_gpu(model: ModelConfig, layout: Layout) -> dict[str, float]:
    """Bytes on the fullest GPU (the first pipeline stage's activations, the last one's head), by component.

    Activations: what torch's kernels keep for the backward pass of a layer, per token in the weights' type:
    6 hidden-sized tensors, queries, keys and values, and 4 of SwiGLU's width; with recomputation one
    hidden-sized tensor per layer, and one layer whole. Fragmentation and kernels' work space are not counted:
    the README compares with a measured peak.
    """
    total, _ = parameters(model)
    split = layout.tensor_parallel * layout.pipeline_parallel
    size = 2 if layout.bf16 else 4
    h, tokens = model.hidden_size, layout.micro_batch_tokens / layout.context_parallel
    qkv = (model.num_attention_heads + 2 * model.num_query_groups) * model.head_dim
    a_layer = size * tokens * (6 * h + (2 * qkv + 4 * model.ffn_hidden_size) / layout.tensor_parallel)
    # The first pipeline stage holds as many micro-batches as there are stages: every layer once, in sum.
    layers = model.num_layers + model.mtp_num_layers
    activations = a_layer + layers * size * tokens * h if layout.recompute else layers * a_layer
    vocabulary = model.padded_vocab_size / layout.tensor_parallel
    chunk = min(HEAD_CHUNK_TOKENS, tokens) * vocabulary * (2 * 4 + size)
    optimizer = 12 if layout.bf16 else 8  # fp32 moments, and a master copy beside bf16 weights
    return {
        "weights": size * total / split,
        "gradients": 4 * total / split,
        "optimizer": optimizer * total / split / layout.data_parallel / layout.context_parallel,
        "activations": activations,
        "heads": chunk + vocabulary * h * (4 + size),
    }
