"""What drafts save, by hand from texts whose times are known, and from a model that has learnt its text."""

import pytest
import torch

from pretrain.decoding import acceptance
from pretrain.decoding.acceptance import compare, measure, repeat_fraction, sampled_acceptance
from pretrain.decoding.generate import Generation
from tests.pretrain.decoding.test_generate import CYCLE
from tests.pretrain.model.test_mimo import SMALL, small_model

pytestmark = pytest.mark.usefixtures("single_process")


def test_speed_by_hand():
    words = (1, 2, 3, 4, 5, 6, 7, 8, 9)
    # Eight passes after the first, of half a second.
    plain = [Generation(words, 9, (), (), pass_seconds=4.0, draft_seconds=0.0, drafted=0)]
    # Four after the first: four first drafts are judged, three stand, and of the three behind them one. Six
    # drafts of a tenth of a second.
    drafted = [Generation(words, 5, (4, 3), (3, 1), pass_seconds=2.4, draft_seconds=0.6, drafted=6)]
    served = compare(plain, drafted, 2, 0.0)
    assert served.acceptance == [0.75, pytest.approx(1 / 3)]
    assert served.acceptance_length == 2.0
    assert served.draft_cost == pytest.approx(0.1 / 0.5)
    assert served.modelled_speedup == pytest.approx(2.0 / 1.4)
    assert served.tokens_per_second == pytest.approx(8 / 3.0)
    assert served.measured_speedup == pytest.approx((8 / 3.0) / 2.0)
    never = [Generation(words, 9, (8, 0), (0, 0), pass_seconds=4.0, draft_seconds=1.0, drafted=14)]
    assert compare(plain, never, 2, 0.0).acceptance == [0.0, None]


def test_repeated_words_by_hand():
    assert repeat_fraction([[1, 2, 3, 4, 5]]) == 0.0
    assert repeat_fraction([[7] * 6, [1, 2, 3, 4]]) == 0.5  # [7 7 7 7] three times, one of them new
    assert repeat_fraction([[1, 2]]) == 0.0


def test_a_model_that_knows_its_text_drafts_it(trained, monkeypatch):
    monkeypatch.setattr(acceptance, "SERVED_TOKENS", 20)
    prompts = torch.tensor([(CYCLE * 2)[start : start + 9] for start in range(2)])
    found = measure(trained, prompts)
    assert [way.num_drafts for way in found] == [1, 2, 3, 1, 2, 3]
    assert [way.temperature for way in found] == [0.0, 0.0, 0.0, 1.0, 1.0, 1.0]
    assert found[0].acceptance == [1.0]
    assert found[0].acceptance_length == 2.0
    assert 0.0 < found[0].draft_cost < 5.0
    # The cycle's eight 4-grams are new once in the 17 of each text.
    assert found[0].repeat_fraction == pytest.approx(1 - 8 / 17)
    assert sampled_acceptance(trained, prompts) > 0.9
    assert sampled_acceptance(trained, prompts[:0]) is None
    assert measure(trained, prompts[:0]) == []


def test_without_an_mtp_layer_nothing_is_served():
    model = small_model(SMALL.model_copy(update={"mtp_num_layers": 0})).eval()
    assert measure(model, torch.tensor([[1, 2, 3]])) == []
