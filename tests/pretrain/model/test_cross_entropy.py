"""The CUDA kernels' arithmetic of the cross-entropy against the step-by-step one, run as plain functions."""

import pytest
import torch

from pretrain.model import cross_entropy
from pretrain.model.cross_entropy import Chunk, one_chunk, row_statistics, write_gradient

pytestmark = pytest.mark.usefixtures("single_process")


@pytest.mark.parametrize("vocab_size", [48, 41])
def test_two_kernels_give_the_step_by_step_result(vocab_size, monkeypatch):
    generator = torch.Generator().manual_seed(4)
    weight = torch.randn(48, 16, generator=generator)
    labels = torch.randint(0, vocab_size, (7,), generator=generator)
    mask = torch.tensor([True, True, False, True, True, False, True])
    chunk = Chunk(torch.randn(7, 16, generator=generator), torch.where(mask, labels, -100), mask, 0.5)
    losses, grad = one_chunk(weight, chunk, vocab_size, True)
    monkeypatch.setattr(cross_entropy, "_kernels", lambda: (row_statistics, write_gradient))
    monkeypatch.setattr(cross_entropy, "_step_by_step", cross_entropy._fused)
    fused_losses, fused_grad = one_chunk(weight, chunk, vocab_size, True)
    torch.testing.assert_close(fused_losses, losses, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(fused_grad, grad, rtol=1e-5, atol=1e-6)
    assert not fused_grad[:, vocab_size:].any()
