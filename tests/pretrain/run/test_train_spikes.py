"""A step that is not finite is skipped and its documents are named; several in a row lead back and past them.

The faults are injected by a fake `reduce_losses`, so that data and arithmetic stay what they are.
"""

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.command import Place
from configs.contract import ContractError
from pretrain import train
from pretrain.run import launch
from pretrain.run.checkpoint import Position
from pretrain.run.lineage import documents_of_samples
from pretrain.run.samples import open_stage
from tests.pretrain.small_run import documents, write_run

pytestmark = [pytest.mark.usefixtures("single_process"), pytest.mark.slow]


@pytest.fixture
def run_with_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[set[int]], list[dict]]:
    """Train in this process; the steps of the given numbers have a loss of NaN. Returns the log."""
    write_run(tmp_path)
    monkeypatch.setattr(launch, "start", lambda config: None)

    def run(faulty: set[int]) -> list[dict]:
        honest, take = train.reduce_losses, train.take_step
        current: list[int] = []

        def lying(*arguments):
            losses = honest(*arguments)
            return losses._replace(main=math.nan) if current[-1] in faulty else losses

        def counting(training, root, data, position: Position, step, drawn):
            current.append(position.step + 1)
            return take(training, root, data, position, step, drawn)

        monkeypatch.setattr(train, "reduce_losses", lying)
        monkeypatch.setattr(train, "take_step", counting)
        train.run(Place(tmp_path / "preset", str(tmp_path), str(tmp_path)))
        return [json.loads(line) for line in (tmp_path / "train/metrics.jsonl").read_text().splitlines()]

    return run


def incidents(root: Path) -> list[dict]:
    return [json.loads(line) for line in (root / "train/incidents.jsonl").read_text().splitlines()]


def test_a_step_without_a_finite_loss_is_skipped_and_its_documents_are_named(
    run_with_faults: Callable[[set[int]], list[dict]], tmp_path: Path
) -> None:
    rows = run_with_faults({6})
    assert [row["step"] for row in rows if row["train/skipped"]] == [6]
    assert len(rows) == 18
    assert all(math.isfinite(row["train/loss_nats"]) for row in rows if row["step"] != 6)
    assert "train/loss_nats" not in rows[5]
    [found] = incidents(tmp_path)
    assert (found["step"], found["what"], found["why"]) == (6, "skipped", "loss is nan")
    # The same samples, counted by hand: steps 1 to 5 took 2, 2, 2, 2, 3 sequences of the ramp.
    taken = sum(row["train/batch_tokens"] // row["train/sequence_length"] for row in rows[:5])
    data = open_stage(str(tmp_path), 1, 7)
    expected = documents_of_samples(
        str(tmp_path), data, taken, rows[5]["train/batch_tokens"] // 64, data.drawn(taken), 64
    )
    assert found["documents"] == expected
    assert any(expected.values())


def test_three_in_a_row_lead_back_to_the_checkpoint_and_past_them(
    run_with_faults: Callable[[set[int]], list[dict]], tmp_path: Path
) -> None:
    rows = run_with_faults({6, 7, 8})  # a checkpoint lies at step 4
    assert [row["step"] for row in rows] == list(range(1, 19))
    assert [row["step"] for row in rows if row["train/skipped"]] == [5, 6, 7, 8]
    assert [entry["what"] for entry in incidents(tmp_path)] == [
        *["skipped"] * 3, "rolled back", *["skipped"] * 4
    ]  # fmt: skip
    assert incidents(tmp_path)[3]["why"] == "to step 4"
    assert {entry["why"] for entry in incidents(tmp_path)[4:]} == {"passed over after a rollback"}


def test_a_run_that_does_not_recover_ends(
    run_with_faults: Callable[[set[int]], list[dict]], tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=r"3 steps skipped up to step 10, rolled back twice to the same"):
        run_with_faults(set(range(5, 11)))


def test_without_a_checkpoint_there_is_no_way_back(
    run_with_faults: Callable[[set[int]], list[dict]], tmp_path: Path
) -> None:
    with pytest.raises(ContractError, match=r"3 steps skipped up to step 3, no checkpoint of this stage"):
        run_with_faults({1, 2, 3})


def test_documents_by_hand(tmp_path: Path) -> None:
    write_run(tmp_path)
    data = open_stage(str(tmp_path), 1, 7)
    found = documents_of_samples(str(tmp_path), data, 0, 4, data.drawn(0), 64)
    texts = {"m": documents(1, 60), "c": documents(2, 30)}
    for bucket, names in found.items():
        letter = bucket[0]
        count = int((data.choices(0, 4) == [s.taken.bucket for s in data.streams].index(bucket)).sum())
        end, expected = 0, []  # the first pass reads the documents as they lie
        for number, text in enumerate(texts[letter]):
            if end < 64 * count:
                expected.append(f"{letter}{number}")
            end += len(text)
        assert names == expected


def test_damaged_spans_name_no_document(tmp_path: Path) -> None:
    write_run(tmp_path)
    path = tmp_path / "tokens/code-high-web/spans.parquet"
    content = bytearray(path.read_bytes())
    content[50] ^= 1
    path.write_bytes(content)
    data = open_stage(str(tmp_path), 1, 7)
    with pytest.raises(
        ContractError, match=r"code-high-web/spans.parquet: not what tokenize wrote; remedy: "
    ):
        documents_of_samples(str(tmp_path), data, 0, 4, data.drawn(0), 64)
