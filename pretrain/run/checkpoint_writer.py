"""Writes checkpoints while training continues: tensors are copied, a child process writes, a thread hashes.

`start` begins a checkpoint, and `poll` is called after every step. When all files are written and hashed, one
rename gives the folder its final name. At most one checkpoint is pending; starting the next one waits for it.
A killed run leaves a `writing-*` folder, which is never read and which the next run deletes.
Cost for the training loop: per checkpoint one copy of the tensors to host memory; while a checkpoint is
pending, one small all-reduce per step.
"""

import shutil
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch
from megatron.core import dist_checkpointing
from megatron.core.dist_checkpointing.strategies.async_utils import AsyncCallsQueue
from megatron.core.optimizer import MegatronOptimizer

from configs.recipe import NUM_STAGES
from pretrain.run import checkpoint
from pretrain.run.checkpoint import Position

UNSEALED = "writing-"


@dataclass
class _Pending:
    path: Path
    position: Position
    ends: bool
    sealing: "Future[None] | None" = None
    """The thread that hashes; set on rank 0 when the files are written."""


class CheckpointWriter:
    """Holds the pending checkpoint, if any. All ranks call every method in the same order."""

    def __init__(self, root: str, kept: int) -> None:
        self.root, self.kept = root, kept
        self.queue = AsyncCallsQueue()
        self.thread = ThreadPoolExecutor(1)
        self.pending: _Pending | None = None
        if _rank() == 0:
            for stage in range(1, NUM_STAGES + 1):
                for left in checkpoint.folder(root, stage).glob(f"{UNSEALED}*"):
                    shutil.rmtree(left, ignore_errors=True)

    def start(
        self, position: Position, model: torch.nn.Module, optimizer: MegatronOptimizer, ends: bool
    ) -> None:
        """Start writing the unwrapped `model` and its optimizer. `ends`: this checkpoint ends the stage."""
        self.finish()
        name = [f"{UNSEALED}{position.step:08d}-{uuid.uuid4().hex[:8]}"]
        if torch.distributed.get_world_size() > 1:
            torch.distributed.broadcast_object_list(name, src=0)
        path = checkpoint.folder(self.root, position.stage) / name[0]
        if _rank() == 0:
            path.mkdir(parents=True)
        _barrier()
        metadata = checkpoint.sharding_metadata()
        state = {"model": model.sharded_state_dict(metadata=metadata)}
        state["optimizer"] = optimizer.sharded_state_dict(state["model"], is_loading=False, metadata=metadata)
        request = dist_checkpointing.save(
            state, str(path), async_sharded_save=True, content_metadata=metadata
        )
        self.queue.schedule_async_request(request)
        self.pending = _Pending(path, position, ends)

    def poll(self) -> None:
        """Continue the pending checkpoint as far as possible without waiting."""
        self._advance(waits=False)

    def finish(self) -> None:
        """Wait until no rank has a pending checkpoint (rank 0 hashes after the other ranks are done)."""
        self._advance(waits=True)
        _barrier()

    def _advance(self, waits: bool) -> None:
        pending = self.pending
        if pending is None:
            return
        if self.queue.get_num_unfinalized_calls():
            self.queue.maybe_finalize_async_calls(blocking=waits)
            if self.queue.get_num_unfinalized_calls():
                return
            if _rank() == 0:
                pending.sealing = self.thread.submit(checkpoint.write_run, pending.path, pending.position)
        if pending.sealing is not None:
            if not waits and not pending.sealing.done():
                return
            pending.sealing.result()
            self._name(pending)
        self.pending = None

    def _name(self, pending: _Pending) -> None:
        """Rename a complete checkpoint to its final name, then delete old checkpoints. Rank 0 only."""
        path = checkpoint.step_folder(self.root, pending.position)
        shutil.rmtree(path, ignore_errors=True)
        pending.path.rename(path)
        if pending.ends:
            checkpoint.name_final(self.root, pending.position)
        stage = pending.position.stage
        newest = sorted(path.parent.glob("step-*[0-9]"))[-self.kept :]
        for other in path.parent.glob("step-*[0-9]"):
            if other not in newest:
                shutil.rmtree(other)
        for earlier in range(1, stage):
            final = checkpoint.final_name(self.root, earlier)
            for other in checkpoint.folder(self.root, earlier).glob("step-*[0-9]"):
                if other.name != final:
                    shutil.rmtree(other)


def _rank() -> int:
    return torch.distributed.get_rank()


def _barrier() -> None:
    if torch.distributed.get_world_size() > 1:
        torch.distributed.barrier()
