"""Checkpoints of a training run: their layout on disk, verification and loading.

`checkpoints/stageN/step-K/` holds Megatron-Core's distributed checkpoint and `run.json`, which records the
position of the run and the hash of every file. The folder is renamed to this name only when it is complete
(checkpoint_writer.py), so a checkpoint is complete or absent, and the newest `step-K` is the latest one.
`checkpoints/stageN/run.json` names the checkpoint that ends the stage. Weights and optimizer load under any
parallel layout ("fully_reshardable"). Loading runs no code from the files: first their hashes are verified,
then the names in their pickles are compared with a list (safe_pickle.py).
Cost: all files are read once more, to hash them before loading.
"""

import hashlib
import logging
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from megatron.core import dist_checkpointing, parallel_state
from megatron.core.optimizer import MegatronOptimizer

from configs.contract import CONTRACT_VERSION, ContractError
from configs.job import code_half, matches, work_half
from configs.tables import hash_json
from configs.text_files import read_json, write_json
from pretrain.plan.layout import run_folder
from pretrain.plan.spikes import History
from pretrain.run.optimizer import prepare_to_load
from pretrain.run.safe_pickle import forbidden_globals

logger = logging.getLogger(__name__)

HASH_BLOCK_BYTES = 1 << 24
ACCEPTED = "accepted_code.json"


class CheckpointError(ContractError):
    """A checkpoint differs from what was written. An older one may still be valid."""


@dataclass(frozen=True)
class Position:
    """The position of a run: everything that training needs besides weights and optimizer state."""

    fingerprint: str
    """Fingerprint of the stage: its model, schedule, plan, tokens and code, and the stages before it."""
    stage: int
    """Number of the stage, from 1."""
    step: int
    """Number of finished steps since the start of training, over all stages."""
    tokens_seen: int
    """Number of training tokens over all stages."""
    samples: int
    """Number of sequences that this stage has used."""
    history: History = ()
    """Losses and gradient norms of the last accepted steps, from which spikes.py computes its limits."""
    num_skipped: int = 0
    """Number of consecutive skipped steps, up to and including this one."""
    passed: tuple[tuple[int, int], ...] = ()
    """First and last step of each range of steps that a rollback leaves out."""


def folder(root: str, stage: int) -> Path:
    """Return `checkpoints/stageN` of a run. Raises ConfigError for a URI: checkpoints need a file system."""
    return run_folder(root) / "checkpoints" / f"stage{stage}"


def step_folder(root: str, position: Position) -> Path:
    """Return the folder of the checkpoint at a position."""
    return folder(root, position.stage) / f"step-{position.step:08d}"


def accept_other_code(root: str, stage: int, fingerprint: str) -> None:
    """Accept, permanently, the stage's checkpoints that other code made from the same inputs and config.

    They then count as checkpoints of `fingerprint`. `stageN/accepted_code.json` lists the hashes of the code.
    """
    place = folder(root, stage)
    runs = [read_run(path) for path in place.glob("step-*[0-9]")]
    found = {run["position"]["fingerprint"] for run in runs if run is not None}
    same_work = {one for one in found if matches(one, fingerprint, accept_code=True)}
    other = {code_half(one) for one in same_work - {fingerprint}} - _accepted(root, stage)
    if other:
        logger.info("stage %d: accepted the checkpoints of code %s", stage, ", ".join(sorted(other)))
        accepted = sorted(other | _accepted(root, stage))
        write_json(place / ACCEPTED, {"accepted_code": accepted, "code": code_half(fingerprint)})


def _accepted(root: str, stage: int) -> set[str]:
    values = read_json(folder(root, stage) / ACCEPTED)
    return set() if values is None else set(values["accepted_code"])


def counts_as(root: str, stage: int, found: str, fingerprint: str) -> bool:
    """Return True if fingerprint `found` is `fingerprint`, or differs from it only by accepted code."""
    if found == fingerprint:
        return True
    return work_half(found) == work_half(fingerprint) and code_half(found) in _accepted(root, stage)


def positions(root: str, stage: int, fingerprint: str) -> list[Position]:
    """Return the positions of a stage's checkpoints that count as this fingerprint, newest first.

    Only each run.json is verified, not the other files.
    """
    found = []
    for path in sorted(folder(root, stage).glob("step-*[0-9]"), reverse=True):
        run = read_run(path)
        if run is not None and counts_as(root, stage, run["position"]["fingerprint"], fingerprint):
            found.append(_position(run["position"]))
    return found


def load(root: str, position: Position, model: torch.nn.Module, optimizer: MegatronOptimizer) -> None:
    """Load a checkpoint into a new model and its new optimizer. All ranks call this.

    Raises CheckpointError, before any weight changes, if a file differs from what was written.
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
    """Return the content hash of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else str(final["digest"])


def load_weights(root: str, stage: int, model: torch.nn.Module) -> None:
    """Load the weights that end `stage` into an unwrapped model of any parallel layout.

    Raises ContractError if the stage is not finished, CheckpointError if a file differs from what was
    written.
    """
    final = _final(root, stage)
    if final is None:
        raise ContractError(f"{folder(root, stage)}: not finished; remedy: run make stage{stage} first")
    path = folder(root, stage) / str(final["checkpoint"])
    verify(path)
    state = {"model": model.sharded_state_dict(metadata=sharding_metadata())}
    model.load_state_dict(dist_checkpointing.load(state, str(path))["model"])


def set_aside(root: str, stage: int) -> Path | None:
    """Move a stage's checkpoints, made from other inputs, config or code, to `stageN.replaced`.

    The earlier content of that folder is deleted: only one generation is kept. Returns the new path, or None
    if the stage has no checkpoints.
    """
    path = folder(root, stage)
    if not path.is_dir():
        return None
    replaced = path.with_name(f"{path.name}.replaced")
    shutil.rmtree(replaced, ignore_errors=True)
    return path.rename(replaced)


def finished_fingerprint(root: str, stage: int) -> str | None:
    """Return the fingerprint of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else final["position"]["fingerprint"]


def verify(path: Path) -> None:
    """Compare a checkpoint with its run.json, and its pickles with the list of allowed names.

    All ranks call this; rank 0 reads the files. Raises CheckpointError, which names the first fault.
    """
    faults = [_fault(path) if torch.distributed.get_rank() == 0 else ""]
    if torch.distributed.get_world_size() > 1:
        torch.distributed.broadcast_object_list(faults, src=0)
    if faults[0]:
        raise CheckpointError(f"{faults[0]}; remedy: delete this checkpoint and run the stage again")


def _fault(path: Path) -> str:
    run = read_run(path)
    if run is None:
        return f"{path}/run.json: missing, or changed after it was written"
    there = {file.name for file in path.iterdir()} - {"run.json"}
    if there != run["files"].keys():
        return f"{path / min(there ^ run['files'].keys())}: missing, or not listed in run.json"
    for name, value in run["files"].items():
        if hash_file(path / name) != value:
            return f"{path / name}: its hash differs from the one in run.json"
    forbidden = forbidden_globals(path)
    return f"{path}/{forbidden[0]}: not on the list of names that a checkpoint may load" if forbidden else ""


def write_run(path: Path, position: Position) -> None:
    """Complete a written checkpoint folder: hash its files and write run.json into it."""
    files = {file.name: hash_file(file) for file in sorted(path.iterdir())}
    content = {"position": asdict(position), "files": files}
    write_json(path / "run.json", content | {"digest": hash_json(content)})


def read_run(path: Path) -> dict | None:
    """Return run.json of a checkpoint folder; None if it is missing, truncated or changed."""
    run = read_json(path / "run.json")
    if run is None or run.keys() != {"position", "files", "digest"}:
        return None
    content = {name: run[name] for name in ("position", "files")}
    return run if hash_json(content) == run["digest"] else None


def name_final(root: str, position: Position) -> None:
    """Record in `stageN/run.json` that this checkpoint ends its stage."""
    path = step_folder(root, position)
    run = read_run(path)
    assert run is not None, path
    name = {"checkpoint": path.name, "position": run["position"], "digest": run["digest"]}
    write_json(path.parent / "run.json", name | {"contract_version": CONTRACT_VERSION})


def final_name(root: str, stage: int) -> str | None:
    """Return the folder name of the checkpoint that ends a stage; None if the stage is not finished."""
    final = _final(root, stage)
    return None if final is None else str(final["checkpoint"])


def hash_file(path: Path) -> str:
    """Return the blake2b-128 hash of a file in hex; an empty string if there is no file."""
    state = hashlib.blake2b(digest_size=16)
    if not path.is_file():
        return ""
    with path.open("rb") as stream:
        while block := stream.read(HASH_BLOCK_BYTES):
            state.update(block)
    return state.hexdigest()


def sharding_metadata() -> dict[str, object]:
    """Return how the optimizer state is split into files.

    megatron-core's default format cannot be saved without Transformer Engine.
    """
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
