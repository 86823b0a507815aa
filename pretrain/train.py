"""Train the stages of a preset in one process per device, exact on resume.

    python -m pretrain.train --preset DIR [--stage N]     or under torchrun

Every step is a pure function of the tokens seen (plan/schedule.py) and of the plan (run/samples.py). A
checkpoint is written every few steps, at the end of each stage, and on a signal (SIGUSR1: training goes on;
SIGTERM: it ends). A killed run continues to the same losses, bit for bit in the same parallel layout. A step
whose loss or gradient is not finite, or far above the last ones, does not change the weights. After several
such steps in a row the run returns to its last checkpoint and skips their samples (run/restore.py).
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

import torch
import typer
from megatron.core import parallel_state
from megatron.core.pipeline_parallel import get_forward_backward_func

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
from configs.job import run_job
from configs.loader import load
from configs.recipe import NUM_STAGES, Recipe, load_recipe
from pretrain.model.batch import documents_in
from pretrain.model.loss import forward_step, global_counts, reduce_losses
from pretrain.model.mimo import set_rotary
from pretrain.plan import schedule, spikes
from pretrain.plan.layout import TrainConfig
from pretrain.plan.schedule import Step
from pretrain.plan.sizes import attended_keys
from pretrain.run import checkpoint, launch
from pretrain.run.checkpoint import Position
from pretrain.run.fingerprints import stage_fingerprints
from pretrain.run.launch import STOP
from pretrain.run.lineage import documents_of_samples
from pretrain.run.optimizer import gradient_norm, set_learning_rate, update
from pretrain.run.restore import Training, restore, roll_back
from pretrain.run.samples import Rows, StageData, micro_batches, open_stage
from pretrain.run.training_log import TrainingLog

logger = logging.getLogger(__name__)

EXIT_ON_SIGTERM = 143  # 128 + SIGTERM, as a shell reports it


def run(place: Place, stage: int | None = None) -> None:
    """Train every stage up to `stage` (default all) that is not finished for this config and these inputs."""
    recipe, config = load_recipe(place.preset), load(place.preset, "train", TrainConfig)
    schedule.check(recipe.schedule, recipe.stages)
    wanted = range(1, (stage or NUM_STAGES) + 1)
    marks = stage_fingerprints(place.input, recipe, config, wanted)
    if place.accept_code and not place.dry_run:
        for number in wanted:
            checkpoint.accept_other_code(place.output, number, marks[number])
    again = () if not place.overwrite else (stage,) if stage else wanted
    todo = [n for n in wanted if n in again or not _is_finished(place.output, n, marks[n])]
    if stage and todo and todo[0] != stage:
        raise ContractError(
            f"{place.output}/checkpoints: stage {todo[0]} is not finished; "
            f"remedy: run make stage{todo[0]} first"
        )
    # --overwrite was weighed above: it means the stages of `again`.
    run_job(
        replace(place, overwrite=False),
        "train",
        f"train stages {todo}",
        lambda: None if todo else list(wanted),
        lambda: _train_stages(place, recipe, config, marks, range(todo[0], wanted[-1] + 1)),
    )


def _is_finished(root: str, stage: int, mark: str) -> bool:
    found = checkpoint.finished_fingerprint(root, stage)
    return found is not None and checkpoint.counts_as(root, stage, found, mark)


def _train_stages(
    place: Place, recipe: Recipe, config: TrainConfig, marks: dict[int, str], todo: range
) -> list[int]:
    """Train the stages from where the run stands to the last one's end; gives their numbers."""
    launch.start(config)
    training, position = restore(place, recipe, config, marks, todo[0])
    for number in range(position.stage, todo[-1] + 1):
        if position.stage < number:
            position = Position(marks[number], number, position.step, position.tokens_seen, 0)
        try:
            data = open_stage(place.input, number, recipe.schedule.seed)
            position, stopped = train_stage(training, place.input, data, position)
        except ContractError:
            # Another rank may not have met the fault: only a run of one process waits for its checkpoint.
            if torch.distributed.get_world_size() == 1:
                training.writer.finish()
            raise
        if stopped:
            training.writer.finish()
            logger.info("stopped by SIGTERM after step %d; run the same command to go on", position.step)
            raise SystemExit(EXIT_ON_SIGTERM)
    training.writer.finish()
    return list(todo)


def train_stage(training: Training, root: str, data: StageData, position: Position) -> tuple[Position, bool]:
    """Run the stage's steps that are left. The second value: a signal ended it early, with a checkpoint."""
    recipe, config = training.recipe, training.config
    set_rotary(training.model, recipe.stages[position.stage - 1].rotary_base)
    end = schedule.stage_start(recipe.stages, position.stage + 1)
    if training.log is None and launch.is_last_rank():
        training.log = TrainingLog(training.root, position, recipe.model, config.wandb_project)
    while position.tokens_seen < end:
        drawn = data.drawn(position.samples)
        for step in _steps(recipe, position):
            position = take_step(training, root, data, position, step, drawn)
            ends, asked = position.tokens_seen == end, training.asked()
            if position.num_skipped == config.max_skipped_steps:
                position = roll_back(training, position)
                break
            training.writer.poll()
            # A step that was skipped may yet be rolled back: the checkpoint before it must stay the last one.
            due = position.step % config.checkpoint_every_steps == 0 and not position.num_skipped
            if ends or asked or due:
                training.writer.start(position, training.model.module, training.optimizer, ends)
            if asked == STOP:
                return position, not ends
    return position, False


def take_step(
    training: Training, root: str, data: StageData, position: Position, step: Step, drawn
) -> Position:
    """One step and its line in the log; `drawn` (StageData.drawn) is moved past its samples."""
    before = drawn.copy()
    rows = data.sequences(position.samples, step.num_sequences, drawn, step.sequence_length)
    after = replace(
        position,
        step=position.step + 1,
        tokens_seen=position.tokens_seen + step.tokens,
        samples=position.samples + step.num_sequences,
    )
    if spikes.is_passed(after.step, position.passed):
        values, why = {"train/skipped": 1.0}, "passed over after a rollback"
    else:
        values, why = train_step(training, step, rows, data, position.history)
        if why is None:
            loss, norm = values["train/loss_nats"], values["train/grad_norm"]
            after = replace(after, history=spikes.remember(position.history, loss, norm), num_skipped=0)
        else:
            after = replace(after, num_skipped=position.num_skipped + 1)
    values |= _heldout(training, after)
    if training.log is not None:
        training.log.step(step, after, values, torch.distributed.get_world_size())
        if why is not None:
            documents = documents_of_samples(
                root, data, position.samples, step.num_sequences, before, step.sequence_length
            )
            training.log.incident(after, "skipped", why, documents)
    return after


def train_step(
    training: Training, step: Step, rows: Rows, data: StageData, history: spikes.History
) -> tuple[dict[str, float], str | None]:
    """Forward and backward over one global batch, then the update, unless spikes.fault says why not.

    Returns losses in nats (whole and per source), the gradient norm, this rank's mean number of keys per
    token, and the fault.
    """
    config, model, optimizer = training.config, training.model, training.optimizer
    size = max(config.micro_batch_tokens // step.sequence_length, 1)
    rank = parallel_state.get_data_parallel_rank()
    ranks = parallel_state.get_data_parallel_world_size()
    batches = list(micro_batches(step, rows, data.eod, size, rank, ranks))
    counts, keys = global_counts(batches), attended_keys(documents_in(batches))
    batches = [batch.to(launch.device()) for batch in batches]
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
    measured = gradient_norm(optimizer)  # on a GPU it is under way before the host waits for the losses
    losses = reduce_losses(sums, batches, len(data.sources))
    norm = float(measured)
    values = {"train/loss_nats": losses.main, "train/mtp_loss_nats": losses.mtp, "train/grad_norm": norm}
    values["time/attended_keys"] = keys
    for source, (main, mtp) in zip(data.sources, losses.by_source, strict=True):
        values |= {f"train/loss_nats/{source}": main, f"train/mtp_loss_nats/{source}": mtp}
    why = spikes.fault(losses.main, losses.mtp, norm, history, config.spike_sigmas)
    if why is None:
        set_learning_rate(optimizer, step.learning_rate, training.recipe.schedule.weight_decay)
        update(optimizer, norm)
    return values | {"train/skipped": float(why is not None)}, why


def _heldout(training: Training, position: Position) -> dict[str, float]:
    every = training.config.heldout_every_steps
    if training.heldout is None or every is None or position.step % every:
        return {}
    return training.heldout.measure(training.model.module)


def _steps(recipe: Recipe, position: Position) -> Iterator[Step]:
    """The steps of the position's stage from there on, numbered over the whole run."""
    for step in schedule.steps(recipe.schedule, recipe.stages, position.tokens_seen):
        if step.stage != position.stage:
            return
        yield replace(step, index=step.index + position.step)


def main(
    preset: PresetOption,
    input: InputOption = None,
    output: OutputOption = None,
    stage: Annotated[
        int | None, typer.Option(min=1, max=NUM_STAGES, help="only this one; default all")
    ] = None,
    overwrite: OverwriteOption = False,
    dry_run: DryRunOption = False,
    accept_code: AcceptCodeOption = False,
) -> None:
    """Train the stages of a preset; exact on resume."""
    configure_logging()
    with refusals_in_one_line():
        run(place_of(preset, input, output, overwrite, dry_run, accept_code), stage)


if __name__ == "__main__":
    run_command(main)
