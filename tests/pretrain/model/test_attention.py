"""Attention that stops at documents: every implementation against attention of each document alone."""

import pytest
import torch
import torch.nn.functional as F
from torch.nn.attention.flex_attention import create_block_mask

from pretrain.model.attention import Documents, attend, block_mask, choose, dense_mask, documents_of
from pretrain.model.batch import make_batch

LENGTH, BATCH, HEADS, GROUPS, DIM = 160, 2, 4, 2, 16
SCALE = DIM**-0.5
BEGINS = ((0, 1, 50, 159), (0, 100))


def tensors(device="cpu", dtype=torch.float32, requires_grad=True):
    generator = torch.Generator().manual_seed(0)
    shapes = (HEADS, GROUPS, GROUPS)
    made = [torch.randn(LENGTH, BATCH, n, DIM, generator=generator) for n in shapes]
    return [tensor.to(device, dtype).requires_grad_(requires_grad) for tensor in made]


def packed(dtype=torch.float32, device="cpu"):
    starts = torch.zeros(BATCH, LENGTH, dtype=torch.bool)
    for row, begins in enumerate(BEGINS):
        starts[row, list(begins)] = True
    batch = make_batch(starts.long(), starts.long(), starts, starts).to(device)
    return documents_of(batch.document_starts, batch.cu_seqlens, dtype)


def one_document_at_a_time(query, key, value):
    rows = []
    for row, begins in enumerate(BEGINS):
        pieces = []
        for begin, end in zip(begins, [*begins[1:], LENGTH], strict=True):
            q, k, v = (t[begin:end, row].transpose(0, 1) for t in (query, key, value))  # [n, s, d]
            k, v = k.repeat_interleave(HEADS // GROUPS, 0), v.repeat_interleave(HEADS // GROUPS, 0)
            pieces.append(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1))
        rows.append(torch.cat(pieces).reshape(LENGTH, HEADS * DIM))
    return torch.stack(rows, 1)


def compare(documents, device="cpu", dtype=torch.float32):
    """Worst absolute difference of output and of the three gradients."""
    ours, reference = tensors(device, dtype), tensors(device, torch.float32)
    out, expected = attend(*ours, documents, SCALE), one_document_at_a_time(*reference)
    direction = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1)).to(device)
    got = torch.autograd.grad((out.float() * direction).sum(), ours)
    wanted = torch.autograd.grad((expected * direction).sum(), reference)
    pairs = [(out, expected), *zip(got, wanted, strict=True)]
    return [float((a.float() - b).abs().max().detach()) for a, b in pairs]


def test_dense_mask_equals_documents_alone():
    documents = packed()
    assert documents.implementation == "dense"
    assert max(compare(documents)) < 5e-6  # measured worst 9.5e-7


def test_flex_equals_documents_alone():
    documents = packed()
    documents.implementation, documents.mask = "flex", block_mask(documents.starts)
    ours = tensors(requires_grad=False)  # flex has no backward pass on the CPU
    difference = (attend(*ours, documents, SCALE) - one_document_at_a_time(*ours)).abs().max()
    assert float(difference) < 5e-6  # measured worst 6.0e-7


def test_blocks_of_whole_rows_are_those_of_every_pair():
    """Documents that end inside blocks, at their edges, and that span several."""
    starts = torch.zeros(2, 1024, dtype=torch.bool)
    starts[0, [0, 5, 128, 256, 300, 301, 900]] = True
    starts[1, 0] = True
    document = starts.cumsum(-1)
    fast = block_mask(starts)
    slow = create_block_mask(
        lambda b, h, q, k: (q >= k) & (document[b, q] == document[b, k]), 2, None, 1024, 1024, device="cpu"
    )
    assert torch.equal(fast.to_dense(), slow.to_dense())
    for name in ("kv_num_blocks", "full_kv_num_blocks", "q_num_blocks", "full_q_num_blocks"):
        assert torch.equal(getattr(fast, name), getattr(slow, name)), name


def test_one_document_a_row_needs_no_mask():
    starts = torch.zeros(BATCH, LENGTH, dtype=torch.bool)
    batch = make_batch(starts.long(), starts.long(), starts, starts)
    documents = documents_of(batch.document_starts, batch.cu_seqlens, torch.float32)
    assert documents.mask is None
    inputs = tensors(requires_grad=False)
    masked = Documents(mask=dense_mask(batch.document_starts))
    torch.testing.assert_close(attend(*inputs, documents, SCALE), attend(*inputs, masked, SCALE))


def test_dense_mask_by_hand():
    starts = torch.tensor([[1, 0, 1, 0]]).bool()
    expected = [[1, 0, 0, 0], [1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]]
    assert dense_mask(starts)[0, 0].int().tolist() == expected


def test_choice_of_implementation():
    assert choose(torch.device("cpu"), torch.bfloat16) == "dense"
    assert choose(torch.device("cuda"), torch.bfloat16) == "varlen"
    assert choose(torch.device("cuda"), torch.float32) == "flex"
    torch.use_deterministic_algorithms(True)
    assert choose(torch.device("cuda"), torch.bfloat16) == "flex"
    with torch.no_grad():  # nothing to repeat in a forward pass
        assert choose(torch.device("cuda"), torch.bfloat16) == "varlen"
    torch.use_deterministic_algorithms(False)


needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


@needs_cuda
def test_varlen_equals_documents_alone_on_a_gpu():
    documents = packed(torch.bfloat16, "cuda")
    assert documents.implementation == "varlen"
    assert max(compare(documents, "cuda", torch.bfloat16)) < 0.1


@needs_cuda
def test_compiled_flex_equals_documents_alone_on_a_gpu():
    documents = packed(torch.float32, "cuda")
    assert documents.implementation == "flex"
    assert max(compare(documents, "cuda")) < 1e-2  # TF32 products
