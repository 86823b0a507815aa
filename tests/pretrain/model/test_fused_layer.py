"""The fused layer and its products against megatron-core's layer, in fp32 on the CPU."""

import pytest
import torch

from pretrain.model import fused_layer, weight_gradient
from pretrain.model.attention import documents_of
from tests.pretrain.model.test_mimo import SMALL, packed_batches, small_model

pytestmark = pytest.mark.usefixtures("single_process")


def layer_and_inputs():
    """A decoder layer with biases that are not zero, hidden states [s, b, h], angles, packed documents."""
    model, batch = small_model(), packed_batches()[0]
    layer = model.decoder.layers[0]
    torch.nn.init.normal_(layer.self_attention.linear_qkv.bias)
    length = batch.tokens.size(1)
    hidden = torch.randn(length, len(batch.tokens), SMALL.hidden_size, requires_grad=True)
    documents = documents_of(batch.document_starts, batch.cu_seqlens, torch.float32)
    return layer, hidden, model.rotary_pos_emb(length), documents


def results(run, layer, hidden):
    out = run()
    direction = torch.randn(out.shape, generator=torch.Generator().manual_seed(3))
    inputs = [hidden, *layer.parameters()]
    return [out, *torch.autograd.grad((out * direction).sum(), inputs)]


def test_the_fused_layer_is_megatrons_layer():
    layer, hidden, angles, documents = layer_and_inputs()
    plain = results(
        lambda: layer(hidden, None, rotary_pos_emb=angles, packed_seq_params=documents)[0], layer, hidden
    )
    fused = results(lambda: layer.fused(hidden, angles, documents), layer, hidden)
    for ours, expected in zip(fused, plain, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_weight_gradients_go_to_the_buffer_and_stay_unrounded():
    """Two thousand additions of 1/512: in bf16 the sum would stop at 1, where 1/512 is lost."""
    weight = torch.zeros(1, 1, dtype=torch.bfloat16, requires_grad=True)
    weight.main_grad = torch.zeros(1, 1)
    grad, inputs = torch.full((1, 1), 1 / 512).bfloat16(), torch.ones(1, 1).bfloat16()
    for _ in range(2000):
        weight_gradient.of_weight(weight, grad, inputs)
    assert weight.grad_added_to_main_grad
    assert float(weight.main_grad) == 2000 / 512


def test_an_embeddings_gradient_is_the_sum_over_its_tokens():
    weight = torch.arange(12.0).view(4, 3).requires_grad_()
    weight.main_grad = torch.zeros(4, 3)
    tokens = torch.tensor([[1, 3, 1], [0, 1, 3]])
    out = weight_gradient.lookup(weight, tokens)
    assert torch.equal(out, weight.detach()[tokens].transpose(0, 1))
    out.backward(torch.ones_like(out))
    assert weight.main_grad[:, 0].tolist() == [1.0, 3.0, 0.0, 2.0]


def test_the_activation_is_computed_again_as_it_was():
    joined = torch.randn(5, 8)
    again, _ = fused_layer.swiglu_backward(joined, torch.randn(5, 4))
    torch.testing.assert_close(again, fused_layer.swiglu(joined))
