"""The state of a training run: built and restored from the newest checkpoint, or rolled back to it."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from megatron.core.distributed import DistributedDataParallel
from megatron.core.optimizer import MegatronOptimizer

from configs.command import Place
from configs.contract import ContractError
from configs.recipe import NUM_STAGES, Recipe
from pretrain.model.mimo import build_model
from pretrain.plan.layout import TrainConfig
from pretrain.run import checkpoint, launch
from pretrain.run.checkpoint import Position
from pretrain.run.checkpoint_writer import CheckpointWriter
from pretrain.run.heldout import HeldOut, open_heldout
from pretrain.run.optimizer import build_optimizer, with_gradient_buffers
from pretrain.run.training_log import TrainingLog

logger = logging.getLogger(__name__)


@dataclass
class Training:
    """What the training loop needs in every step."""

    root: str
    recipe: Recipe
    config: TrainConfig
    model: DistributedDataParallel
    optimizer: MegatronOptimizer
    writer: CheckpointWriter
    asked: Callable[[], int]
    """Returns what signals ask for (launch.catch_signals)."""
    heldout: HeldOut | None
    log: TrainingLog | None = None
    """Present on the last rank only."""


def restore(
    place: Place, recipe: Recipe, config: TrainConfig, marks: dict[int, str], first: int
) -> tuple[Training, Position]:
    """Build model and optimizer, load the newest whole checkpoint that fits, and set aside the others."""
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
    ddp = with_gradient_buffers(model)
    ddp.broadcast_params()
    optimizer = build_optimizer(ddp, recipe.schedule, bf16)
    writer = CheckpointWriter(place.output, config.kept_checkpoints)
    heldout = open_heldout(place.input, recipe, config) if config.heldout_every_steps else None
    training = Training(place.output, recipe, config, ddp, optimizer, writer, launch.catch_signals(), heldout)
    position = _load_newest(training, marks, first - 1 if place.overwrite else first)
    reached = 0 if position is None else position.stage
    if torch.distributed.get_rank() == 0:
        for number in range(reached + 1, NUM_STAGES + 1):
            if (aside := checkpoint.set_aside(place.output, number)) is not None:
                logger.info("checkpoints of another recipe: moved to %s", aside)
    if position is None:
        return training, Position(marks[1], 1, 0, 0, 0)
    logger.info("continuing stage %d after step %d", position.stage, position.step)
    return training, position


def _load_newest(training: Training, marks: dict[int, str], first: int) -> Position | None:
    """Load the newest checkpoint of stage `first`, or of the stages before it, that is whole."""
    for number in range(first, 0, -1):
        for position in checkpoint.positions(training.root, number, marks[number]):
            try:
                checkpoint.load(training.root, position, training.model.module, training.optimizer)
            except checkpoint.CheckpointError as error:
                logger.warning("%s: trying the one before", error)
            else:
                return position
    return None


def roll_back(training: Training, position: Position) -> Position:
    """Return to the stage's last checkpoint; all steps up to this one will be skipped.

    Raises ContractError if there is no such checkpoint, or if no step was taken since the last rollback.
    """
    training.writer.finish()
    found = checkpoint.positions(training.root, position.stage, position.fingerprint)
    back = next((one for one in found if one.step <= position.step - position.num_skipped), None)
    if back is None or any(first - 1 <= back.step <= last for first, last in position.passed):
        why = (
            "no checkpoint of this stage is older"
            if back is None
            else "rolled back twice to the same checkpoint; giving up"
        )
        raise ContractError(
            f"{training.root}: {position.num_skipped} steps skipped up to step {position.step}, {why}; "
            "remedy: see train/incidents.jsonl for their documents, or lower schedule.toml's learning rate"
        )
    checkpoint.load(training.root, back, training.model.module, training.optimizer)
    passed = (*position.passed, (back.step + 1, position.step))
    if training.log is not None:
        training.log.cut(back.step)
        training.log.incident(position, "rolled back", f"to step {back.step}", {})
    return replace(back, passed=passed, num_skipped=0)
