"""The gate before launch (MiMo-7B report, arXiv 2505.07608): print what will run, refuse what cannot.

    python -m pretrain.preflight --preset DIR [--plan-only]

Prints the plan from the preset alone: schedule, model, memory, work, tokens and disk. Then it reads mixtures,
token manifests and every .idx, verifies every token file that the plan draws from (plan/verify_tokens.py),
and writes preflight.json last. With --plan-only it ends after the plan.
No GPU and no model: neither torch nor megatron is imported.
Cost: a second for the plan, then one read of all tokens; a second run reads only the files that changed.
"""

import json
import math
from typing import Annotated

import typer
from annotated_types import Gt

from configs import tables
from configs.bounds import Fraction, Positive
from configs.command import (
    AcceptCodeOption,
    DryRunOption,
    InputOption,
    OutputOption,
    OverwriteOption,
    Place,
    PresetOption,
    configure_logging,
    place_of,
    refusals_in_one_line,
    run_command,
)
from configs.contract import ContractError
from configs.loader import Config, load
from configs.recipe import Recipe, load_recipe
from pretrain.plan import schedule
from pretrain.plan.checks import Source, check_data, check_disk, check_heldout, checkpoint_bytes
from pretrain.plan.layout import TrainConfig, check_layout, layout_of
from pretrain.plan.sizes import (
    PEAK_FLOPS,
    Convention,
    flops_per_token,
    memory_per_gpu,
    parameters,
    whole_row_keys,
)
from pretrain.plan.token_files import GROUPS, planned_buckets
from pretrain.plan.verify_tokens import verify_tokens

REPORTED_TOKENS = 25_000_000_000_000  # [2.3] "about 25T"; its published pieces sum to 23.784T


class PreflightConfig(Config):
    """preflight.toml: the machines that the plan is made for."""

    num_gpus: Positive
    """GPUs of the whole run."""
    flops_utilisation: Annotated[Fraction, Gt(0.0)]
    """Share of a GPU's peak FLOP/s that training is expected to reach."""


def run(place: Place, plan_only: bool = False) -> None:
    """Print the plan, check the data, write preflight.json. Raises ConfigError or ContractError."""
    recipe, config = load_recipe(place.preset), load(place.preset, "train", TrainConfig)
    machines = load(place.preset, "preflight", PreflightConfig)
    schedule.check(recipe.schedule, recipe.stages)
    check_layout(recipe, config, machines.num_gpus)
    plan = [*schedule_lines(recipe), *model_lines(recipe, config, machines), *budget_lines(recipe)]
    print("\n".join(plan), flush=True)  # before what may be refused below
    has_mixtures = tables.read_manifest(place.input, "mixtures/stage1") is not None
    missing = f"{place.input}/mixtures: the token tables are not there yet; remedy: run make plan tokenize"
    if plan_only:
        if not has_mixtures:
            print(missing)
        return
    if not has_mixtures:
        raise ContractError(missing)
    sources = check_data(place.input, recipe)
    names = [f"tokens/{bucket}" for bucket in planned_buckets(place.input)]
    if config.heldout_every_steps:
        check_heldout(place.input)
        names += [f"tokens/heldout/{group}" for group in GROUPS]
    verify_tokens(place.input, names, place.output, writes_memory=not place.dry_run)
    check_disk(place.output, recipe.model)
    drawn = source_lines(sources)
    print("\n".join(drawn))
    if not place.dry_run:
        facts = {"parameters": parameters(recipe.model)[0], "sources": [vars(source) for source in sources]}
        report = facts | {"lines": plan + drawn}
        _write_report(place.output, json.dumps(report, indent=1, sort_keys=True) + "\n")


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
    counts = schedule.count_steps(recipe.schedule, recipe.stages)
    lines = []
    for number, (stage, steps) in enumerate(zip(recipe.stages, counts, strict=True), 1):
        start = schedule.stage_start(recipe.stages, number)
        lines.append(
            f"stage {number}: tokens {start:,} to {start + stage.tokens:,}, {steps:,} steps, "
            f"sequence {stage.sequence_length:,}, batch {stage.global_batch_size:,}, "
            f"RoPE base {stage.rotary_base:,}"
        )
    if (ramp := recipe.schedule.batch_warmup) is not None:
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
    lines.append(f"total: {total:,} tokens, {sum(counts):,} steps")
    if abs(total - REPORTED_TOKENS) < 0.1 * REPORTED_TOKENS:
        lines.append(
            f"the report's pieces sum to {total / 1e12:.3f}T, its text says about "
            f"{REPORTED_TOKENS / 1e12:.0f}T: {(REPORTED_TOKENS - total) / 1e12:.3f}T are not accounted for"
        )
    return lines


def model_lines(recipe: Recipe, config: TrainConfig, machines: PreflightConfig) -> list[str]:
    """Parameters, memory per GPU by component, FLOPs with and without MTP in both conventions, days."""
    total, mtp = parameters(recipe.model)
    layout = layout_of(recipe, config, machines.num_gpus)
    memory = memory_per_gpu(recipe.model, layout)
    components = ", ".join(f"{name} {size / 2**30:.1f}" for name, size in memory.items())
    flops_per_second = PEAK_FLOPS * machines.flops_utilisation * machines.num_gpus
    days = _work(recipe, True, "causal") / flops_per_second / 86_400
    return [
        f"model: {total:,} parameters, of which the MTP layer {mtp:,}",
        f"memory per GPU: {sum(memory.values()) / 2**30:.1f} GiB at {layout.micro_batch_tokens:,} tokens per "
        f"forward pass: {components}",
        *(_work_line(recipe, convention) for convention in ("causal", "full")),
        f"time: {days:.2f} days on {machines.num_gpus} H100-class GPUs at "
        f"{machines.flops_utilisation:.0%} of peak, attention counted as causal",
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
        stage.tokens
        * flops_per_token(recipe.model, whole_row_keys(stage.sequence_length, convention), has_mtp)
        for stage in recipe.stages
    )


def budget_lines(recipe: Recipe) -> list[str]:
    """Tokens that each stage asks for by kind, how many of them must differ, and the disk for checkpoints."""
    lines, natural_tokens = [], 0
    for number, (stage, asked) in enumerate(zip(recipe.stages, recipe.mixture.stages, strict=True), 1):
        synthetic = round(stage.tokens * asked.synthetic_fraction)
        natural_tokens += stage.tokens - synthetic
        share = asked.math_and_code_fraction
        kind = "by the domains' weights" if share is None else f"{share:.0%} of them mathematics and code"
        lines.append(
            f"budget of stage {number}: {stage.tokens - synthetic:,} natural tokens, {kind}; "
            f"{synthetic:,} synthetic tokens"
        )
    epochs = recipe.mixture.max_natural_epochs
    return [
        *lines,
        f"natural text: at least {math.ceil(natural_tokens / epochs):,} distinct tokens at {epochs:g} epochs",
        f"disk: {checkpoint_bytes(recipe.model) / 2**30:.1f} GiB for checkpoints",
    ]


def source_lines(sources: list[Source]) -> list[str]:
    """Tokens and largest epochs by stage and source."""
    return [
        f"stage {s.stage} draws {s.tokens:,} tokens from {s.source}, up to {s.epochs:.2f} epochs"
        for s in sorted(sources, key=lambda s: (s.stage, -s.tokens))
    ]


def main(
    preset: PresetOption,
    input: InputOption = None,
    output: OutputOption = None,
    plan_only: Annotated[
        bool, typer.Option("--plan-only", help="print the plan from the preset, read no token, write nothing")
    ] = False,
    overwrite: OverwriteOption = False,
    dry_run: DryRunOption = False,
    accept_code: AcceptCodeOption = False,
) -> None:
    """The gate before launch: print what will run, refuse what cannot."""
    configure_logging()
    with refusals_in_one_line():
        run(place_of(preset, input, output, overwrite, dry_run, accept_code), plan_only)


if __name__ == "__main__":
    run_command(main)
