"""Checkpoints: any damage is found before use, an older one takes over, nothing in a file is executed."""

import json
import os
import pickle
import random
import shutil
import signal
from pathlib import Path

import pytest

from configs.job import mark
from pretrain.run import checkpoint
from pretrain.run.checkpoint import CheckpointError, Position
from tests.pretrain.small_run import write_run
from tests.pretrain.test_train import interrupt, trace, train

NUM_DAMAGES = 60  # `tests/chaos/chaos_training.py` does a thousand

pytestmark = [pytest.mark.usefixtures("single_process"), pytest.mark.slow]


def newest(root: Path, stage: int) -> Path:
    return max(checkpoint.folder(str(root), stage).glob("step-*"))


def damage(folder: Path, rng: random.Random) -> str:
    """Flip a bit, cut, delete or zero a random file of a checkpoint; returns what was done."""
    file = rng.choice(sorted(path for path in folder.iterdir() if path.stat().st_size))
    data = bytearray(file.read_bytes())
    kind = rng.choice(("flip", "cut", "delete", "zero"))
    if kind == "flip":
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    elif kind == "cut":
        del data[rng.randrange(len(data)) :]
    elif kind == "zero":
        start = rng.randrange(len(data))
        end = start + 1 + rng.randrange(4096)
        if not any(data[start:end]):
            data[start] = 1  # zeros were there already: still a change
        else:
            data[start:end] = bytes(len(data[start:end]))
    file.write_bytes(data)
    if kind == "delete":
        file.unlink()
    return f"{kind} {file.name}"


def test_a_whole_checkpoint_passes(straight: Path) -> None:
    checkpoint.verify(newest(straight, 3))


def test_every_damage_is_found(straight: Path, tmp_path: Path) -> None:
    rng = random.Random(4)
    for number in range(NUM_DAMAGES):
        copy = tmp_path / f"step-{number}"
        shutil.copytree(newest(straight, 3), copy)
        done = damage(copy, rng)
        print(done)  # shown if it is not found
        with pytest.raises(CheckpointError, match="remedy: delete this checkpoint"):
            checkpoint.verify(copy)
        shutil.rmtree(copy)


def test_a_file_too_many_is_found(straight: Path, tmp_path: Path) -> None:
    shutil.copytree(newest(straight, 3), tmp_path / "copy")
    (tmp_path / "copy" / "__9_9.distcp").write_bytes(b"more")
    with pytest.raises(CheckpointError, match=r"__9_9.distcp: missing, or not listed in run.json"):
        checkpoint.verify(tmp_path / "copy")


def test_an_evil_metadata_with_matching_hashes_is_refused(straight: Path, tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple:
            return os.system, (f"touch {tmp_path / 'ran'}",)

    copy = tmp_path / "copy"
    shutil.copytree(newest(straight, 3), copy)
    position = checkpoint._position(checkpoint.read_run(copy)["position"])
    (copy / ".metadata").write_bytes(pickle.dumps(Evil()))
    (copy / "run.json").unlink()
    checkpoint.write_run(copy, position)
    with pytest.raises(
        CheckpointError, match=r"posix.system: not on the list of names that a checkpoint may load"
    ):
        checkpoint.verify(copy)
    assert not (tmp_path / "ran").exists()


def test_a_damaged_checkpoint_gives_way_to_the_one_before(straight: Path, tmp_path: Path) -> None:
    """Kill inside stage 1 once two checkpoints are there, damage the newer: the losses come out the same."""
    write_run(tmp_path)
    assert interrupt(tmp_path, signal.SIGKILL, 9) == -signal.SIGKILL
    wait = sorted(checkpoint.folder(str(tmp_path), 1).glob("step-*"))
    assert wait, "no checkpoint was sealed before the kill"
    (wait[-1] / "__0_0.distcp").write_bytes(b"damaged")
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "its hash differs from the one in run.json" in done.stderr
    assert trace(tmp_path) == trace(straight)


def test_retention_keeps_two_of_the_stage_and_the_last_of_those_before(straight: Path) -> None:
    kept = {stage: len(list(checkpoint.folder(str(straight), stage).glob("step-*"))) for stage in (1, 2, 3)}
    assert kept == {1: 1, 2: 1, 3: 2}
    assert not list((straight / "checkpoints").glob("*/writing-*"))


def test_a_changed_recipe_sets_the_old_checkpoints_aside(straight: Path, tmp_path: Path) -> None:
    root = tmp_path / "run"
    shutil.copytree(straight, root)
    preset = root / "preset" / "stage2.toml"
    preset.write_text(preset.read_text().replace("rotary_base = 10_000", "rotary_base = 20_000"))
    done = train(root, "--stage", "2")
    assert done.returncode == 0, done.stderr
    assert "stage2.replaced" in done.stderr
    replaced = json.loads((root / "checkpoints/stage2.replaced/run.json").read_text())
    assert replaced["position"]["stage"] == 2
    assert checkpoint.final_name(str(root), 1) == checkpoint.final_name(str(straight), 1)


def test_checkpoints_of_other_code_count_once_they_are_accepted(tmp_path: Path) -> None:
    """--accept-code holds for good, for one stage, and only where model, plan and tokens are the same."""
    old, new, other_work = mark("code1", "plan"), mark("code2", "plan"), mark("code2", "another plan")
    position = Position(old, 1, 5, 100, 10)
    path = checkpoint.step_folder(str(tmp_path), position)
    path.mkdir(parents=True)
    checkpoint.write_run(path, position)
    checkpoint.name_final(str(tmp_path), position)
    found = checkpoint.finished_fingerprint(str(tmp_path), 1)
    assert checkpoint.positions(str(tmp_path), 1, new) == []
    assert not checkpoint.counts_as(str(tmp_path), 1, found, new)
    checkpoint.accept_other_code(str(tmp_path), 1, other_work)
    assert checkpoint.positions(str(tmp_path), 1, other_work) == []
    checkpoint.accept_other_code(str(tmp_path), 1, new)
    assert checkpoint.positions(str(tmp_path), 1, new) == [position]
    assert checkpoint.counts_as(str(tmp_path), 1, found, new)
    assert not checkpoint.counts_as(str(tmp_path), 2, found, new)
    stated = json.loads((path.parent / "accepted_code.json").read_text())
    assert stated == {"accepted_code": ["code1"], "code": "code2"}
