"""How far the tuning of the copies has come, on disk: a killed run goes on from there (tune_copies.py).

In <root>/checkpoints/extended/, `step-K.safetensors` holds the copies' fp32 masters and AdamW's moments;
run.json names it, with its hash, and is replaced by one rename. What is of another fingerprint, or is not
what was written, counts as absent: the tuning begins again.
Cost: 12 bytes a weight of the copies (5 GB for two of mimo7b's), which rank 0 writes every SAVE_AFTER_S while
the others wait. All ranks read: a file system that all of them mount.
"""

import logging
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from configs.text_files import read_json, write_json
from pretrain.run.checkpoint import hash_file

logger = logging.getLogger(__name__)

SAVE_AFTER_S = 120.0
"""What a kill may cost at most, and a step. Ours: 5 GB take some seconds to write."""

MOMENTS = ("exp_avg", "exp_avg_sq")


class TuningState:
    """The folder of one tuning, for masters in a fixed order and their AdamW."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        self._saved = time.monotonic()

    def load(self, masters: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> list[list[float]]:
        """Put the last state into fresh masters and their optimizer. Returns the losses of the steps done."""
        run = read_json(self._folder / "run.json")
        if run is None or run["fingerprint"] != self._fingerprint:
            return []
        path = self._folder / run["file"]
        if hash_file(path) != run["digest"]:
            logger.warning("%s: not the file that was written; tuning begins again", path)
            return []
        tensors = safetensors.torch.load_file(path)
        for number, master in enumerate(masters):
            master.copy_(tensors[f"{number}.weight"])
            moments = {name: tensors[f"{number}.{name}"].to(master.device) for name in MOMENTS}
            optimizer.state[master] = moments | {"step": torch.tensor(float(len(run["losses"])))}
        logger.info("continuing after step %d", len(run["losses"]))
        return run["losses"]

    def save_if_due(
        self, masters: Sequence[Tensor], optimizer: torch.optim.Optimizer, losses: list[list[float]]
    ) -> None:
        """Write the state after `len(losses)` steps if the last time is SAVE_AFTER_S ago. Rank 0 only."""
        if time.monotonic() - self._saved < SAVE_AFTER_S:
            return
        tensors = {f"{number}.weight": master for number, master in enumerate(masters)}
        for number, master in enumerate(masters):
            tensors |= {f"{number}.{name}": optimizer.state[master][name] for name in MOMENTS}
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"step-{len(losses):06d}.safetensors"
        safetensors.torch.save_file(tensors, path)
        named = {"fingerprint": self._fingerprint, "file": path.name, "digest": hash_file(path)}
        write_json(self._folder / "run.json", named | {"losses": losses})
        for other in self._folder.glob("step-*"):
            if other != path:
                other.unlink()
        self._saved = time.monotonic()

    def discard(self) -> None:
        """Delete the folder: the tuning is done, or not wanted."""
        shutil.rmtree(self._folder, ignore_errors=True)
