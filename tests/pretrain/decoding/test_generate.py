"""Decoding gives the tokens, or the distribution, of whole forward passes, with drafts or without."""

import itertools

import pytest
import torch

from configs.loader import ConfigError
from pretrain.decoding.generate import Draft, distribution, generate, one_document, verify
from pretrain.model.mtp import append_copies
from tests.pretrain.model.test_mimo import SMALL, small_model

pytestmark = pytest.mark.usefixtures("single_process")

CYCLE = [3, 14, 15, 9, 26, 5, 35, 8]


def trained_model(steps=60):
    """A model that has learnt to repeat CYCLE, with both heads."""
    from pretrain.model.batch import make_batch
    from pretrain.model.loss import forward_step, global_counts

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


def whole_pass(model, tokens):
    """Main logits [v] after `tokens`, without a cache."""
    with torch.no_grad():
        return model.logits(model(one_document(torch.tensor([tokens]))).hidden[-1, 0])


def greedy(model, prompt, num_new):
    """The tokens of greedy decoding, one whole forward pass each."""
    tokens = list(prompt)
    for _ in range(num_new):
        tokens.append(int(whole_pass(model, tokens).argmax()))
    return tuple(tokens[len(prompt) :])


def with_layers(model, num_layers):
    """More MTP layers, all with some noise."""
    append_copies(model.mtp, num_layers - 1)
    with torch.no_grad():
        for layer in model.mtp.layers:
            for parameter in layer.parameters():
                parameter.add_(0.4 * torch.randn_like(parameter))
    return model


def test_a_trained_draft_halves_the_passes(trained):
    prompt = (CYCLE * 2)[:9]
    plain, drafted = generate(trained, prompt, 20), generate(trained, prompt, 20, num_drafts=1)
    assert plain.tokens == tuple((CYCLE * 5)[9:29])
    assert drafted.tokens == plain.tokens
    assert (plain.forward_passes, plain.verified, plain.drafted) == (20, (), 0)
    # The first pass has no draft; every other one checks a draft and gives two tokens; the last token comes
    # alone.
    assert (drafted.forward_passes, drafted.verified, drafted.accepted) == (11, (9,), (9,))
    assert drafted.drafted == 8  # the first is left out with its time
    assert drafted.pass_seconds > 0.0
    assert drafted.draft_seconds > 0.0


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("num_drafts", [0, 1, 2, 3])
def test_greedy_tokens_are_those_of_whole_passes(num_layers, num_drafts):
    model = with_layers(small_model().eval(), num_layers)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        prompt = torch.randint(0, 90, (1 + 3 * seed,), generator=generator).tolist()
        found = generate(model, prompt, 12, num_drafts=num_drafts)
        assert found.tokens == greedy(model, prompt, 12)
        assert found.forward_passes + sum(found.accepted) == 12
        for (checked, accepted), (behind, _) in itertools.pairwise(
            zip(found.verified, found.accepted, strict=True)
        ):
            assert accepted <= checked
            assert behind <= accepted


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_cached_drafts_are_those_of_whole_passes(trained, num_layers, monkeypatch):
    """Every draft against layers that run over the whole text, on texts where some stand and some fall."""
    from pretrain.decoding import generate as module

    model = small_model().eval()
    model.load_state_dict(trained.state_dict())
    model = with_layers(model, num_layers)
    made = []

    class Recorded(module._Text):
        def draft(self, num):
            drafts = super().draft(num)
            made.append((list(self.tokens), [draft.word for draft in drafts]))
            return drafts

    monkeypatch.setattr(module, "_Text", Recorded)
    found = generate(model, [*CYCLE[:3], 40, 41, *CYCLE[:2]], 24, num_drafts=3)
    assert 0 < sum(found.accepted) < sum(found.verified)
    for tokens, drafts in made:
        assert drafts == whole_drafts(model, tokens, len(drafts))


def whole_drafts(model, tokens, num):
    """Drafts 1 to `num` after `tokens` by the definition: layer j at the last read position reads x_{t+j}.

    Beyond the last layer: that layer over its outputs of the drafts before, put behind the text's.
    """
    last, found = len(model.mtp.layers) - 1, []
    with torch.no_grad():
        states = model(one_document(torch.tensor([tokens[:-1]])))
        hidden = states.for_draft
        for place in range(num):
            layer = min(place, last)
            following = torch.tensor([[*tokens, *found][layer + 1 :]])
            batch = one_document(following)
            wider = model(batch)  # for its documents and rotary angles alone
            output = model.draft(wider._replace(for_draft=hidden), following, layer)
            found.append(int(model.logits(output[-1, 0]).argmax()))
            if place >= last:
                hidden = torch.cat([hidden, output[-1:]])
    return found


def test_drafts_with_the_other_convention_give_the_same_tokens(trained):
    prompt = (CYCLE * 2)[:9]
    trained.model_config = SMALL.model_copy(update={"mtp_hidden": "megatron"})
    try:
        assert generate(trained, prompt, 20, num_drafts=2).tokens == tuple((CYCLE * 5)[9:29])
    finally:
        trained.model_config = SMALL


@pytest.mark.parametrize("num_drafts", [0, 1, 3])
def test_the_end_of_a_document_is_the_last_token(trained, num_drafts):
    found = generate(trained, CYCLE[:4], 20, num_drafts=num_drafts, eod_id=CYCLE[1])
    assert found.tokens == (26, 5, 35, 8, 3, 14)


def test_a_model_without_a_draft_layer_says_so():
    model = small_model(SMALL.model_copy(update={"mtp_num_layers": 0})).eval()
    assert generate(model, [1, 2], 3).tokens == greedy(model, [1, 2], 3)
    with pytest.raises(ConfigError, match="mtp_num_layers is 0"):
        generate(model, [1, 2], 3, num_drafts=1)


def chi_square(counts, probabilities):
    """Pearson's statistic of counts; words expected less than 5 times are taken together."""
    expected = probabilities * counts.sum()
    rare = expected < 5
    pairs = [*zip(counts[~rare], expected[~rare], strict=True), (counts[rare].sum(), expected[rare].sum())]
    return float(sum((c - e) ** 2 / e for c, e in pairs if e > 0)), len(pairs) - 1


def test_judged_tokens_are_distributed_as_the_main_heads():
    generator = torch.Generator().manual_seed(0)
    wanted, proposed = torch.randn(2, 2, 6, generator=generator).mul(1.5).softmax(-1)
    firsts, seconds, drawn = torch.zeros(6), torch.zeros(6), 8000
    for _ in range(drawn):
        words = torch.multinomial(proposed, 1, generator=generator).flatten().tolist()
        drafts = [Draft(word, row) for word, row in zip(words, proposed, strict=True)]
        new = verify(torch.cat([wanted, wanted[:1]]), drafts, generator)
        firsts[new[0]] += 1
        if len(new) > 1:  # given that the first stood, the second is the main head's as well
            seconds[new[1]] += 1
    # Chi-square with 5 degrees of freedom exceeds 20.5 once in 1,000; the seed is fixed.
    assert chi_square(firsts, wanted[0])[0] < 20.5
    assert chi_square(seconds, wanted[1])[0] < 20.5
    # A draft stands with probability sum min(p, q); three standard deviations of 8,000.
    overlap = float(torch.minimum(wanted[0], proposed[0]).sum())
    assert abs(float(seconds.sum()) / drawn - overlap) < 3 * (overlap * (1 - overlap) / drawn) ** 0.5


def test_sampled_text_is_distributed_as_the_model(single_process):
    """Two tokens of a four-word model: counts of all 16 pairs against the products of its probabilities."""
    model = small_model(SMALL.model_copy(update={"vocab_size": 4, "num_layers": 1, "init_std": 0.4})).eval()
    prompt, temperature, drawn = [1, 3, 2], 1.5, 300
    first = distribution(whole_pass(model, prompt), temperature)
    rows = [distribution(whole_pass(model, [*prompt, word]), temperature) for word in range(4)]
    expected = (first[:, None] * torch.stack(rows)).flatten()
    counts, stood, fell = torch.zeros(16), 0, 0
    for seed in range(drawn):
        found = generate(model, prompt, 3, num_drafts=2, temperature=temperature, seed=seed)
        counts[found.tokens[0] * 4 + found.tokens[1]] += 1
        stood += found.accepted[0]
        fell += found.verified[0] - found.accepted[0]
    assert min(stood, fell) > drawn / 20  # both ways to a second token were taken
    statistic, freedom = chi_square(counts, expected)
    # Mean `freedom`, standard deviation sqrt(2 freedom): four of them.
    limit = freedom + 4 * (2 * freedom) ** 0.5
    assert statistic < limit
    assert chi_square(counts, expected.view(4, 4).t().flatten())[0] > 2 * limit


def test_distributions_by_hand():
    logits = torch.tensor([0.0, 2.0, 1.0]).log()
    assert distribution(logits, 0.0).tolist() == [0.0, 1.0, 0.0]
    torch.testing.assert_close(distribution(logits, 1.0), torch.tensor([0.0, 2 / 3, 1 / 3]))
    torch.testing.assert_close(distribution(logits, 0.5), torch.tensor([0.0, 0.8, 0.2]))
