"""Samples are a function of plan, tokens and seed: shares, passes, windows, masks, by hand and by law."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from configs.tokens.blocks import digests_of
from pretrain.plan.schedule import Step
from pretrain.plan.token_files import TokenFile, TokenRange
from pretrain.run.samples import Rows, StageData, Stream, micro_batches, open_stage
from tests.pretrain.small_run import EOD, write_run

LENGTH = 4


def stream(length: int, first: int = 0, seed: int = 5, source: str = "web") -> Stream:
    """`length` tokens that are their own places in a bucket of two shards."""
    tokens = np.arange(first + length)
    cut = len(tokens) // 3
    shards = tuple(
        TokenFile(
            "", part, np.array([0, len(part)]), digests_of(part.tobytes(), True).blocks, np.zeros(1, bool)
        )
        for part in (tokens[:cut], tokens[cut:])
    )
    return Stream(TokenRange("bucket", source, 1.0, shards, first, length, EOD), seed)


def stage(weights: list[float], lengths: list[int]) -> StageData:
    ends = [int(end * 2.0**64) for end in np.cumsum(weights)]
    shares = np.array([min(end, 2**64 - 1) for end in ends[:-1]] + [2**64 - 1], np.uint64)
    return StageData(tuple(stream(length) for length in lengths), shares, phase=77, eod=EOD)


def step(num_sequences: int, tokens: int | None = None) -> Step:
    taken = num_sequences * LENGTH if tokens is None else tokens
    return Step(0, 1, 0, taken, num_sequences, LENGTH, 10_000, 1e-3, 0.3)


def test_the_first_pass_reads_the_range_as_it_lies() -> None:
    made = stream(13, first=7)
    assert made.window(0, LENGTH).tolist() == [7, 8, 9, 10, 11]
    assert made.window(2, LENGTH).tolist() == [15, 16, 17, 18, 19]  # the 13th token is left over


@pytest.mark.parametrize("length", [12, 13, 64, 1001])
def test_every_later_pass_takes_every_window_once_and_wraps(length: int) -> None:
    made, per_pass = stream(length), length // LENGTH
    for number in (1, 2, 3):
        windows = [made.window(number * per_pass + k, LENGTH) for k in range(per_pass)]
        taken = np.concatenate([window[:-1] for window in windows])
        assert len(set(taken.tolist())) == per_pass * LENGTH
        assert all((np.diff(window) % length == 1).all() for window in windows)
    assert made.window(per_pass, LENGTH).tolist() != made.window(2 * per_pass, LENGTH).tolist()


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_later_passes_visit_the_windows_in_another_order_each_time(seed: int) -> None:
    """Not the order in which they lie: the next window is some other step away, and in each pass another."""
    made, per_pass = stream(1004, seed=seed), 251
    distances = []
    for number in range(4):
        begins = [int(made.window(number * per_pass + k, LENGTH)[0]) for k in range(per_pass)]
        distances.append(np.bincount(np.diff(begins) % 1004).argmax())
    assert distances[0] == LENGTH  # the first pass reads them one after the other
    assert LENGTH not in distances[1:]
    assert len(set(distances)) == 4


def test_a_range_shorter_than_a_window_is_read_round_and_round() -> None:
    assert stream(3).window(0, LENGTH).tolist() == [0, 1, 2, 0, 1]


@pytest.mark.parametrize("weights", [[0.5, 0.5], [0.7, 0.3], [0.01, 0.29, 0.7], [1.0]])
def test_shares_are_met_at_every_length(weights: list[float]) -> None:
    data = stage(weights, [100] * len(weights))
    chosen = data.choices(0, 5000)
    counts = np.stack([np.cumsum(chosen == bucket) for bucket in range(len(weights))])
    wanted = np.outer(weights, np.arange(1, 5001))
    assert np.abs(counts - wanted).max() < 3  # measured worst 2.0: golden-ratio steps are the most even


def test_counts_of_what_was_drawn_equal_the_loop() -> None:
    data = stage([0.6, 0.4], [100, 60])
    drawn = data.drawn(0)
    for first, count in ((0, 3), (3, 1), (4, 7)):
        data.sequences(first, count, drawn, LENGTH)
        assert drawn.tolist() == data.drawn(first + count).tolist()


def test_sources_are_named_in_order() -> None:
    shares = np.array([2**63, 2**64 - 1], np.uint64)
    streams = (stream(20), stream(20, source="code"))
    data = StageData(streams, shares, 77, EOD)
    assert data.sources == ("code", "web")
    rows = data.sequences(0, 8, data.drawn(0), LENGTH)
    drawn_from = [data.streams[choice].taken.source for choice in data.choices(0, 8)]
    assert [data.sources[number] for number in rows.sources] == drawn_from


def test_masks_by_hand() -> None:
    """Tokens 1 2 | 0 ends the document | 3 4: the EOD predicts nothing, the next document starts after it."""
    rows = Rows(np.array([[1, 2, EOD, 3, 4]]), np.array([0]))
    [batch] = micro_batches(step(1), rows, EOD, 1, 0, 1)
    assert batch.tokens.tolist() == [[1, 2, 0, 3]]
    assert batch.labels.tolist() == [[2, 0, 3, 4]]
    assert batch.loss_mask.tolist() == [[True, True, False, True]]
    assert batch.document_starts.tolist() == [[True, False, False, True]]
    assert batch.cu_seqlens.tolist() == [0, 3, 4]


def test_a_stage_that_ends_inside_a_row_masks_the_rest() -> None:
    rows = Rows(np.arange(1, 11).reshape(2, 5), np.array([0, 0]))
    [batch] = micro_batches(step(2, tokens=6), rows, EOD, 2, 0, 1)
    assert batch.loss_mask.tolist() == [[True] * 4, [True, True, False, False]]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [1, 2])
def test_ranks_share_the_batch_without_loss_or_repeat(ranks: int, size: int) -> None:
    rows = Rows(np.arange(1, 36).reshape(7, 5), np.arange(7))
    batches = [
        batch for rank in range(ranks) for batch in micro_batches(step(7), rows, EOD, size, rank, ranks)
    ]
    assert len({len(micro_batches(step(7), rows, EOD, size, rank, ranks)) for rank in range(ranks)}) == 1
    counted = [
        row.tolist()
        for batch in batches
        for row, mask in zip(batch.tokens, batch.loss_mask, strict=True)
        if mask.any()
    ]
    assert sorted(counted) == rows.tokens[:, :-1].tolist()
    sources = [int(s) for b in batches for s, m in zip(b.sources, b.loss_mask, strict=True) if m.any()]
    assert sorted(sources) == list(range(7))


def test_the_trace_depends_on_the_seed_alone(tmp_path: Path) -> None:
    write_run(tmp_path / "a")
    write_run(tmp_path / "b")

    def trace(root: Path, seed: int) -> str:
        data = open_stage(str(root), 2, seed)
        return hashlib.sha256(data.sequences(0, 40, data.drawn(0), 64).tokens.tobytes()).hexdigest()

    assert trace(tmp_path / "a", 7) == trace(tmp_path / "b", 7)
    assert trace(tmp_path / "a", 7) != trace(tmp_path / "a", 8)


def test_no_stage_repeats_what_another_has_seen(tmp_path: Path) -> None:
    write_run(tmp_path)
    seen: list[set[tuple[str, int]]] = []
    for number in (1, 2, 3):
        data = open_stage(str(tmp_path), number, 7)
        drawn, places = data.drawn(0), set()
        for choice in data.choices(0, 60):
            one = data.streams[choice]
            places |= {(one.taken.bucket, int(place)) for place in one.places(int(drawn[choice]), 64)}
            drawn[choice] += 1
        seen.append(places)
    assert all(seen)
    assert sum(map(len, seen)) == len(set.union(*seen))
