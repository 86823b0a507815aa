"""Causal self-attention that stops at document boundaries, on torch's own kernels.

A sample is packed from several documents; a token attends only to itself and to earlier tokens of its own
document. There are three implementations of the same function. The device and the dtype choose one:
- `dense`: scaled_dot_product_attention with a [b, 1, s, s] mask. It runs on the CPU, where s is short
  (s = 256 costs 64 KiB per row).
- `varlen`: flash attention over cumulative lengths, on CUDA in bf16 or fp16. Its memory is linear in s; it is
  used at 8k and 32k.
- `flex`: compiled block masks, on CUDA in fp32, for which flash attention has no kernel, and in deterministic
  runs: its backward pass repeats exactly and is faster than that of flash attention when asked to repeat.
Where every row is one document, plain causal attention without a mask replaces the first two. Under context
parallelism a rank holds only a part of the row's queries, so a mask is always needed: `dense` on the CPU,
`flex` on CUDA. While decoding, the keys and values of earlier tokens come from a cache (kv_cache.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F
from megatron.core.packed_seq_params import PackedSeqParams
from megatron.core.transformer.enums import AttnMaskType
from megatron.core.transformer.module import MegatronModule
from megatron.core.transformer.transformer_config import TransformerConfig
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

from pretrain.model import context_parallel
from pretrain.model.kv_cache import KeyValueCache

HALF = (torch.bfloat16, torch.float16)
BLOCK = 128
"""Side of flex attention's blocks; its default."""


@dataclass
class Documents(PackedSeqParams):
    """Where documents begin in a micro-batch, as the class that megatron-core passes to its attention layers.

    The layout stays [s, b, ...] (`qkv_format="sbhd"`); cumulative lengths count over b-major tokens.
    `mask` is built once for all layers in the form that the implementation needs; None means plain causal
    attention.
    """

    implementation: str = "dense"
    starts: Tensor | None = None
    """[b, s] bool, for the positions that this rank holds: True at a document's first token."""
    mask: Tensor | BlockMask | None = None
    cache: KeyValueCache | None = None
    """Only while decoding: keys and values of the tokens before this chunk."""
    first: int = 0
    """Position of the chunk's first token in the text; 0 except while decoding."""


def documents_of(starts: Tensor, cu_seqlens: Tensor, dtype: torch.dtype) -> Documents:
    """Describe the documents of a micro-batch to the attention layers.

    starts: [b, s] bool, True at a document's first token and at position 0 of each row.
    cu_seqlens: int32 [documents + 1], cumulative lengths over the b-major flattened tokens.
    """
    batch, length = starts.shape
    implementation = choose(starts.device, dtype)
    is_plain = cu_seqlens.numel() == batch + 1 and context_parallel.size() == 1
    is_plain &= not (implementation == "flex" and dtype in HALF)  # see `choose`
    mask = None
    if not is_plain and implementation == "dense":
        mask = dense_mask(starts)
    elif not is_plain and implementation == "flex":
        mask = block_mask(starts)
    return Documents(
        qkv_format="sbhd",
        cu_seqlens_q=cu_seqlens,
        cu_seqlens_kv=cu_seqlens,
        max_seqlen_q=length,  # the row's length, not a document's: megatron-core sizes its rotary table by it
        max_seqlen_kv=length,
        implementation="dense" if is_plain else implementation,
        starts=context_parallel.local(starts, 1),
        mask=mask if not is_plain else None,
    )


def choose(device: torch.device, dtype: torch.dtype) -> str:
    """Return the name of the implementation for tensors of this device and dtype."""
    if device.type != "cuda":
        return "dense"
    # Asked to repeat exactly, flash attention's backward pass takes 1.7 times as long as without, and longer
    # than flex attention's, which always repeats.
    must_repeat = torch.are_deterministic_algorithms_enabled() and torch.is_grad_enabled()
    return "varlen" if context_parallel.size() == 1 and dtype in HALF and not must_repeat else "flex"


def dense_mask(starts: Tensor) -> Tensor:
    """Return the mask [b, 1, s, s] for document starts [b, s]: True where a query (row) sees a key (column).

    Under context parallelism the mask has rows for this rank's queries only.
    """
    document = starts.cumsum(-1)  # [b, s]
    same = document[:, None, :, None] == document[:, None, None, :]
    return context_parallel.local(same.tril(), 2)


def block_mask(starts: Tensor) -> BlockMask:
    """Return the mask of `dense_mask` in flex attention's 128 x 128 blocks; memory grows as (s / 128)^2."""
    document = starts.cumsum(-1)
    batch, length = starts.shape
    places = context_parallel.local(torch.arange(length, device=starts.device), 0)

    def visible(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        place = places[query]
        return (place >= key) & (document[b, place] == document[b, key])

    if context_parallel.size() > 1 or length % BLOCK:
        return create_block_mask(visible, batch, None, len(places), length, device=starts.device)

    def visible_in_row(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (query >= key) & (document[b, query] == document[b, key])

    return _block_mask_of_rows(document, visible_in_row)


def _block_mask_of_rows(document: Tensor, visible: Callable[..., Tensor]) -> BlockMask:
    """The blocks of whole rows, found from the documents [b, s] at the blocks' edges.

    create_block_mask would evaluate the mask at every pair of positions: 1 GiB at 32,768. Numbers of
    documents never fall along a row. So a block of keys has something to see if its last document is not
    before the queries' first, and is seen as a whole if its first document is the queries' last.
    """
    first, last = document[:, ::BLOCK], document[:, BLOCK - 1 :: BLOCK]  # [b, blocks]
    number = torch.arange(first.size(1), device=document.device)
    earlier, same = number[:, None] > number, number[:, None] == number
    whole = earlier & (first[:, None, :] == last[:, :, None])
    part = (earlier | same) & (last[:, None, :] >= first[:, :, None]) & ~whole
    arguments = []
    for blocks in (part, whole):  # [b, query blocks, key blocks]
        order = blocks.int().argsort(dim=-1, descending=True, stable=True)
        arguments += [blocks.sum(-1, dtype=torch.int32).unsqueeze(1), order.int().unsqueeze(1)]
    length = document.size(1)
    return BlockMask.from_kv_blocks(
        *arguments, BLOCK_SIZE=BLOCK, mask_mod=visible, seq_lengths=(length, length)
    )


@cache
def _compiled_flex():
    return torch.compile(flex_attention, dynamic=False)


def attend(query: Tensor, key: Tensor, value: Tensor, documents: Documents | None, scale: float) -> Tensor:
    """Compute attention within documents: [s, b, heads, d] each -> [s, b, heads*d].

    Key and value may have fewer heads than query (grouped-query attention). Under context parallelism query
    has this rank's positions, key and value have those of the whole row.
    """
    length, batch, heads, head_dim = query.shape
    if documents is not None and documents.implementation == "varlen":
        return _varlen(query, key, value, documents, scale)
    # [s, b, n, d] -> [b, n, s, d]
    q, k, v = (tensor.permute(1, 2, 0, 3) for tensor in (query, key, value))
    mask = None if documents is None else documents.mask
    grouped = heads != key.size(2)
    if isinstance(mask, BlockMask):
        flex = _compiled_flex() if q.is_cuda else flex_attention
        out = flex(q, k, v, block_mask=mask, scale=scale, enable_gqa=grouped)
    else:
        out = F.scaled_dot_product_attention(
            q, k, v, attn_mask=mask, is_causal=mask is None and length > 1, scale=scale, enable_gqa=grouped
        )
    return out.permute(2, 0, 1, 3).reshape(length, batch, heads * head_dim)


def _varlen(query: Tensor, key: Tensor, value: Tensor, documents: Documents, scale: float) -> Tensor:
    length, batch, heads, head_dim = query.shape
    # [s, b, n, d] -> [b*s, n, d]; a view for b = 1
    q, k, v = (tensor.transpose(0, 1).flatten(0, 1) for tensor in (query, key, value))
    lengths, longest = documents.cu_seqlens_q, documents.max_seqlen_q
    # torch's own varlen_attn has no grouped queries in torch 2.11; the function below it has.
    out = torch.ops.aten._flash_attention_forward(
        q, k, v, lengths, lengths, longest, longest, 0.0, True, False, scale=scale
    )[0]
    return out.view(batch, length, heads * head_dim).transpose(0, 1)


class DocumentAttention(MegatronModule):
    """Core attention of megatron-core's layer specs, computed by `attend`."""

    def __init__(
        self,
        config: TransformerConfig,
        layer_number: int,
        attn_mask_type: AttnMaskType,
        attention_type: str,
        attention_dropout: float | None = None,
        softmax_scale: float | None = None,
        cp_comm_type: str | None = None,
        pg_collection: object = None,
    ) -> None:
        super().__init__(config=config)
        assert attn_mask_type == AttnMaskType.causal, attn_mask_type
        self.scale = softmax_scale or config.kv_channels**-0.5

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attention_mask: Tensor | None,
        attn_mask_type: AttnMaskType | None = None,
        attention_bias: Tensor | None = None,
        packed_seq_params: Documents | None = None,
    ) -> Tensor:
        """Run `attend` on [s, b, heads, d] each -> [s, b, heads*d]; `packed_seq_params` holds the mask."""
        assert attention_mask is None
        assert attention_bias is None
        if packed_seq_params is not None and packed_seq_params.cache is not None:
            key, value = packed_seq_params.cache.extend(self, packed_seq_params.first, key, value)
        key, value = context_parallel.gather(key), context_parallel.gather(value)
        return attend(query, key, value, packed_seq_params, self.scale)
