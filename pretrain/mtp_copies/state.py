"""Checkpoints of the tuning of MTP copies (tune.py): a killed run continues from the last one.

In <root>/checkpoints/extended/, `step-K.safetensors` holds the copies' fp32 master weights and AdamW's
moments; run.json names this file and its hash, and a rename replaces run.json atomically. A checkpoint with
another fingerprint or a wrong hash counts as absent, and the tuning begins again.
Cost: 12 bytes per weight of the copies (5 GB for two copies of mimo7b's layer). Rank 0 writes them every
SAVE_AFTER_S seconds while the other ranks wait. All ranks read them, so all must mount the same file system.
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
"""Seconds between checkpoints: a kill loses at most this time and one step.

Our choice: writing 5 GB takes some seconds."""

MOMENTS = ("exp_avg", "exp_avg_sq")


class TuningState:
    """The checkpoint folder of one tuning. The master weights come in the same order in every call."""

    def __init__(self, folder: Path, fingerprint: str) -> None:
        self._folder, self._fingerprint = folder, fingerprint
        self._saved = time.monotonic()

    def load(self, masters: Sequence[Tensor], optimizer: torch.optim.Optimizer) -> list[list[float]]:
        """Load the last checkpoint into new master weights and their optimizer.

        Returns the losses of the finished steps, one list per step; [] if there is no valid checkpoint.
        """
        run = read_json(self._folder / "run.json")
        if run is None or run["fingerprint"] != self._fingerprint:
            return []
        path = self._folder / run["file"]
        if hash_file(path) != run["digest"]:
            logger.warning("%s: the hash differs from that of the written file; tuning begins again", path)
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
        """Write a checkpoint after `len(losses)` steps if the last one is SAVE_AFTER_S old. Rank 0 only."""
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
        """Delete the folder, when the tuning is finished or its state is not wanted."""
        shutil.rmtree(self._folder, ignore_errors=True)
