"""Where the jobs after training look for checkpoints."""

from pathlib import Path

import pytest

from configs.command import place_of
from configs.contract import ContractError
from pretrain.run.finished import checkpoint_root, finished_stages


@pytest.mark.parametrize(
    ("input", "output", "expected"),
    [
        ("runs/a", "runs/b", "runs/a"),
        ("file:///runs/a", "s3://bucket/b", "file:///runs/a"),
        ("s3://bucket/a", "runs/b", "runs/b"),
    ],
)
def test_checkpoints_lie_in_a_folder(input: str, output: str, expected: str) -> None:
    assert checkpoint_root(place_of(Path("configs/tiny"), input, output)) == expected


def test_a_run_without_a_stage_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no finished stage; remedy: run make stage1 first"):
        finished_stages(str(tmp_path))
