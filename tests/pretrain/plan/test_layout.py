"""train.toml: what may be absent, and what one model replica is."""

from pathlib import Path

import pytest

from configs.loader import ConfigError, load
from configs.recipe import load_recipe
from pretrain.plan.layout import TrainConfig, layout_of, ranks_per_model, run_folder
from tests.pretrain.small_run import PRESET


def write(folder: Path, extra: str = "") -> Path:
    (folder / "train.toml").write_text(PRESET["train"] + extra)
    return folder


def test_a_key_that_is_absent_is_off(tmp_path: Path) -> None:
    config = load(write(tmp_path), "train", TrainConfig)
    assert (config.heldout_every_steps, config.wandb_project) == (None, None)
    text = PRESET["train"].replace("spike_sigmas = 6.0\n", "")
    (tmp_path / "train.toml").write_text(text)
    assert load(tmp_path, "train", TrainConfig).spike_sigmas is None


@pytest.mark.parametrize("line", ["heldout_every_steps = 0", "wandb_project = ''", "spike_sigmas = 0.0"])
def test_a_value_that_meant_off_is_refused(tmp_path: Path, line: str) -> None:
    key = line.partition(" ")[0]
    text = "".join(row for row in PRESET["train"].splitlines(keepends=True) if not row.startswith(key))
    (tmp_path / "train.toml").write_text(f"{text}{line}\n")
    with pytest.raises(ConfigError, match=rf"train\.toml: {key}: .*; remedy: correct the value"):
        load(tmp_path, "train", TrainConfig)


def test_a_key_without_a_meaning_of_off_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "train.toml").write_text(PRESET["train"].replace("max_skipped_steps = 3\n", ""))
    with pytest.raises(ConfigError, match="max_skipped_steps: Field required"):
        load(tmp_path, "train", TrainConfig)


def test_layout_of_twelve_gpus(tmp_path: Path) -> None:
    config = load(write(tmp_path), "train", TrainConfig)
    config = config.model_copy(update={"tensor_parallel": 2, "context_parallel": 3})
    assert ranks_per_model(config) == 6
    layout = layout_of(load_recipe("configs/tiny"), config, num_gpus=12)
    assert layout.data_parallel == 2
    assert layout.micro_batch_tokens == 512  # one sequence of stage 3, longer than the 128 of train.toml


def test_checkpoints_need_a_mounted_file_system() -> None:
    assert run_folder("runs/a") == Path("runs/a")
    assert run_folder("file:///data/a") == Path("/data/a")
    with pytest.raises(ConfigError, match=r"s3://bucket/a: .*; remedy: pass --output with a path"):
        run_folder("s3://bucket/a")
