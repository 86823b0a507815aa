"""A run goes on with other parallelism: the same samples, and losses that differ by rounding alone."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pretrain.small_run import write_run
from tests.pretrain.test_train import ROOT, environment, interrupt, trace, train

pytestmark = [pytest.mark.slow, pytest.mark.distributed]

TOLERANCE = 1e-6
"""Relative, over all steps after the resume; measured worst 1.2e-7."""


def train_on_two(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "pretrain.train", "--preset", str(root / "preset")]
    return subprocess.run(
        [*command, "--output", str(root)], cwd=ROOT, env=environment(), capture_output=True, text=True
    )


def halve_heads(preset: Path) -> None:
    """A model whose key-value heads two tensor-parallel ranks can share."""
    path = preset / "model.toml"
    path.write_text(path.read_text().replace("num_query_groups = 1", "num_query_groups = 2"))


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("straight")
    halve_heads(write_run(root))
    assert train(root).returncode == 0
    return root


@pytest.mark.parametrize(("tensor_parallel", "name"), [(1, "data"), (2, "tensor")])
def test_one_process_goes_on_as_two(straight: Path, tmp_path: Path, tensor_parallel: int, name: str) -> None:
    preset = write_run(tmp_path)
    halve_heads(preset)
    assert interrupt(tmp_path, signal.SIGTERM, 6) == 143
    done_before = len(trace(tmp_path))
    config = preset / "train.toml"
    config.write_text(
        config.read_text().replace("tensor_parallel = 1", f"tensor_parallel = {tensor_parallel}")
    )
    done = train_on_two(tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"continuing stage 1 after step {done_before}" in done.stderr
    ours, expected = trace(tmp_path), trace(straight)
    assert len(ours) == len(expected)
    worst = 0.0
    for row, whole in zip(ours, expected, strict=True):
        for key in ("step", "tokens_seen", "train/learning_rate", "train/sequence_length"):
            assert row[key] == whole[key]
        for key in ("train/loss_nats", "train/mtp_loss_nats"):
            worst = max(worst, abs(row[key] / whole[key] - 1))
    print(f"{name} parallel: worst relative difference {worst:.1e}")
    assert worst < TOLERANCE, json.dumps(ours[-1])
    assert os.path.exists(tmp_path / "checkpoints/stage3/run.json")
