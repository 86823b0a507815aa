"""What the end of each stage depends on: a finished stage of the same fingerprint is not trained again."""

from configs import tables
from configs.code_closure import code_hash
from configs.job import mark, work_half
from configs.recipe import Recipe
from pretrain.run.launch import TrainConfig


def stage_fingerprints(root: str, recipe: Recipe, config: TrainConfig, stages: range) -> dict[int, str]:
    """What each stage's end depends on: its plan and tokens, everything before it, and our code.

    Not the layout: a run may go on with other parallelism.
    """
    marks: dict[int, str] = {}
    shared = {
        "model": recipe.model.model_dump(),
        "schedule": recipe.schedule.model_dump(),
        "train": config.model_dump(include={"precision", "spike_sigmas", "max_skipped_steps"}),
    }
    for number in stages:
        plan = tables.open_table(root, f"mixtures/stage{number}")
        rows = tables.read(plan, ["bucket"])
        buckets = [] if rows is None else sorted(rows["bucket"].to_pylist())
        inputs = {name: tables.open_table(root, f"tokens/{name}").manifest.digest for name in buckets}
        inputs |= {"plan": plan.manifest.digest, "before": work_half(marks.get(number - 1, ""))}
        settings = shared | {"stage": recipe.stages[number - 1].model_dump()}
        marks[number] = mark(code_hash("pretrain.train"), "train", settings, inputs)
    return marks
