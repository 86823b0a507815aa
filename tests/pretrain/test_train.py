"""Three stages in one run; killed anywhere, the same losses to the last digit; a second run does nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.pretrain.small_run import STAGE_TOKENS, write_bucket, write_run

ROOT = Path(__file__).parents[2]


def command(root: Path, *options: str) -> list[str]:
    module = [sys.executable, "-m", "pretrain.train"]
    return [*module, "--preset", str(root / "preset"), "--output", str(root), *options]


def train(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(root, *options), cwd=ROOT, env=environment(), capture_output=True, text=True
    )


def environment() -> dict[str, str]:
    path = os.pathsep.join((str(ROOT), os.environ.get("PYTHONPATH", "")))
    return os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def trace(root: Path) -> list[dict[str, float]]:
    """metrics.jsonl without the fields that clocks decide."""
    rows = [json.loads(line) for line in (root / "train/metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def interrupt(root: Path, number: int, after_step: int) -> int:
    """Start training, send a signal once a step is logged, return the exit code."""
    with subprocess.Popen(command(root), cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL) as process:
        log = root / "train/metrics.jsonl"
        while process.poll() is None:
            if log.is_file() and len(log.read_text().splitlines()) >= after_step:
                process.send_signal(number)
                break
            time.sleep(0.005)
        return process.wait(60)


@pytest.mark.slow
def test_every_stage_takes_its_tokens_and_both_losses_fall(straight: Path) -> None:
    rows = trace(straight)
    assert [row["step"] for row in rows] == list(range(1, len(rows) + 1))
    ends = {row["stage"]: row["tokens_seen"] for row in rows}
    assert ends == {1: STAGE_TOKENS[0], 2: sum(STAGE_TOKENS[:2]), 3: sum(STAGE_TOKENS)}
    assert {row["stage"]: row["train/sequence_length"] for row in rows} == {1: 64, 2: 64, 3: 128}
    assert {row["stage"]: row["train/rotary_base"] for row in rows} == {1: 10_000, 2: 10_000, 3: 640_000}
    assert [row["train/mtp_loss_weight"] for row in rows if row["tokens_seen"] <= 1024][-1] == 0.3
    assert rows[-1]["train/mtp_loss_weight"] == 0.1
    for name in ("train/loss_nats", "train/mtp_loss_nats"):
        assert rows[-1][name] < 0.6 * rows[0][name]


@pytest.mark.slow
def test_a_second_run_does_nothing(straight: Path) -> None:
    before = (straight / "train/metrics.jsonl").stat().st_mtime_ns
    done = train(straight)
    assert done.returncode == 0
    assert "up to date" in done.stderr
    assert (straight / "train/metrics.jsonl").stat().st_mtime_ns == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "after_step", "code"),
    [(signal.SIGKILL, 13, -signal.SIGKILL), (signal.SIGTERM, 6, 143)],
)
def test_a_killed_run_goes_on_to_the_same_losses(
    straight: Path, tmp_path: Path, number: int, after_step: int, code: int
) -> None:
    write_run(tmp_path)
    assert interrupt(tmp_path, number, after_step) == code
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "continuing" in done.stderr
    assert "Warning" not in done.stderr  # nothing that the pinned megatron-core says at every start
    assert trace(tmp_path) == trace(straight)


@pytest.mark.slow
def test_other_tokens_start_the_training_again(straight: Path, tmp_path: Path) -> None:
    preset = write_run(tmp_path)
    text = (preset / "schedule.toml").read_text()
    (preset / "schedule.toml").write_text(text.replace("seed = 7", "seed = 8"))
    assert train(tmp_path).returncode == 0
    assert trace(tmp_path) != trace(straight)


def test_a_stage_waits_for_the_one_before(tmp_path: Path) -> None:
    write_run(tmp_path)
    done = train(tmp_path, "--stage", "2")
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("stage 1 is not finished; remedy: run make stage1 first")
    assert not (tmp_path / "checkpoints").exists()


def test_a_plan_that_does_not_fit_its_tokens_is_refused(tmp_path: Path) -> None:
    write_run(tmp_path)
    write_bucket(tmp_path, "code-high-web", [[5, 6, 0]], shards=1)
    done = train(tmp_path)
    assert done.returncode == 2
    assert "the plan asks for documents 0 to 10 of 1; remedy: run make plan" in done.stderr.splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "num_steps"),
    [
        ("code-high-web/code-high-web_00000.bin", 1),  # the bucket gives the fourth sample, steps take two
        ("mathematics-high-web/mathematics-high-web_00001.bin", 12),  # stage 2 reaches it in its third step
    ],
)
def test_a_damaged_block_ends_the_run_before_its_tokens_reach_the_loss(
    straight: Path, tmp_path: Path, file: str, num_steps: int
) -> None:
    write_run(tmp_path)
    path = tmp_path / "tokens" / file
    data = bytearray(path.read_bytes())
    data[-100] ^= 1
    path.write_bytes(data)
    done = train(tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1] == (
        f"error: {path}: block 0 (from byte 0) is not what tokenize wrote; "
        "remedy: run make tokenize again with --overwrite"
    )
    assert trace(tmp_path) == trace(straight)[:num_steps]
