"""Checkpoints that are whole or absent, verified before they are loaded.

`checkpoints/stageN/step-K/` holds Megatron-Core's distributed checkpoint and, written last, `run.json`: where
the run stood, and the hash of every file. `checkpoints/stageN/run.json` names the one that ends the stage.
Weights and optimizer load under any parallel layout ("fully_reshardable").
Cost: one read of all files to hash them, and one more before loading.
"""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.optimizer import MegatronOptimizer

from configs.contract import CONTRACT_VERSION, ContractError
from configs.loader import ConfigError
from configs.tables import hash_json
from pretrain.optimizer import prepare_to_load

HASH_BLOCK_BYTES = 1 << 24


@dataclass(frozen=True)
class Position:
    """Where a run stood: everything that training needs besides weights and optimizer."""

    fingerprint: str
    """Of the stage: model, schedule, plan, tokens, code and the stages before."""
    stage: int
    step: int
    """Steps done since the start of training."""
    tokens_seen: int
    samples: int
    """Sequences that the stage has taken."""


def folder(root: str, stage: int) -> Path:
    """`checkpoints/stageN` of a run. Raises ConfigError for a URI: checkpoints need a file system."""
    if "://" in root and not root.startswith("file://"):
        raise ConfigError(
            f"{root}: checkpoints need a mounted file system; remedy: pass --output with a path"
        )
    return Path(root.removeprefix("file://")) / "checkpoints" / f"stage{stage}"


def save(
    root: str, position: Position, model: torch.nn.Module, optimizer: MegatronOptimizer, ends: bool
) -> None:
    """Write a checkpoint of the unwrapped `model`, then drop the stage's older ones. Called by all ranks.

    `ends`: the stage is finished with it.
    """
    path = folder(root, position.stage) / f"step-{position.step:08d}"
    if _rank() == 0:
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
    _barrier()
    metadata = _metadata()
    state = {"model": model.sharded_state_dict(metadata=metadata)}
    state["optimizer"] = optimizer.sharded_state_dict(state["model"], is_loading=False, metadata=metadata)
    dist_checkpointing.save(state, str(path), content_metadata=metadata)
    _barrier()
    if _rank() == 0:
        files = {file.name: _hash_file(file) for file in sorted(path.iterdir())}
        _write_json(path / "run.json", {"position": asdict(position), "files": files})
        if ends:
            name = {"checkpoint": path.name, "position": asdict(position), "digest": hash_json(files)}
            _write_json(path.parent / "run.json", name | {"contract_version": CONTRACT_VERSION})
        for other in path.parent.glob("step-*"):
            if other != path:
                shutil.rmtree(other)
    _barrier()


def latest(root: str, stage: int, fingerprint: str) -> Position | None:
    """The position of the stage's newest whole checkpoint of this fingerprint."""
    for path in sorted(folder(root, stage).glob("step-*"), reverse=True):
        run = _read_json(path / "run.json")
        if run is not None and run["position"]["fingerprint"] == fingerprint:
            return Position(**run["position"])
    return None


def load(root: str, position: Position, model: torch.nn.Module, optimizer: MegatronOptimizer) -> None:
    """Put a checkpoint's weights and optimizer state into freshly built ones. Called by all ranks.

    Raises ContractError if any file is not the one that was written.
    """
    path = folder(root, position.stage) / f"step-{position.step:08d}"
    _verify(path)
    metadata = _metadata()
    prepare_to_load(optimizer)
    state = {"model": model.sharded_state_dict(metadata=metadata)}
    state["optimizer"] = optimizer.sharded_state_dict(state["model"], is_loading=True, metadata=metadata)
    state = dist_checkpointing.load(state, str(path))
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])


def digest(root: str, stage: int) -> str | None:
    """Content hash of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else str(final["digest"])


def load_weights(root: str, stage: int, model: torch.nn.Module) -> None:
    """Put the weights that end `stage` into an unwrapped model of any parallel layout.

    Raises ContractError if the stage is not finished or a file is not the one that was written.
    """
    final = _final(root, stage)
    if final is None:
        raise ContractError(f"{folder(root, stage)}: not finished; remedy: run make stage{stage} first")
    path = folder(root, stage) / str(final["checkpoint"])
    _verify(path)
    state = {"model": model.sharded_state_dict(metadata=_metadata())}
    model.load_state_dict(dist_checkpointing.load(state, str(path))["model"])


def discard(root: str, stage: int) -> None:
    """Delete a stage's checkpoints (they belong to other inputs, config or code)."""
    shutil.rmtree(folder(root, stage), ignore_errors=True)


def finished_fingerprint(root: str, stage: int) -> str | None:
    """Fingerprint of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else final["position"]["fingerprint"]


def _final(root: str, stage: int) -> dict | None:
    path = folder(root, stage) / "run.json"
    final = _read_json(path)
    if final is not None and final["contract_version"] != CONTRACT_VERSION:
        raise ContractError(
            f"{path}: contract version {final['contract_version']}, this code reads {CONTRACT_VERSION}; "
            "remedy: delete the checkpoints and train again"
        )
    return final


def _verify(path: Path) -> None:
    """Compare every file with run.json before anything is unpickled. Raises ContractError."""
    fault = ""
    if _rank() == 0:
        run = _read_json(path / "run.json")
        if run is None:
            fault = f"{path}/run.json: missing"
        else:
            wrong = [name for name, value in run["files"].items() if _hash_file(path / name) != value]
            fault = f"{path / wrong[0]}: not the file that was written" if wrong else ""
    faults = [fault]
    if torch.distributed.get_world_size() > 1:
        torch.distributed.broadcast_object_list(faults, src=0)
    if faults[0]:
        raise ContractError(f"{faults[0]}; remedy: delete this checkpoint and run the stage again")


def _hash_file(path: Path) -> str:
    state = hashlib.blake2b(digest_size=16)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def _write_json(path: Path, value: dict) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _read_json(path: Path) -> dict | None:
    """The file's object; None where there is none, or half of one (its writer was killed)."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None


def _metadata() -> dict[str, object]:
    # Megatron-core's default sharding of the optimizer cannot be saved without Transformer Engine.
    return {
        "distrib_optim_sharding_type": "fully_reshardable",
        "dp_cp_group": parallel_state.get_data_parallel_group(with_context_parallel=True),
    }


def _rank() -> int:
    return torch.distributed.get_rank()


def _barrier() -> None:
    if torch.distributed.get_world_size() > 1:
        torch.distributed.barrier()
