"""The gate before launch: refuse what cannot run, and print what will.

    python -m pretrain.preflight --preset DIR

Reads presets, plans and token manifests and every .idx; no GPU, no model. With --dry-run, or before the data
exists, it checks and prints the schedule and the model alone. Writes preflight.json last.
Cost: the step list (a few seconds for 1.1 million steps) and one read of every index.
"""

import json
import logging
import shutil
from dataclasses import dataclass
from itertools import pairwise

from configs import tables
from configs.command import Place, main
from configs.contract import ContractError
from configs.loader import ConfigError, load
from configs.recipe import ModelConfig, Recipe, load_recipe
from pretrain import checkpoint, schedule
from pretrain.data import open_shard
from pretrain.launch import TrainConfig
from pretrain.sizes import PEAK_FLOPS, flops_per_token, parameters

logger = logging.getLogger(__name__)

REPORTED_TOKENS = 25_000_000_000_000  # [2.3] "about 25T"; its published pieces sum to 23.784T
WEIGHT_SUM_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Source:
    """What one stage draws from one source of the plan."""

    stage: int
    source: str
    tokens: int
    epochs: float


def run(place: Place) -> None:
    """Check everything, print the plan, write preflight.json. Raises ConfigError or ContractError."""
    recipe, config = load_recipe(place.preset), load(place.preset, "train", TrainConfig)
    schedule.check(recipe.schedule, recipe.stages)
    check_batches(recipe, config)
    lines = [*schedule_lines(recipe), *model_lines(recipe, config)]
    has_plan = tables.read_manifest(place.input, "mixtures/stage1") is not None
    facts: dict[str, object] = {"parameters": parameters(recipe.model)[0]}
    if has_plan:
        sources = check_data(place.input, recipe)
        lines += source_lines(sources)
        check_disk(place.output, recipe.model)
        facts["sources"] = [vars(source) for source in sources]
    elif not place.dry_run:
        raise ContractError(
            f"{place.input}/mixtures: no plan; remedy: run make plan tokenize first, or --dry-run"
        )
    print("\n".join(lines))
    if not place.dry_run:
        _write_report(place.output, json.dumps(facts | {"lines": lines}, indent=1, sort_keys=True) + "\n")


def _write_report(root: str, report: str) -> None:
    """Write preflight.json, unless it says the same already."""
    try:
        is_known = tables.read_bytes(root, "preflight.json").decode() == report
    except FileNotFoundError:
        is_known = False
    if not is_known:
        tables.write_bytes(root, "preflight.json", report.encode())


def check_batches(recipe: Recipe, config: TrainConfig) -> None:
    """Refuse batches that the layout cannot split evenly. Raises ConfigError."""
    ranks = config.num_gpus // (config.tensor_parallel * config.pipeline_parallel)
    if ranks * config.tensor_parallel * config.pipeline_parallel != config.num_gpus:
        raise ConfigError(
            f"train.toml: num_gpus is {config.num_gpus}, not a multiple of "
            f"tensor_parallel x pipeline_parallel {config.tensor_parallel * config.pipeline_parallel}; "
            "remedy: choose one"
        )
    ramp = recipe.schedule.batch_warmup
    batches = [
        (f"stage{n}.toml: global_batch_size", s.global_batch_size) for n, s in enumerate(recipe.stages, 1)
    ]
    if ramp.tokens:
        batches += [
            ("schedule.toml: batch_warmup.start", ramp.start),
            ("schedule.toml: batch_warmup.increment", ramp.increment),
        ]
    for name, batch in batches:
        if batch % ranks:
            raise ConfigError(
                f"{name} {batch} is not a multiple of {ranks} data-parallel ranks; remedy: make it one"
            )


def schedule_lines(recipe: Recipe) -> list[str]:
    """Stages, steps, breakpoints, and the difference between the report's pieces and its total."""
    counts: dict[tuple[int, int], int] = {}
    for step in schedule.steps(recipe.schedule, recipe.stages):
        key = (step.stage, step.num_sequences)
        counts[key] = counts.get(key, 0) + 1
    lines = []
    for number, stage in enumerate(recipe.stages, 1):
        steps = sum(count for (of_stage, _), count in counts.items() if of_stage == number)
        start = schedule.stage_start(recipe.stages, number)
        lines.append(
            f"stage {number}: tokens {start:,} to {start + stage.tokens:,}, {steps:,} steps, "
            f"sequence {stage.sequence_length:,}, batch {stage.global_batch_size:,}, "
            f"RoPE base {stage.rotary_base:,}"
        )
    ramp = recipe.schedule.batch_warmup
    lines.append(f"batch ramp: {ramp.start} by {ramp.increment} over {ramp.tokens:,} tokens")
    at = 0
    for piece in recipe.schedule.learning_rate:
        lines.append(
            f"learning rate: {piece.shape} {piece.start:g} -> {piece.end:g}, "
            f"tokens {at:,} to {at + piece.tokens:,}"
        )
        at += piece.tokens
    lines += [
        f"MTP loss weight: {w.weight:g} from token {w.from_token:,}" for w in recipe.schedule.mtp_loss_weight
    ]
    total = schedule.total_tokens(recipe.stages)
    lines.append(f"total: {total:,} tokens, {sum(counts.values()):,} steps")
    if abs(total - REPORTED_TOKENS) < 0.1 * REPORTED_TOKENS:
        lines.append(
            f"the report's pieces sum to {total / 1e12:.3f}T, its text says about "
            f"{REPORTED_TOKENS / 1e12:.0f}T: {(REPORTED_TOKENS - total) / 1e12:.3f}T are not accounted for"
        )
    return lines


def model_lines(recipe: Recipe, config: TrainConfig) -> list[str]:
    """Parameters, memory a GPU, FLOPs and days."""
    model = recipe.model
    total, mtp = parameters(model)
    ways = config.tensor_parallel * config.pipeline_parallel
    ranks = config.num_gpus // ways
    size = 2 if config.precision == "bf16" else 4
    # Weights, fp32 gradients, and this rank's share of fp32 master weights and two moments.
    per_gpu = total / ways * (size + 4 + (12 if size == 2 else 8) / ranks)
    work = {
        has_mtp: sum(
            stage.tokens * flops_per_token(model, stage.sequence_length, has_mtp) for stage in recipe.stages
        )
        for has_mtp in (True, False)
    }
    days = work[True] / (PEAK_FLOPS * config.flops_utilisation * config.num_gpus) / 86_400
    return [
        f"model: {total:,} parameters, of which the MTP layer {mtp:,}",
        f"memory a GPU: {per_gpu / 2**30:.1f} GiB of weights, gradients, optimizer state, before activations",
        f"work: {work[True]:.3e} FLOPs with MTP, {work[False]:.3e} without "
        f"(+{work[True] / work[False] - 1:.1%})",
        f"time: {days:.2f} days on {config.num_gpus} H100-class GPUs at "
        f"{config.flops_utilisation:.0%} of peak",
    ]


def check_data(root: str, recipe: Recipe) -> list[Source]:
    """The sources, once plans and tokens fit model and schedule. Raises ConfigError or ContractError."""
    sources: dict[tuple[int, str], Source] = {}
    ranges: dict[str, list[tuple[int, int]]] = {}
    eods, hashes = set(), set()
    for number, stage in enumerate(recipe.stages, 1):
        plan = tables.open_table(root, f"mixtures/stage{number}")
        rows = tables.read(plan)
        weights = 0.0 if rows is None else sum(rows["weight"].to_pylist())
        if rows is None or abs(weights - 1.0) > WEIGHT_SUM_TOLERANCE:
            raise ContractError(f"{plan.path}: weights sum to {weights}, not 1; remedy: run make plan again")
        budget = plan.manifest.facts["budget_tokens"]
        if budget != stage.tokens:
            raise ContractError(
                f"{plan.path}: planned for {budget} tokens, stage{number}.toml asks for {stage.tokens}; "
                "remedy: run make plan again"
            )
        for row in rows.to_pylist():
            facts = _check_bucket(root, row, recipe.model)
            eods.add(facts["eod_id"])
            hashes.add(facts["tokenizer_hash"])
            ranges.setdefault(row["bucket"], []).append((row["document_start"], row["document_end"]))
            drawn = round(row["weight"] * stage.tokens)
            before = sources.get((number, row["source"]), Source(number, row["source"], 0, 0.0))
            epochs = max(before.epochs, drawn / row["tokens"])
            sources[number, row["source"]] = Source(number, row["source"], before.tokens + drawn, epochs)
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
    return list(sources.values())


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
    documents = sum(len(open_shard(f"{table.path}/{name}").starts) - 1 for name in facts["prefixes"])
    if documents != facts["num_documents"] or row["document_end"] > documents:
        raise ContractError(
            f"{table.path}: {documents} documents in its shards, {facts['num_documents']} in its manifest, "
            f"{row['document_end']} planned; remedy: run make plan tokenize again"
        )
    return facts


def source_lines(sources: list[Source]) -> list[str]:
    """Tokens and largest epochs by stage and source."""
    return [
        f"stage {s.stage} draws {s.tokens:,} tokens from {s.source}, up to {s.epochs:.2f} epochs"
        for s in sorted(sources, key=lambda s: (s.stage, -s.tokens))
    ]


def check_disk(root: str, model: ModelConfig) -> None:
    """Refuse a file system too small for four checkpoints of 16 bytes a parameter. Raises ConfigError."""
    needed = 4 * 16 * parameters(model)[0]
    folder = checkpoint.folder(root, 1).parent.parent
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConfigError(
            f"{folder}: {free / 2**30:.1f} GiB free, checkpoints need {needed / 2**30:.1f}; "
            "remedy: free or mount more"
        )


if __name__ == "__main__":
    main(run)
