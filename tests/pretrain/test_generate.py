"""Self-speculative decoding gives plain greedy's tokens, and counts its drafts right."""

import pytest
import torch

from pretrain.generate import Generation, greedy, speculative
from tests.pretrain.test_model import SMALL, small_model

pytestmark = pytest.mark.usefixtures("single_process")

CYCLE = [3, 14, 15, 9, 26, 5, 35, 8]


def trained_model(steps=60):
    """A model that has learnt to repeat CYCLE, with both heads."""
    from pretrain.loss import forward_step, global_counts, make_batch

    torch.manual_seed(0)
    model = small_model(SMALL.model_copy(update={"init_std": 0.05}))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    stream = torch.tensor([(CYCLE * 4)[i : i + 25] for i in range(len(CYCLE))])
    ones = torch.ones(len(CYCLE), 24, dtype=torch.bool)
    batch = make_batch(stream[:, :-1], stream[:, 1:], ones, torch.zeros_like(ones))
    step = forward_step(global_counts([batch]), 0.3)
    for _ in range(steps):
        optimizer.zero_grad()
        step(iter([batch]), model)[0].total.backward()
        optimizer.step()
    return model.eval()


@pytest.fixture(scope="module")
def trained(single_process):
    return trained_model()


def test_a_trained_draft_halves_the_passes(trained):
    prompt = (CYCLE * 2)[:9]
    plain, drafted = greedy(trained, prompt, 20), speculative(trained, prompt, 20)
    assert plain.tokens == tuple((CYCLE * 5)[9:29])
    assert drafted.tokens == plain.tokens
    assert plain.forward_passes == 20
    # The first pass has no draft; every other one checks a draft and gives two tokens.
    assert (drafted.forward_passes, drafted.drafted, drafted.accepted) == (11, 10, 10)
    assert drafted.acceptance == 1.0


@pytest.mark.parametrize("seed", range(5))
def test_random_models_give_identical_tokens(seed):
    model = small_model().eval()
    with torch.no_grad():  # small_model seeds itself
        model.output_layer.weight.add_(torch.randn(model.output_layer.weight.shape) * 0.01 * seed)
    prompt = torch.randint(0, 90, (5 + seed,), generator=torch.Generator().manual_seed(seed)).tolist()
    plain, drafted = greedy(model, prompt, 12), speculative(model, prompt, 12)
    assert drafted.tokens == plain.tokens
    assert drafted.forward_passes + drafted.accepted == 12 or drafted.accepted == drafted.drafted
    assert drafted.drafted == drafted.forward_passes - 1


def test_drafts_with_the_other_convention_are_not_accepted(trained):
    trained.model_config = SMALL.model_copy(update={"mtp_hidden": "megatron"})
    try:
        prompt = (CYCLE * 2)[:9]
        assert speculative(trained, prompt, 20).tokens == greedy(trained, prompt, 20).tokens
    finally:
        trained.model_config = SMALL


def test_both_stop_after_the_end_of_document(trained):
    prompt, eod_id = CYCLE[:4], CYCLE[1]
    plain, drafted = (decode(trained, prompt, 20, eod_id) for decode in (greedy, speculative))
    assert plain.tokens == drafted.tokens == (26, 5, 35, 8, 3, 14)


def test_acceptance_without_drafts_is_zero():
    assert Generation((1,), 1, 0, 0).acceptance == 0.0
