"""Train the stages of a preset in one process per device, exact on resume.

    python -m pretrain.train --preset DIR [--stage N]     or under torchrun

Every step is a pure function of tokens seen (schedule.py) and of the plan (data.py); a checkpoint is written
every few steps, at each stage's end and on SIGTERM; a killed run goes on to the same losses, digit for digit.
Logs: train/metrics.jsonl (one line a step, cut back to the checkpoint on resume) and train/tensorboard.
"""

import json
import logging
import math
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
import typer
from annotated_types import Gt
from megatron.core import parallel_state
from megatron.core.distributed import DistributedDataParallel, DistributedDataParallelConfig
from megatron.core.optimizer import MegatronOptimizer
from megatron.core.pipeline_parallel import get_forward_backward_func
from megatron.core.tensor_parallel.random import model_parallel_cuda_manual_seed
from torch.utils.tensorboard import SummaryWriter

from configs import tables
from configs.command import Place, configure_logging, place_of, refusals_in_one_line
from configs.contract import ContractError
from configs.loader import Config, ConfigError, load
from configs.recipe import NUM_STAGES, Positive, Recipe, load_recipe
from pretrain import checkpoint, compat, schedule
from pretrain.checkpoint import Position
from pretrain.data import StageData, micro_batches, open_stage
from pretrain.loss import forward_step, global_counts, reduce_losses
from pretrain.model import build_model, set_rotary, start_single_process
from pretrain.optimizer import build_optimizer, set_learning_rate
from pretrain.schedule import Step

logger = logging.getLogger(__name__)

MODULES = tuple(
    f"pretrain.{name}"
    for name in ("train", "schedule", "data", "model", "attention", "mtp", "loss", "optimizer", "compat")
)
"""What a stage's result depends on."""

EXIT_ON_SIGTERM = 143  # 128 + SIGTERM, as a shell reports it


class TrainConfig(Config):
    """How training is laid out on the machine; nothing here changes what is learned, but rounding."""

    micro_batch_tokens: Annotated[int, Gt(0)]
    """Tokens of one forward pass on one rank: so many whole sequences, at least one."""
    tensor_parallel: Positive
    pipeline_parallel: Positive
    precision: Literal["fp32", "bf16"]
    recompute: bool
    """Recompute every layer's activations in the backward pass."""
    checkpoint_every_steps: Positive
    cpu_threads: Positive
    """Of torch, where there is no GPU; part of the arithmetic, so stated."""
    num_gpus: Positive
    """GPUs that preflight plans for."""
    flops_utilisation: Annotated[float, Gt(0.0)]
    """Share of a GPU's peak that preflight counts on."""


@dataclass
class Training:
    """What the loop carries from step to step."""

    recipe: Recipe
    config: TrainConfig
    model: DistributedDataParallel
    optimizer: MegatronOptimizer
    root: str


def run(place: Place, stage: int | None = None) -> None:
    """Train every stage up to `stage` (default all) that is not finished for this config and these inputs."""
    recipe, config = load_recipe(place.preset), load(place.preset, "train", TrainConfig)
    schedule.check(recipe.schedule, recipe.stages)
    wanted = range(1, (stage or NUM_STAGES) + 1)
    marks = fingerprints(place.input, recipe, config, wanted)
    todo = [
        n for n in wanted if place.overwrite or checkpoint.finished_fingerprint(place.output, n) != marks[n]
    ]
    if stage and todo and todo[0] != stage:
        raise ContractError(
            f"{place.output}/checkpoints: stage {todo[0]} is not finished; "
            f"remedy: run make stage{todo[0]} first"
        )
    if not todo:
        logger.info("stages %s are up to date", list(wanted))
        return
    if place.dry_run:
        logger.info("would train stages %s", todo)
        return
    stop = _catch_sigterm()
    _start(config)
    training, position = _restore(place, recipe, config, marks, todo)
    for number in todo:
        if position.stage < number:
            position = Position(marks[number], number, position.step, position.tokens_seen, 0)
        position = train_stage(
            training, open_stage(place.input, number, recipe.schedule.seed), position, stop
        )
        if stop:
            logger.info("stopped by SIGTERM after step %d; run the same command to go on", position.step)
            raise SystemExit(EXIT_ON_SIGTERM)


def fingerprints(root: str, recipe: Recipe, config: TrainConfig, stages: range) -> dict[int, str]:
    """What each stage's end depends on: its plan and tokens, everything before it, and our code."""
    marks: dict[int, str] = {}
    shared = {
        "model": recipe.model.model_dump(),
        "schedule": recipe.schedule.model_dump(),
        "train": config.model_dump(),
    }
    for number in stages:
        plan = tables.open_table(root, f"mixtures/stage{number}")
        rows = tables.read(plan, ["bucket"])
        buckets = [] if rows is None else sorted(rows["bucket"].to_pylist())
        inputs = {name: tables.open_table(root, f"tokens/{name}").manifest.digest for name in buckets}
        inputs |= {"plan": plan.manifest.digest, "before": marks.get(number - 1, "")}
        settings = shared | {"stage": recipe.stages[number - 1].model_dump()}
        marks[number] = tables.fingerprint("train", settings, inputs, MODULES)
    return marks


def train_stage(training: Training, data: StageData, position: Position, stop: list[int]) -> Position:
    """Run the stage's steps that are left; ends early, with a checkpoint, once `stop` is filled."""
    recipe, config = training.recipe, training.config
    set_rotary(training.model, recipe.stages[position.stage - 1].rotary_base)
    drawn = data.drawn(position.samples)
    end = schedule.stage_start(recipe.stages, position.stage + 1)
    log = _Log(training.root, position) if _is_last_rank() else None
    for step in _steps(recipe, position):
        started = time.monotonic()
        rows = data.sequences(position.samples, step.num_sequences, drawn, step.sequence_length)
        values = train_step(training, step, rows, data.eod)
        position = replace(
            position,
            step=position.step + 1,
            tokens_seen=position.tokens_seen + step.tokens,
            samples=position.samples + step.num_sequences,
        )
        if log is not None:
            log.write(step, position, values, time.monotonic() - started)
        ends, stops = position.tokens_seen == end, _any_rank(stop)
        if ends or stops or position.step % config.checkpoint_every_steps == 0:
            checkpoint.save(training.root, position, training.model.module, training.optimizer, ends)
        if stops:
            stop.append(signal.SIGTERM)
            break
    if log is not None:
        log.close()
    return position


def train_step(training: Training, step: Step, rows, eod: int) -> dict[str, float]:
    """Forward, backward and update over one global batch; returns the losses (nats) and the gradient norm.

    Raises ContractError, before the weights change, if a loss is not finite.
    """
    config, model, optimizer = training.config, training.model, training.optimizer
    size = max(config.micro_batch_tokens // step.sequence_length, 1)
    rank = parallel_state.get_data_parallel_rank()
    ranks = parallel_state.get_data_parallel_world_size()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    batches = [batch.to(device) for batch in micro_batches(step, rows, eod, size, rank, ranks)]
    counts = global_counts(batches)
    model.zero_grad_buffer()
    optimizer.zero_grad()
    sums = get_forward_backward_func()(
        forward_step_func=forward_step(counts, step.mtp_loss_weight),
        data_iterator=iter(batches),
        model=[model],
        num_microbatches=len(batches),
        seq_length=step.sequence_length,
        micro_batch_size=size,
        forward_only=False,
    )
    main, mtp = reduce_losses(sums, counts, device)
    if not math.isfinite(main) or not math.isfinite(mtp):
        raise ContractError(
            f"step {step.index}: loss {main}, MTP loss {mtp} at token {step.tokens_seen}; "
            "remedy: lower schedule.toml's learning rate; the last checkpoint is from before"
        )
    set_learning_rate(optimizer, step.learning_rate, training.recipe.schedule.weight_decay)
    _, grad_norm, _ = optimizer.step()
    return {"train/loss_nats": main, "train/mtp_loss_nats": mtp, "train/grad_norm": float(grad_norm)}


def _steps(recipe: Recipe, position: Position) -> Iterator[Step]:
    """The steps of the position's stage from there on, numbered over the whole run."""
    for step in schedule.steps(recipe.schedule, recipe.stages, position.tokens_seen):
        if step.stage != position.stage:
            return
        yield replace(step, index=step.index + position.step)


def _restore(
    place: Place, recipe: Recipe, config: TrainConfig, marks: dict[int, str], todo: list[int]
) -> tuple[Training, Position]:
    """Build model and optimizer, load the newest checkpoint that fits, delete those that do not."""
    first = todo[0]
    stage = recipe.stages[first - 1]
    torch.manual_seed(recipe.schedule.seed)
    bf16 = config.precision == "bf16"
    model = build_model(
        recipe.model,
        sequence_length=stage.sequence_length,
        rotary_base=stage.rotary_base,
        tensor_parallel=config.tensor_parallel,
        pipeline_parallel=config.pipeline_parallel,
        bf16=bf16,
        recompute=config.recompute,
    )
    ddp_config = DistributedDataParallelConfig(grad_reduce_in_fp32=True, use_distributed_optimizer=True)
    ddp = DistributedDataParallel(model.config, ddp_config, model)
    ddp.broadcast_params()
    training = Training(recipe, config, ddp, build_optimizer(ddp, recipe.schedule, bf16), place.output)
    position = None if place.overwrite else checkpoint.latest(place.output, first, marks[first])
    if position is None and first > 1:
        position = checkpoint.latest(place.output, first - 1, marks[first - 1])
    if torch.distributed.get_rank() == 0:
        for number in todo[0 if position is None or position.stage < first else 1 :]:
            checkpoint.discard(place.output, number)
    if position is None:
        return training, Position(marks[1], 1, 0, 0, 0)
    checkpoint.load(place.output, position, model, training.optimizer)
    logger.info("continuing stage %d after step %d", position.stage, position.step)
    return training, position


class _Log:
    """train/metrics.jsonl, cut back to a position, and TensorBoard from there on."""

    def __init__(self, root: str, position: Position):
        folder = Path(root.removeprefix("file://")) / "train"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "metrics.jsonl"
        kept = _lines_before(path, position.step)
        path.write_text("".join(kept), encoding="utf-8")
        self.file = path.open("a", encoding="utf-8")
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=position.step)

    def write(self, step: Step, position: Position, values: dict[str, float], seconds: float) -> None:
        """One line: what is a function of the seed, then under `time/` what is not."""
        values = {
            **values,
            "train/learning_rate": step.learning_rate,
            "train/mtp_loss_weight": step.mtp_loss_weight,
            "train/batch_tokens": step.tokens,
            "train/sequence_length": step.sequence_length,
            "train/rotary_base": step.rotary_base,
        }
        where = {"step": position.step, "stage": step.stage, "tokens_seen": position.tokens_seen}
        rate = {"time/tokens_per_second": round(step.tokens / seconds, 1)}
        self.file.write(json.dumps(where | values | rate) + "\n")
        self.file.flush()
        for name, value in (values | rate).items():
            self.board.add_scalar(name, value, position.tokens_seen)
        if position.step % 10 == 1:
            logger.info(
                "stage %d step %d: %s tokens, loss %.4f, MTP loss %.4f, %.0f tokens/s",
                step.stage, position.step, f"{position.tokens_seen:,}", values["train/loss_nats"],
                values["train/mtp_loss_nats"], rate["time/tokens_per_second"],
            )  # fmt: skip

    def close(self) -> None:
        self.file.close()
        self.board.close()


def _lines_before(path: Path, step: int) -> list[str]:
    """Whole lines of steps up to `step`."""
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []:
        if line.endswith("\n") and json.loads(line)["step"] <= step:
            kept.append(line)
    return kept


def _start(config: TrainConfig) -> None:
    """Process group and parallel state, from torchrun's environment or for this process alone."""
    compat.install()
    torch.set_num_threads(config.cpu_threads)
    torch.use_deterministic_algorithms(not torch.cuda.is_available())
    split = config.tensor_parallel * config.pipeline_parallel
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world % split:
        raise ConfigError(
            f"train.toml: tensor_parallel x pipeline_parallel is {split}, torchrun started {world}; "
            f"remedy: torchrun --nproc-per-node with a multiple of {split}"
        )
    if world == 1:
        start_single_process()
        return
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    parallel_state.initialize_model_parallel(config.tensor_parallel, config.pipeline_parallel)
    if torch.cuda.is_available():
        model_parallel_cuda_manual_seed(0)


def _catch_sigterm() -> list[int]:
    """A list that SIGTERM fills."""
    stop: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: stop.append(number))
    return stop


def _any_rank(stop: list[int]) -> bool:
    """True on all ranks if any was told to stop."""
    if torch.distributed.get_world_size() == 1:
        return bool(stop)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    flag = torch.tensor([len(stop)], device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())


def _is_last_rank() -> bool:
    return torch.distributed.get_rank() == torch.distributed.get_world_size() - 1


def main(
    preset: Annotated[Path, typer.Option(help="folder of TOML files, e.g. configs/tiny")],
    input: Annotated[str | None, typer.Option(help="root of the tables read; default runs/<preset>")] = None,
    output: Annotated[str | None, typer.Option(help="root of the run written; default the input")] = None,
    stage: Annotated[
        int | None, typer.Option(min=1, max=NUM_STAGES, help="only this one; default all")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="train from the start again")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="check and print, train nothing")] = False,
) -> None:
    """Train the stages of a preset; exact on resume."""
    configure_logging()
    with refusals_in_one_line():
        run(place_of(preset, input, output, overwrite, dry_run), stage)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command()(main)
    app()
