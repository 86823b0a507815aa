"""Who holds which positions; that two ranks a row train as one does is tested in test_model.py."""

import pytest
import torch
from megatron.core import parallel_state

from pretrain.model import context_parallel
from pretrain.model.attention import dense_mask

pytestmark = pytest.mark.usefixtures("single_process")


@pytest.fixture
def two_ranks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """As seen from either of two ranks; set the number in the list."""
    rank = [0]
    monkeypatch.setattr(parallel_state, "get_context_parallel_world_size", lambda: 2)
    monkeypatch.setattr(parallel_state, "get_context_parallel_rank", lambda: rank[0])
    return rank


def test_places_by_hand(two_ranks: list[int]) -> None:
    assert context_parallel.places(8).tolist() == [0, 1, 6, 7]
    two_ranks[0] = 1
    assert context_parallel.places(8).tolist() == [2, 3, 4, 5]
    assert context_parallel.places(8, 0).tolist() == [0, 1, 6, 7]
    assert context_parallel.local(torch.arange(10, 18).view(1, 8), 1).tolist() == [[12, 13, 14, 15]]


def test_both_ranks_have_the_same_causal_work(two_ranks: list[int]) -> None:
    starts = torch.zeros(1, 16, dtype=torch.bool)
    seen = []
    for rank in (0, 1):
        two_ranks[0] = rank
        seen.append(int(dense_mask(starts).sum()))
    assert seen == [68, 68]  # half of 16 x 17 / 2


def test_a_lone_rank_keeps_everything() -> None:
    values = torch.arange(6).view(2, 3)
    assert context_parallel.local(values, 1) is values
    assert context_parallel.gather(values) is values
