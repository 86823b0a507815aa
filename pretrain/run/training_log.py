"""The log of a training run, written by the last rank to <root>/train/.

metrics.jsonl has one line per step; TensorBoard's files hold the same values. The values depend on the seed
alone, except those named `time/...`. On resume, the lines after the checkpoint are removed, so an interrupted
run logs the same as an uninterrupted one. incidents.jsonl names the steps that were skipped, rolled back or
left out, and the documents in their batches.
"""

import json
import logging
import math
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from torch.utils.tensorboard import SummaryWriter

from configs.loader import ConfigError
from configs.recipe import ModelConfig
from configs.tables import peak_memory_bytes
from pretrain.plan import sizes
from pretrain.plan.layout import run_folder
from pretrain.plan.schedule import Step
from pretrain.run.checkpoint import Position

logger = logging.getLogger("pretrain.train")

CONVENTIONS: tuple[sizes.Convention, ...] = ("causal", "full")
LINES_EVERY_STEPS = 10
"""Steps per line on the terminal. Our choice."""


class TrainingLog:
    """The open log files of one run."""

    def __init__(self, root: str, position: Position, model: ModelConfig, wandb_project: str | None) -> None:
        folder = run_folder(root) / "train"
        folder.mkdir(parents=True, exist_ok=True)
        self.model = model
        self.metrics_path, self.incidents_path = folder / "metrics.jsonl", folder / "incidents.jsonl"
        _start_wandb(wandb_project, folder)
        self.cut(position.step)
        _cut(self.incidents_path, position.step)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=position.tokens_seen + 1)
        self.started = time.monotonic()

    def cut(self, step: int) -> None:
        """Remove the metrics of every step after `step`."""
        _cut(self.metrics_path, step)

    def step(self, step: Step, position: Position, values: Mapping[str, float], num_ranks: int) -> None:
        """Log the step that ended at `position`. Its duration is the time since the line before."""
        seconds = time.monotonic() - self.started
        self.started = time.monotonic()
        values = {
            **{name: value for name, value in values.items() if math.isfinite(value)},
            "train/learning_rate": step.learning_rate,
            "train/mtp_loss_weight": step.mtp_loss_weight,
            "train/batch_tokens": step.tokens,
            "train/sequence_length": step.sequence_length,
            "train/rotary_base": step.rotary_base,
        }
        clock = self._clock(step, seconds, num_ranks, values.get("time/attended_keys"))
        where = {"step": position.step, "stage": step.stage, "tokens_seen": position.tokens_seen}
        _append(self.metrics_path, where | values | clock)
        for name, value in (values | clock).items():
            self.board.add_scalar(name, value, position.tokens_seen)
        if position.step % LINES_EVERY_STEPS == 1 and "train/loss_nats" in values:
            logger.info(
                "stage %d step %d: %s tokens, loss %.4f, MTP loss %.4f, %.0f tokens/s",
                step.stage, position.step, f"{position.tokens_seen:,}", values["train/loss_nats"],
                values["train/mtp_loss_nats"], clock["time/tokens_per_second"],
            )  # fmt: skip

    def incident(self, position: Position, what: str, why: str, documents: Mapping[str, list[str]]) -> None:
        """Record a skipped step or a rollback, with the ids of the batch's documents per bucket."""
        where = {"step": position.step, "stage": position.stage, "tokens_seen": position.tokens_seen}
        _append(self.incidents_path, where | {"what": what, "why": why, "documents": documents})
        named = [name for names in documents.values() for name in names]
        logger.warning(
            "step %d %s: %s; %d documents, first %s", position.step, what, why, len(named), named[:3]
        )

    def close(self) -> None:
        """Write out TensorBoard's buffered events."""
        self.board.close()

    def _clock(self, step: Step, seconds: float, num_ranks: int, keys: float | None) -> dict[str, float]:
        """Return tokens per second and peak memory; on GPUs also the model FLOPs utilisation (MFU).

        `documents` counts the attention that the step computed; `causal` and `full` are the published
        conventions, which take each row for one document (plan/sizes.py).
        """
        rate = step.tokens / seconds
        found = {"time/tokens_per_second": round(rate, 1), "time/peak_memory_bytes": peak_memory_bytes()}
        if torch.cuda.is_available():
            found["time/peak_memory_bytes"] = torch.cuda.max_memory_allocated()
            whole_row = {name: sizes.whole_row_keys(step.sequence_length, name) for name in CONVENTIONS}
            for name, mean in (whole_row | ({} if keys is None else {"documents": keys})).items():
                work = sizes.flops_per_token(self.model, mean, True)
                found[f"time/mfu_{name}"] = round(work * rate / num_ranks / sizes.PEAK_FLOPS, 4)
        return found


def _start_wandb(project: str | None, folder: Path) -> None:
    """Let Weights & Biases mirror TensorBoard's values. Raises ConfigError if wandb is not installed."""
    if project is None:
        return
    try:
        import wandb
    except ModuleNotFoundError:
        raise ConfigError(
            f"train.toml: wandb_project is {project!r}, but wandb is not installed; "
            "remedy: pip install wandb, or remove the key"
        ) from None
    wandb.init(project=project, dir=str(folder), sync_tensorboard=True)


def _append(path: Path, row: Mapping[str, object]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def _cut(path: Path, step: int) -> None:
    """Keep the complete lines of steps up to `step`."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
        if line.endswith("\n") and json.loads(line)["step"] <= step:
            kept.append(line)
    path.write_text("".join(kept), encoding="utf-8")
