"""Bits per byte, agreement and acceptance, by hand and against loops."""

import math

import pytest
import torch
from tokenizers import Tokenizer

from pretrain.decoding.generate import generate, one_document
from pretrain.run import heldout
from pretrain.run.heldout import HeldOut, greedy_acceptance, heldout_scores, make_sample, predict
from tests.pretrain.decoding.test_generate import CYCLE
from tests.pretrain.model.test_mimo import SMALL, small_model
from tests.pretrain.test_export_hf import write_tokenizer

pytestmark = pytest.mark.usefixtures("single_process")

WORDS = ["<eod>", *(f"{'ab' * (n % 3 + 1)}{n}" for n in range(1, SMALL.vocab_size))]


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(str(tmp_path / "words"), WORDS)
    return Tokenizer.from_file(str(tmp_path / "words" / "tokenizer" / "tokenizer.json"))


def test_packing_by_hand(tokenizer):
    sample = make_sample([[5, 6, 7], [8, 9], [10, 11, 12, 13]], tokenizer, length=4)
    (batch,) = sample.batches
    assert batch.tokens.tolist() == [[5, 6, 8, 10], [11, 12, 0, 0]]
    assert batch.labels.tolist() == [[6, 7, 9, 11], [12, 13, 0, 0]]
    assert batch.loss_mask.int().tolist() == [[1, 1, 1, 1], [1, 1, 0, 0]]
    assert batch.document_starts.int().tolist() == [[1, 0, 1, 1], [1, 0, 1, 1]]
    # The first word of a document is not predicted and its bytes do not count.
    assert sample.num_bytes == sum(len(WORDS[n]) for n in (6, 7, 9, 11, 12, 13))
    assert sample.prompts.numel() == 0


def test_bits_per_byte_of_a_model_that_knows_nothing(tokenizer):
    model = small_model().eval()
    torch.nn.init.zeros_(model.output_layer.weight)
    document = [3, 8, 21, 40, 2, 77]
    scores = heldout_scores(model, make_sample([document], tokenizer, length=4))
    num_bytes = sum(len(WORDS[n]) for n in document[1:])
    assert scores.bits_per_byte == pytest.approx(5 * math.log2(SMALL.vocab_size) / num_bytes, rel=1e-6)
    assert (scores.num_tokens, scores.num_bytes) == (5, num_bytes)
    # Every head says word 0 everywhere: they agree, and are never right.
    assert (scores.main_accuracy, scores.mtp_accuracy, scores.agreement) == (0.0, 0.0, 1.0)
    assert scores.greedy_acceptance is None


def test_scores_equal_the_loop(tokenizer):
    model = small_model().eval()
    generator = torch.Generator().manual_seed(4)
    documents = [torch.randint(1, 90, (n,), generator=generator).tolist() for n in (9, 2, 7)]
    length = 30  # every document in one row, uncut
    sample = make_sample(documents, tokenizer, length)
    scores = heldout_scores(model, sample, with_overlap=True)
    assert heldout_scores(model, sample).sampling_overlap is None
    nats, right, agreeing, drafts, shared = 0.0, [0, 0], 0, 0, 0.0
    for text in documents:
        tokens = torch.tensor([text[:-1]])
        with torch.no_grad():
            states = model(one_document(tokens))
            following = torch.tensor([[*text[1:-1], 0]])
            main = model.logits(states.hidden)[:, 0].log_softmax(-1)
            logits = model.logits(model.draft(states, following))[:, 0]
        draft, q = logits.argmax(-1).tolist(), logits.softmax(-1)
        best = main.argmax(-1).tolist()
        for t, label in enumerate(text[1:]):
            nats -= float(main[t, label])
            right[0] += best[t] == label
        for t in range(len(text) - 2):
            drafts += 1
            right[1] += draft[t] == text[t + 2]
            agreeing += draft[t] == best[t + 1]
            shared += float(torch.minimum(main[t + 1].exp(), q[t]).sum())
    assert scores.bits_per_byte == pytest.approx(nats / math.log(2) / scores.num_bytes, rel=1e-5)
    assert scores.main_accuracy == pytest.approx(right[0] / 15)
    assert (drafts, scores.mtp_accuracy) == (12, pytest.approx(right[1] / 12))
    assert scores.agreement == pytest.approx(agreeing / 12)
    assert scores.sampling_overlap == pytest.approx(shared / 12, rel=1e-5)


def test_a_trained_draft_is_accepted_and_a_blind_one_is_not(trained):
    prompts = torch.tensor([(CYCLE * 2)[i : i + 9] for i in range(4)])
    assert greedy_acceptance(trained, prompts) == 1.0
    state = trained.mtp.layers[0].eh_proj.weight.detach().clone()
    with torch.no_grad():
        try:
            trained.mtp.layers[0].eh_proj.weight.zero_()
            blind = greedy_acceptance(trained, prompts)
        finally:
            trained.mtp.layers[0].eh_proj.weight.copy_(state)
    assert blind < 0.5


def test_agreement_compares_words_of_the_same_position(trained, tokenizer):
    scores = heldout_scores(trained, make_sample([(CYCLE * 3)[:20]], tokenizer, length=24))
    assert (scores.main_accuracy, scores.mtp_accuracy, scores.agreement) == (1.0, 1.0, 1.0)


def test_acceptance_equals_the_loop():
    model = small_model().eval()
    prompt = torch.randint(1, 90, (1, 6), generator=torch.Generator().manual_seed(8))
    said = generate(model, prompt[0].tolist(), heldout.NEW_TOKENS).tokens
    text = [*prompt[0].tolist(), *said]
    accepted = 0
    for end in range(7, len(text)):  # x_{end-1} is the first unseen word's predecessor
        known = torch.tensor([text[: end - 1]])
        with torch.no_grad():
            states = model(one_document(known))
            draft = model.draft(states, torch.tensor([text[1:end]]))
        accepted += int(model.logits(draft[-1, 0]).argmax()) == text[end]
    assert greedy_acceptance(model, prompt) == pytest.approx(accepted / (heldout.NEW_TOKENS - 1))


def test_prediction_in_chunks(monkeypatch):
    model = small_model().eval()
    hidden = torch.randn(7, 2, 32, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 90, (2, 7), generator=torch.Generator().manual_seed(1))
    whole = predict(model, hidden, labels)
    monkeypatch.setattr(heldout, "HEAD_CHUNK_TOKENS", 3)
    parts = predict(model, hidden, labels)
    torch.testing.assert_close(parts[0], whole[0])
    assert torch.equal(parts[1], whole[1])
    logits = model.logits(hidden)  # [s, b, v]
    expected = torch.nn.functional.cross_entropy(logits[2, 1], labels[1, 2])
    torch.testing.assert_close(whole[0][1, 2], expected)


def test_a_running_model_is_measured_as_a_finished_one(trained, tokenizer):
    sample = make_sample([(CYCLE * 3)[:20]], tokenizer, length=24)
    trained.train()
    try:
        found = HeldOut({"code": sample}).measure(trained)
        assert trained.training
    finally:
        trained.eval()
    assert found["heldout/code/bits_per_byte"] == heldout_scores(trained, sample).bits_per_byte
    assert found["heldout/code/agreement"] == 1.0
    assert not any("num_" in name for name in found)
