"""What preflight refuses in a run folder: plans and tokens that do not fit each other, a disk too small.

Every check raises ConfigError or ContractError with one line: file, value, remedy. No torch.
"""

import shutil
from dataclasses import dataclass
from itertools import pairwise

from configs import tables
from configs.contract import ContractError
from configs.loader import ConfigError
from configs.recipe import NUM_STAGES, SYNTHETIC_BAND, ModelConfig, Recipe
from pretrain.plan.layout import run_folder
from pretrain.plan.sizes import parameters
from pretrain.plan.token_files import GROUPS, open_ranges, open_token_files

WEIGHT_SUM_TOLERANCE = 1e-6
EPOCH_TOLERANCE = 0.05
"""Our choice: the tiny sample cuts ranges to within 3 % of what was asked."""
MIN_CHECKPOINTS = NUM_STAGES + 1
"""Checkpoints on the disk at once: one per stage, and one that is being written."""
CHECKPOINT_BYTES_PER_PARAMETER = 14
"""bf16 weights, fp32 master weights and two fp32 moments."""


@dataclass(frozen=True)
class Source:
    """What one stage draws from one source of the plan."""

    stage: int
    source: str
    tokens: int
    epochs: float


def check_data(root: str, recipe: Recipe) -> list[Source]:
    """The sources, once plans and tokens fit model and schedule. Raises ConfigError or ContractError."""
    sources: dict[tuple[int, str], Source] = {}
    ranges: dict[str, list[tuple[int, int]]] = {}
    epochs: dict[str, float] = {}
    eods, hashes = set(), set()
    for number, stage in enumerate(recipe.stages, 1):
        plan = tables.open_table(root, f"mixtures/stage{number}")
        rows = tables.read(plan)
        listed = [] if rows is None else rows.to_pylist()
        _check_weights(plan.path, listed)
        budget = plan.manifest.facts["budget_tokens"]
        if budget != stage.tokens:
            raise ContractError(
                f"{plan.path}: planned for {budget} tokens, stage{number}.toml asks for {stage.tokens}; "
                "remedy: run make plan again"
            )
        for row in listed:
            facts = _check_bucket(root, row, recipe.model)
            eods.add(facts["eod_id"])
            hashes.add(facts["tokenizer_hash"])
            ranges.setdefault(row["bucket"], []).append((row["document_start"], row["document_end"]))
            drawn = round(row["weight"] * stage.tokens)
            before = sources.get((number, row["source"]), Source(number, row["source"], 0, 0.0))
            passes = drawn / row["tokens"]
            most = max(before.epochs, passes)
            sources[number, row["source"]] = Source(number, row["source"], before.tokens + drawn, most)
            if row["band"] != SYNTHETIC_BAND:
                epochs[row["bucket"]] = max(epochs.get(row["bucket"], 0.0), passes)
        open_ranges(root, number)
    if len(eods) > 1 or len(hashes) > 1:
        raise ContractError(
            f"{root}/tokens: buckets of {len(hashes)} tokenizers with EOD {sorted(eods)}; "
            "remedy: run make tokenize again with --overwrite"
        )
    for bucket, taken in ranges.items():
        if any(after[0] < before[1] for before, after in pairwise(sorted(taken))):
            raise ContractError(
                f"{root}/mixtures: two stages take the same documents of {bucket}; "
                "remedy: run make plan again"
            )
    _check_epochs(root, epochs, recipe)
    return list(sources.values())


def _check_weights(path: str, rows: list[dict]) -> None:
    weights = [row["weight"] for row in rows]
    if abs(sum(weights) - 1.0) > WEIGHT_SUM_TOLERANCE or any(weight <= 0.0 for weight in weights):
        raise ContractError(
            f"{path}: weights from {min(weights, default=0.0)} up sum to {sum(weights)}, not to 1; "
            "remedy: run make plan again"
        )
    buckets = [row["bucket"] for row in rows]
    if len(set(buckets)) < len(buckets):
        raise ContractError(f"{path}: a bucket is planned twice; remedy: run make plan again")


def _check_epochs(root: str, epochs: dict[str, float], recipe: Recipe) -> None:
    """Natural documents are seen at most mixture.toml's number of times (each stage has its own)."""
    most = max(epochs, key=lambda bucket: epochs[bucket], default=None)
    # A plan cuts between documents, so a stage's last document may be drawn a little over the cap.
    if most is not None and epochs[most] > recipe.mixture.max_natural_epochs * (1 + EPOCH_TOLERANCE):
        raise ContractError(
            f"{root}/mixtures: {most} is drawn {epochs[most]:.2f} times, mixture.toml allows "
            f"{recipe.mixture.max_natural_epochs:g}; remedy: run make plan again"
        )


def check_heldout(root: str) -> None:
    """Refuse a run that wants to measure on held-out text that is not there. Raises ContractError."""
    for group in GROUPS:
        open_token_files(tables.open_table(root, f"tokens/heldout/{group}"))


def _check_bucket(root: str, row: dict, model: ModelConfig) -> dict:
    """One bucket's manifest and indexes against the plan's row and the model's vocabulary."""
    table = tables.open_table(root, f"tokens/{row['bucket']}")
    facts = table.manifest.facts
    if facts["vocab_size"] != model.vocab_size:
        raise ConfigError(
            f"model.toml: vocab_size is {model.vocab_size}, {table.path} was made with "
            f"{facts['vocab_size']}; remedy: set vocab_size to the tokenizer's"
        )
    if not 0 <= facts["eod_id"] < facts["vocab_size"]:
        raise ContractError(
            f"{table.path}: EOD {facts['eod_id']} is no token; remedy: run make tokenizer tokenize again"
        )
    documents = sum(len(shard.starts) - 1 for shard in open_token_files(table))
    if documents != facts["num_documents"] or row["document_end"] > documents:
        raise ContractError(
            f"{table.path}: {documents} documents in its shards, {facts['num_documents']} in its manifest, "
            f"{row['document_end']} planned; remedy: run make plan tokenize again"
        )
    return facts


def checkpoint_bytes(model: ModelConfig) -> int:
    """Disk space that the checkpoints of a run need at once."""
    return MIN_CHECKPOINTS * CHECKPOINT_BYTES_PER_PARAMETER * parameters(model)[0]


def check_disk(root: str, model: ModelConfig) -> None:
    """Refuse a file system too small for the run's checkpoints. Raises ConfigError."""
    needed = checkpoint_bytes(model)
    folder = run_folder(root) / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"{folder}: {free / 2**30:.1f} GiB free, checkpoints need {needed / 2**30:.1f}; "
            "remedy: free or mount more"
        )
