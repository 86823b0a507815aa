"""The harness's three questions, answered as whole forward passes answer them."""

import sys
from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer

from configs.loader import ConfigError
from pretrain import lm_eval_adapter
from pretrain.lm_eval_adapter import adapter, continuation, known_tasks, loglikelihoods
from tests.pretrain.decoding.test_generate import greedy, whole_pass
from tests.pretrain.model.test_mimo import SMALL, small_model
from tests.pretrain.test_export_hf import write_tokenizer

pytestmark = pytest.mark.usefixtures("single_process")

WORDS = ["<eod>", *(f"w{n}" for n in range(1, SMALL.vocab_size))]


@pytest.fixture
def tokenizer(tmp_path):
    write_tokenizer(str(tmp_path), WORDS)
    return Tokenizer.from_file(str(tmp_path / "tokenizer" / "tokenizer.json"))


@pytest.fixture(scope="module")
def model(single_process):
    return small_model().eval()


def by_hand(model, context, new):
    """Log probability and greedy agreement, a whole forward pass for each token."""
    total, is_greedy = 0.0, True
    for place, token in enumerate(new):
        logits = whole_pass(model, [*context, *new[:place]])
        total += float(logits.log_softmax(-1)[token])
        is_greedy &= int(logits.argmax()) == token
    return total, is_greedy


def test_likelihoods_of_a_batch_are_those_of_each(model, monkeypatch):
    monkeypatch.setattr(lm_eval_adapter, "TOKENS_PER_FORWARD", 24)  # several batches, with padding in them
    said = list(greedy(model, [4, 5], 3))
    requests = [([1, 2, 3], [7]), ([4, 5], said), ([9], [8, 7, 6, 5, 4, 3]), (list(range(20, 40)), [1, 2])]
    found = loglikelihoods(model, requests, 100)
    for (value, is_greedy), (context, new) in zip(found, requests, strict=True):
        expected = by_hand(model, context, new)
        assert value == pytest.approx(expected[0], abs=1e-4)
        assert is_greedy == expected[1]
    assert [is_greedy for _, is_greedy in found][1]
    assert not all(is_greedy for _, is_greedy in found)


def test_long_contexts_lose_their_beginning(model):
    context, new = list(range(1, 31)), [40, 41]
    (found,) = loglikelihoods(model, [(context, new)], 10)
    assert found[0] == pytest.approx(by_hand(model, context[-9:], new)[0], abs=1e-4)


def test_text_ends_before_the_first_stop(model, tokenizer):
    prompt = [3, 14, 15]
    said = greedy(model, prompt, 8)
    words = [WORDS[token] for token in said]
    stop = words[4]
    assert stop not in "".join(words[:4])
    whole = continuation(model, tokenizer, prompt, {"max_gen_toks": 8}, 0, 100)
    assert whole == "".join(words)
    asked = {"until": ["nowhere", stop], "max_gen_toks": 8, "do_sample": False, "temperature": 0.0}
    assert continuation(model, tokenizer, prompt, asked, 0, 100) == "".join(words[:4])


def test_a_missing_harness_is_named(model, tokenizer, monkeypatch):
    monkeypatch.setitem(sys.modules, "lm_eval.api.model", None)
    with pytest.raises(ConfigError, match=r"lm_eval: cannot be imported .* remedy: pip install lm_eval"):
        adapter(model, tokenizer, 0, 100)


def test_a_task_that_the_harness_does_not_know_is_named(tmp_path):
    pytest.importorskip("lm_eval")
    (tmp_path / "own.yaml").write_text("task: own_sums\ndataset_path: json\n")
    assert known_tasks(["own_su*"], tmp_path)[1] == ["own_sums"]
    with pytest.raises(ConfigError, match="--tasks smus: the harness has no such task"):
        known_tasks(["own_sums", "smus"], tmp_path)


def test_the_harness_gets_the_same_answers(model, tokenizer):
    pytest.importorskip("lm_eval")
    lm = adapter(model, tokenizer, 0, 6)
    asked = [SimpleNamespace(args=("w3 w4", " w5")), SimpleNamespace(args=("", "w9 w10"))]
    found = lm.loglikelihood(asked, disable_tqdm=True)
    assert found[0][0] == pytest.approx(by_hand(model, [3, 4], [5])[0], abs=1e-4)
    assert found[1][0] == pytest.approx(by_hand(model, [0], [9, 10])[0], abs=1e-4)
    (rolling,) = lm.loglikelihood_rolling([SimpleNamespace(args=("w1 w2 w3 w4 w5 w6 w7 w8",))])
    # Windows of 6: the first six behind the end-of-document token; then two, their context moved up.
    expected = by_hand(model, [0], [1, 2, 3, 4, 5, 6])[0] + by_hand(model, [2, 3, 4, 5, 6], [7, 8])[0]
    assert rolling == pytest.approx(expected, abs=1e-3)
    (text,) = lm.generate_until([SimpleNamespace(args=("w3 w14", {"until": [], "max_gen_toks": 3}))])
    assert text == "".join(WORDS[token] for token in greedy(model, [3, 14], 3))
