"""The training log: a line a step, cut back on resume, mirrored where that is asked for."""

import json
import sys
import types
from pathlib import Path

import pytest

from configs.loader import ConfigError, load
from configs.recipe import ModelConfig
from pretrain.plan.schedule import Step
from pretrain.run.checkpoint import Position
from pretrain.run.training_log import TrainingLog

MODEL = load("configs/tiny", "model", ModelConfig)
VALUES = {"train/loss_nats": 2.5, "train/mtp_loss_nats": 3.5, "train/loss_nats/web": float("nan")}


def position(step: int) -> Position:
    return Position("mark", 1, step, 100 * step, step)


def step_of(number: int) -> Step:
    return Step(number - 1, 1, 100 * (number - 1), 100, 1, 100, 10_000, 1e-3, 0.3)


def write(root: Path, first: int, last: int) -> TrainingLog:
    log = TrainingLog(str(root), position(first - 1), MODEL, None)
    for number in range(first, last + 1):
        log.step(step_of(number), position(number), VALUES, num_ranks=1)
    log.close()
    return log


def rows(root: Path, name: str = "metrics") -> list[dict]:
    return [json.loads(line) for line in (root / f"train/{name}.jsonl").read_text().splitlines()]


def test_a_line_a_step_without_what_is_not_finite(tmp_path: Path) -> None:
    write(tmp_path, 1, 3)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3]
    row = rows(tmp_path)[1]
    assert (row["train/loss_nats"], row["train/learning_rate"], row["tokens_seen"]) == (2.5, 1e-3, 200)
    assert "train/loss_nats/web" not in row
    assert row["time/peak_memory_bytes"] > 1 << 20
    assert list((tmp_path / "train/tensorboard").iterdir())


def test_a_resume_cuts_both_files_back_and_drops_half_a_line(tmp_path: Path) -> None:
    log = write(tmp_path, 1, 5)
    for number in (2, 5):
        log.incident(position(number), "skipped", "loss is nan", {"code-high-web": ["a", "b"]})
    with (tmp_path / "train/metrics.jsonl").open("a") as file:
        file.write('{"step": 6, "sta')
    write(tmp_path, 4, 4)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4]
    [kept] = rows(tmp_path, "incidents")
    assert (kept["step"], kept["documents"]) == (2, {"code-high-web": ["a", "b"]})


def test_wandb_mirrors_tensorboard_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    fake = types.SimpleNamespace(init=lambda **options: calls.append(options))
    monkeypatch.setitem(sys.modules, "wandb", fake)
    TrainingLog(str(tmp_path), position(0), MODEL, None).close()
    assert calls == []
    TrainingLog(str(tmp_path), position(0), MODEL, "mimo").close()
    assert [(call["project"], call["sync_tensorboard"]) for call in calls] == [("mimo", True)]


def test_wandb_that_is_not_installed_is_a_users_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="wandb is not installed; remedy: pip install wandb"):
        TrainingLog(str(tmp_path), position(0), MODEL, "mimo")
