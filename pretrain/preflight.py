"""The gate before launch: refuse what cannot run, and print what will.

    python -m pretrain.preflight --preset DIR

Reads presets, plans and token manifests and every .idx; no GPU, no model. With --dry-run, or before the data
exists, it checks and prints the schedule and the model alone. Writes preflight.json last.
Cost: the step list (a few seconds for 1.1 million steps) and one read of every index.
"""

import json
import logging

from configs import tables
from configs.command import Place, main
from configs.contract import ContractError
from configs.loader import load
from configs.recipe import Recipe, load_recipe
from pretrain.plan import schedule
from pretrain.plan.checks import Source, check_data, check_disk, check_heldout, check_layout
from pretrain.plan.sizes import PEAK_FLOPS, Convention, Layout, flops_per_token, memory_per_gpu, parameters
from pretrain.run.launch import TrainConfig, ranks_per_model

logger = logging.getLogger(__name__)

REPORTED_TOKENS = 25_000_000_000_000  # [2.3] "about 25T"; its published pieces sum to 23.784T


def run(place: Place) -> None:
    """Check everything, print the plan, write preflight.json. Raises ConfigError or ContractError."""
    recipe, config = load_recipe(place.preset), load(place.preset, "train", TrainConfig)
    schedule.check(recipe.schedule, recipe.stages)
    check_layout(recipe, config)
    lines = [*schedule_lines(recipe), *model_lines(recipe, config)]
    has_plan = tables.read_manifest(place.input, "mixtures/stage1") is not None
    facts: dict[str, object] = {"parameters": parameters(recipe.model)[0]}
    if has_plan:
        sources = check_data(place.input, recipe)
        lines += source_lines(sources)
        if config.heldout_every_steps:
            check_heldout(place.input)
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
    """Parameters, memory a GPU by component, FLOPs with and without MTP in both conventions, days."""
    model = recipe.model
    total, mtp = parameters(model)
    layout = Layout(
        tensor_parallel=config.tensor_parallel,
        pipeline_parallel=config.pipeline_parallel,
        context_parallel=config.context_parallel,
        data_parallel=config.num_gpus // ranks_per_model(config),
        bf16=config.precision == "bf16",
        recompute=config.recompute,
        micro_batch_tokens=max(config.micro_batch_tokens, *(s.sequence_length for s in recipe.stages)),
    )
    memory = memory_per_gpu(model, layout)
    components = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in memory.items())
    work = _work(recipe, True, "causal")
    days = work / (PEAK_FLOPS * config.flops_utilisation * config.num_gpus) / 86_400
    return [
        f"model: {total:,} parameters, of which the MTP layer {mtp:,}",
        f"memory a GPU: {sum(memory.values()) / 2**30:.1f} GiB at {layout.micro_batch_tokens:,} tokens a "
        f"forward pass: {components}",
        *(_work_line(recipe, convention) for convention in ("causal", "full")),
        f"time: {days:.2f} days on {config.num_gpus} H100-class GPUs at "
        f"{config.flops_utilisation:.0%} of peak, attention counted as causal",
    ]


def _work_line(recipe: Recipe, convention: Convention) -> str:
    have, lack = _work(recipe, True, convention), _work(recipe, False, convention)
    return (
        f"work, attention counted {convention}: {have:.3e} FLOPs with MTP, {lack:.3e} without "
        f"(+{have / lack - 1:.1%})"
    )


def _work(recipe: Recipe, has_mtp: bool, convention: Convention) -> float:
    """FLOPs of the whole run."""
    return sum(
        stage.tokens * flops_per_token(recipe.model, stage.sequence_length, has_mtp, convention)
        for stage in recipe.stages
    )


def source_lines(sources: list[Source]) -> list[str]:
    """Tokens and largest epochs by stage and source."""
    return [
        f"stage {s.stage} draws {s.tokens:,} tokens from {s.source}, up to {s.epochs:.2f} epochs"
        for s in sorted(sources, key=lambda s: (s.stage, -s.tokens))
    ]


if __name__ == "__main__":
    main(run)
