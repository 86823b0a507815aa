"""Chunked cross-entropy against torch's, and the arithmetic of a global batch."""

import contextlib
import math

import pytest
import torch
import torch.nn.functional as F

from pretrain.model import compat, loss
from pretrain.model.batch import make_batch
from pretrain.model.loss import Head, chunked_cross_entropy, forward_step, global_counts, reduce_losses
from tests.pretrain.model.test_mimo import SMALL, our_losses, packed_batches, small_model

pytestmark = pytest.mark.usefixtures("single_process")


def two_heads(length=25, rows=2, vocab=40, hidden=16):
    generator = torch.Generator().manual_seed(2)
    weight = torch.randn(vocab + 8, hidden, generator=generator, requires_grad=True)
    heads = []
    for scale in (0.25, 0.03):
        states = torch.randn(length, rows, hidden, generator=generator, requires_grad=True)
        labels = torch.randint(0, vocab, (rows, length), generator=generator)
        mask = torch.rand(rows, length, generator=generator) < 0.7
        heads.append(Head(states, torch.where(mask, labels, -100), mask, scale))
    return weight, heads


def plain(weight, heads, vocab=40):
    """The same total through full logits."""
    sums = [
        torch.stack(
            [
                F.cross_entropy((states @ weight[:vocab].T)[mask], labels[mask], reduction="sum")
                for states, labels, mask in zip(h.hidden.unbind(1), h.labels, h.mask, strict=True)
            ]
        )
        for h in heads
    ]
    return sum(h.scale * s.sum() for h, s in zip(heads, sums, strict=True)), sums


@pytest.mark.parametrize("chunk_tokens", [7, 50, 4096])
def test_chunks_give_torchs_losses_and_gradients(chunk_tokens, monkeypatch):
    monkeypatch.setattr(loss, "HEAD_CHUNK_TOKENS", chunk_tokens)
    weight, heads = two_heads()
    total, sums = chunked_cross_entropy(weight, heads, vocab_size=40)
    inputs = [weight, *(head.hidden for head in heads)]
    ours = torch.autograd.grad(3.0 * total, inputs)
    expected, expected_sums = plain(weight, heads)
    reference = torch.autograd.grad(3.0 * expected, inputs)
    # Measured worst: 1.9e-6 relative on sums near 200, gradients 9.5e-7.
    torch.testing.assert_close(sums, torch.stack(expected_sums), rtol=1e-5, atol=0)
    for a, b in zip(ours, reference, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    assert ours[0][40:].abs().max() == 0.0  # padding rows take no part


def test_no_gradients_are_made_without_autograd():
    weight, heads = two_heads()
    with torch.no_grad():
        total, _ = chunked_cross_entropy(weight, heads, vocab_size=40)
    assert not total.requires_grad
    torch.testing.assert_close(total, plain(weight, heads)[0].detach())


def test_splitting_a_batch_into_micro_batches_changes_nothing():
    """Megatron-LM #1532 and #2417: the MTP gradient grew with the micro-batches, or with their tokens."""
    batches = packed_batches()
    whole = make_batch(*(torch.cat([getattr(b, name) for b in batches]) for name in
                         ("tokens", "labels", "loss_mask", "document_starts")))  # fmt: skip
    model = small_model()
    split, joined = our_losses(model, batches), our_losses(model, [whole])
    assert split[0] == pytest.approx(float(joined[0]), abs=1e-6)
    assert split[1] == pytest.approx(float(joined[1]), abs=1e-6)
    for name, gradient in split[2].items():
        torch.testing.assert_close(gradient, joined[2][name], rtol=0, atol=2e-6)


def test_a_micro_batch_without_a_valid_token_adds_zero():
    """Megatron-Bridge #6103: the MTP loss counted padding; a batch of nothing else was NaN."""
    batches = packed_batches()
    empty = make_batch(
        batches[0].tokens,
        torch.full_like(batches[0].labels, -100),
        torch.zeros_like(batches[0].loss_mask),
        batches[0].document_starts,
    )
    model = small_model()
    alone, beside = our_losses(model, batches), our_losses(model, [*batches, empty])
    assert (alone[0], alone[1]) == (beside[0], beside[1])
    for name, gradient in alone[2].items():
        torch.testing.assert_close(gradient, beside[2][name], rtol=0, atol=0)
    main, mtp, gradients = our_losses(model, [empty])
    assert (main.isnan(), mtp.isnan()) == (True, True)  # 0 / 0 in this test's own division
    assert all(float(gradient.abs().max()) == 0.0 for gradient in gradients.values())
    assert global_counts([empty]) == (0, 0)
    reduced = reduce_losses([torch.zeros(2, len(empty.tokens))], [empty], 1)
    assert reduced[:2] == (0.0, 0.0)
    assert all(math.isnan(value) for value in reduced.by_source[0])


def test_each_head_is_divided_by_its_own_positions():
    model, batches = small_model(), packed_batches()
    counts = global_counts(batches)
    assert counts.mtp < counts.main < 4 * 24
    step = forward_step(counts, 0.3)
    total = sum(step(iter([batch]), model)[0].total.detach() for batch in batches)
    main, mtp, _ = our_losses(model, batches)
    assert float(total) == pytest.approx(float(main + 0.3 * mtp), abs=1e-6)
    assert float(total) != pytest.approx(float(main + 0.3 * mtp * counts.mtp / counts.main), abs=1e-3)


def test_losses_per_source_by_hand():
    """Megatron-Bridge #5947: the logged MTP loss was not the mean over its own positions."""
    tokens = torch.arange(8).view(2, 4)
    mask = torch.tensor([[True, True, False, True], [True, False, False, False]])
    batch = make_batch(tokens, tokens, mask, torch.zeros_like(mask), torch.tensor([2, 0]))
    sums = torch.tensor([[6.0, 5.0], [8.0, 0.0]])
    reduced = reduce_losses([sums], [batch], 3)
    # Main positions 3 and 1; the MTP's are those whose next is valid too: 2 and 0.
    assert reduced.main == 11.0 / 4
    assert reduced.mtp == 8.0 / 2
    assert reduced.by_source[2] == (6.0 / 3, 8.0 / 2)
    assert reduced.by_source[0][0] == 5.0
    assert math.isnan(reduced.by_source[0][1])
    assert all(math.isnan(value) for value in reduced.by_source[1])


def test_logits_never_exist_whole(monkeypatch):
    monkeypatch.setattr(loss, "HEAD_CHUNK_TOKENS", 16)
    monkeypatch.setattr(compat, "plain_functions", contextlib.nullcontext)  # or the mode below sees nothing
    # 100 padded rows: no other matrix of this model is 100 wide.
    model, batches = small_model(SMALL.model_copy(update={"vocab_divisible_by": 50})), packed_batches()
    sizes = []

    class Sizes(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            is_weight = func is torch.Tensor.t
            if isinstance(result, torch.Tensor) and result.shape[-1:] == (100,) and not is_weight:
                sizes.append(result.numel() // 100)
            return result

    with Sizes():
        our_losses(model, batches)
    assert max(sizes) == 16
