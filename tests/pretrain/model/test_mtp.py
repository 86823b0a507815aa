"""The MTP label shift, by hand, and its inputs."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pretrain.model.batch import make_batch
from pretrain.model.loss import mtp_targets
from pretrain.model.mtp import shift_within_documents


def test_shift_stops_at_documents_and_at_the_row():
    values = torch.tensor([[10, 11, 12, 20, 21], [30, 31, 40, 50, 51]])
    starts = torch.tensor([[1, 0, 0, 1, 0], [1, 0, 1, 1, 0]]).bool()
    shifted = shift_within_documents(values, starts, fill=-1)
    assert shifted.tolist() == [[11, 12, -1, 21, -1], [31, -1, -1, 51, -1]]


def test_targets_are_two_tokens_ahead_inside_the_document():
    # Documents A = 10 11 12, B = 20 21, cut by the row; the stream goes on with 22.
    batch = make_batch(
        torch.tensor([[10, 11, 12, 20, 21]]),
        torch.tensor([[11, 12, 20, 21, 22]]),
        torch.tensor([[1, 1, 0, 1, 1]]),
        torch.tensor([[1, 0, 0, 1, 0]]),
    )
    labels, mask = mtp_targets(batch)
    assert mask.tolist() == [[True, False, False, True, False]]
    assert labels[mask].tolist() == [12, 22]
    assert batch.cu_seqlens.tolist() == [0, 3, 5]


@given(st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=6), min_size=1, max_size=5))
def test_shift_equals_the_loop(documents):
    values = torch.tensor([[token for document in documents for token in document]])
    starts = torch.tensor([[int(i == 0) for document in documents for i in range(len(document))]]).bool()
    expected = [token for document in documents for token in [*document[1:], 0]]
    assert shift_within_documents(values, starts).tolist() == [expected]


@pytest.mark.usefixtures("single_process")
def test_the_draft_ignores_other_documents():
    from tests.pretrain.model.test_mimo import LENGTH, small_model

    model = small_model().eval()
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 90, (2, LENGTH), generator=generator)
    starts = torch.zeros(2, LENGTH, dtype=torch.bool)
    starts[:, 10] = True
    tokens[1, 10:] = tokens[0, 10:]  # same second document after two different first ones
    mask = torch.ones_like(starts)
    with torch.no_grad():
        states = model(make_batch(tokens, tokens, mask, starts))
        draft = model.draft(states, shift_within_documents(tokens, starts))
    for hidden in (states.hidden, draft):
        torch.testing.assert_close(hidden[10:, 0], hidden[10:, 1], atol=1e-5, rtol=0)
        assert float((hidden[:10, 0] - hidden[:10, 1]).abs().max()) > 0.1
