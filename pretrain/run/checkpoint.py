"""Checkpoints that are whole or absent, verified before anything of them is used.

`checkpoints/stageN/step-K/` holds Megatron-Core's distributed checkpoint and `run.json`: where the run stood,
and the hash of every file. A folder gets that name by one rename, when all of it is written
(checkpoint_writer.py), so the newest `step-K` is the latest checkpoint. `checkpoints/stageN/run.json` names
the one that ends the stage. Weights and optimizer load under any parallel layout ("fully_reshardable").
Loading runs no code from the files: hashes first, then the pickles' names against a list (safe_pickle.py).
Cost: one read of all files to hash them before loading.
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.optimizer import MegatronOptimizer

from configs.contract import CONTRACT_VERSION, ContractError
from configs.tables import hash_json
from pretrain.plan.layout import run_folder
from pretrain.plan.spikes import History
from pretrain.run.optimizer import prepare_to_load
from pretrain.run.safe_pickle import forbidden_globals

HASH_BLOCK_BYTES = 1 << 24


class CheckpointError(ContractError):
    """A checkpoint is not what was written; an older one may be whole."""


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
    history: History = ()
    """What spikes.py judges the next steps by."""
    num_skipped: int = 0
    """Steps skipped one after the other, up to this one."""
    passed: tuple[tuple[int, int], ...] = ()
    """First and last step of each stretch that a rollback passes over."""


def folder(root: str, stage: int) -> Path:
    """`checkpoints/stageN` of a run. Raises ConfigError for a URI: checkpoints need a file system."""
    return run_folder(root) / "checkpoints" / f"stage{stage}"


def step_folder(root: str, position: Position) -> Path:
    """Where the checkpoint of a position lies."""
    return folder(root, position.stage) / f"step-{position.step:08d}"


def positions(root: str, stage: int, fingerprint: str) -> list[Position]:
    """The stage's checkpoints of this fingerprint, newest first. Nothing is verified yet."""
    found = []
    for path in sorted(folder(root, stage).glob("step-*[0-9]"), reverse=True):
        run = read_run(path)
        if run is not None and run["position"]["fingerprint"] == fingerprint:
            found.append(_position(run["position"]))
    return found


def load(root: str, position: Position, model: torch.nn.Module, optimizer: MegatronOptimizer) -> None:
    """Put a checkpoint's weights and optimizer state into freshly built ones. Called by all ranks.

    Raises CheckpointError, before a weight is changed, if any file is not the one that was written.
    """
    path = step_folder(root, position)
    verify(path)
    metadata = sharding_metadata()
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

    Raises ContractError if the stage is not finished, CheckpointError if a file is not what was written.
    """
    final = _final(root, stage)
    if final is None:
        raise ContractError(f"{folder(root, stage)}: not finished; remedy: run make stage{stage} first")
    path = folder(root, stage) / str(final["checkpoint"])
    verify(path)
    state = {"model": model.sharded_state_dict(metadata=sharding_metadata())}
    model.load_state_dict(dist_checkpointing.load(state, str(path))["model"])


def set_aside(root: str, stage: int) -> Path | None:
    """Move a stage's checkpoints (of other inputs, config or code) to `stageN.replaced`; None if it has none.

    What lay there before is deleted: one generation is kept.
    """
    path = folder(root, stage)
    if not path.is_dir():
        return None
    replaced = path.with_name(f"{path.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    return path.rename(replaced)


def finished_fingerprint(root: str, stage: int) -> str | None:
    """Fingerprint of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else final["position"]["fingerprint"]


def verify(path: Path) -> None:
    """Compare a checkpoint with its run.json, and its pickles with the list. Called by all ranks.

    Raises CheckpointError naming the first fault.
    """
    faults = [_fault(path) if torch.distributed.get_rank() == 0 else ""]
    if torch.distributed.get_world_size() > 1:
        torch.distributed.broadcast_object_list(faults, src=0)
    if faults[0]:
        raise CheckpointError(f"{faults[0]}; remedy: delete this checkpoint and run the stage again")


def _fault(path: Path) -> str:
    run = read_run(path)
    if run is None:
        return f"{path}/run.json: missing or not what was written"
    there = {file.name for file in path.iterdir()} - {"run.json"}
    if there != run["files"].keys():
        return f"{path / min(there ^ run['files'].keys())}: missing, or not of this checkpoint"
    for name, value in run["files"].items():
        if hash_file(path / name) != value:
            return f"{path / name}: not the file that was written"
    forbidden = forbidden_globals(path)
    return f"{path}/{forbidden[0]}: names code that no checkpoint of ours names" if forbidden else ""


def write_run(path: Path, position: Position) -> None:
    """Seal a written checkpoint folder: hash its files and write run.json into it."""
    files = {file.name: hash_file(file) for file in sorted(path.iterdir())}
    content = {"position": asdict(position), "files": files}
    write_json(path / "run.json", content | {"digest": hash_json(content)})


def read_run(path: Path) -> dict | None:
    """run.json of a checkpoint folder; None if it is missing, cut or changed."""
    run = read_json(path / "run.json")
    if run is None or run.keys() != {"position", "files", "digest"}:
        return None
    content = {name: run[name] for name in ("position", "files")}
    return run if hash_json(content) == run["digest"] else None


def name_final(root: str, position: Position) -> None:
    """State in `stageN/run.json` that this checkpoint ends its stage."""
    path = step_folder(root, position)
    run = read_run(path)
    assert run is not None, path
    name = {"checkpoint": path.name, "position": run["position"], "digest": run["digest"]}
    write_json(path.parent / "run.json", name | {"contract_version": CONTRACT_VERSION})


def final_name(root: str, stage: int) -> str | None:
    """Folder name of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else str(final["checkpoint"])


def hash_file(path: Path) -> str:
    """blake2b-128 of a file, in hex; empty where there is no file."""
    state = hashlib.blake2b(digest_size=16)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def write_json(path: Path, value: dict) -> None:
    """Replace a file in one step: whoever reads it sees the old or the new whole."""
    new = path.with_name(f".{path.name}.new")
    with new.open("w", encoding="utf-8") as stream:
        json.dump(value, stream, indent=1, sort_keys=True)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)


def read_json(path: Path) -> dict | None:
    """A file's object; None where there is none, or half of one."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def sharding_metadata() -> dict[str, object]:
    """How the optimizer is cut: megatron-core's default cannot be saved without Transformer Engine."""
    return {
        "distrib_optim_sharding_type": "fully_reshardable",
        "dp_cp_group": parallel_state.get_data_parallel_group(with_context_parallel=True),
    }


def _position(values: dict) -> Position:
    pairs = {name: tuple(map(tuple, values[name])) for name in ("history", "passed")}
    return Position(**(values | pairs))


def _final(root: str, stage: int) -> dict | None:
    path = folder(root, stage) / "run.json"
    final = read_json(path)
    if final is not None and final["contract_version"] != CONTRACT_VERSION:
        raise ContractError(
            f"{path}: contract version {final['contract_version']}, this code reads {CONTRACT_VERSION}; "
            "remedy: delete the checkpoints and train again"
        )
    return final
