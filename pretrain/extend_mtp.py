"""Add MTP layers for serving: copies of the trained one, tuned to predict tokens further ahead.

    python -m pretrain.extend_mtp --preset DIR       or under torchrun, data-parallel

1. Load the last stage's weights and make `num_copies` copies of its MTP layer.
2. Train the copies only. Copy j reads the main model's hidden state of a position and the token j + 1
   positions later, and learns to predict the next token (as decoding/generate.py drafts), on the last
   stage's data.
3. Write two measurements into the manifest, before and after tuning: `on_text`, the agreement of each layer
   with held-out text (these figures vary less), and `served`, how many drafts are accepted while decoding.
   Before tuning, `served` uses the one trained layer for every draft.
The result is <root>/extended, a model folder like <root>/export, whose `num_nextn_predict_layers` is
1 + num_copies. It has no manifest until it is complete.
Cost: forward passes of the main model and the training of the copies; a minute for the tiny preset on a CPU.
A killed run measures again and continues from its last state (mtp_copies/state.py), to the same weights.
"""

import logging
import time
from dataclasses import asdict

import torch

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest, Part
from configs.job import Job, commit, find_table, run_job
from configs.loader import ConfigError, load
from configs.recipe import Recipe, StageConfig, load_recipe
from configs.storage.shard_log import ShardLog
from pretrain.decoding.acceptance import compare, decode_all
from pretrain.export_hf import write_model, write_tokenizer
from pretrain.hf.layout import dtype_name, hf_config, hf_tensors, num_mtp_layers
from pretrain.model.mimo import MimoModel
from pretrain.model.mtp import append_copies, shift_within_documents
from pretrain.mtp_copies.state import TuningState
from pretrain.mtp_copies.tune import ExtendConfig, targets, tune
from pretrain.plan.layout import TrainConfig
from pretrain.run import checkpoint, launch
from pretrain.run.finished import checkpoint_root, finished_model, finished_stages
from pretrain.run.heldout import NUM_ROWS_IN_TRAINING, Sample, heldout_samples, overlap, predict

logger = logging.getLogger(__name__)


def run(place: Place) -> Manifest | None:
    """Extend the last finished stage; skip if this was done for its checkpoint already."""
    recipe, config = load_recipe(place.preset), load(place.preset, "extend_mtp", ExtendConfig)
    training = load(place.preset, "train", TrainConfig)
    if not recipe.model.mtp_num_layers:
        raise ConfigError(
            "model.toml: mtp_num_layers is 0, there is no layer to copy; remedy: train with one"
        )
    stage, digest = max(finished_stages(checkpoint_root(place)).items())
    tokenizer = tables.open_table(place.input, "tokenizer")
    inputs = {f"checkpoints/stage{stage}": digest, "tokenizer": tokenizer.manifest.digest}
    resolved = {"recipe": recipe.model_dump(), "extend": config.model_dump(), "train": training.model_dump()}
    job = Job("extend-mtp", "extended", code_hash(__name__), resolved, inputs)
    state = TuningState(checkpoint.folder(place.output, stage).with_name("extended"), job.fingerprint())

    def find() -> Manifest | None:
        found = find_table(place, job)
        if found is not None:
            state.discard()  # a run may be killed between its last two steps
        return found

    def work() -> Manifest | None:
        if place.overwrite:
            state.discard()
        began = time.monotonic()
        whole = {"tensor_parallel": 1, "pipeline_parallel": 1, "context_parallel": 1}
        launch.start(training.model_copy(update=whole))
        model = finished_model(
            checkpoint_root(place), stage, recipe.model, recipe.stages[stage - 1], training
        )
        measured = _extend(model, place.input, recipe, stage, config, training.micro_batch_tokens, state)
        if torch.distributed.get_rank():
            return None
        parts, facts = _write(place.output, model, recipe.stages[stage - 1], tokenizer)
        facts = {"stage": stage} | facts | measured
        manifest = commit(place.output, job, ShardLog.of({}), began, parts=parts, facts=facts)
        state.discard()
        return manifest

    what = f"tune {config.num_copies} copies on {config.tokens} tokens of stage {stage}"
    return run_job(place, "extend-mtp", what, find, work)


def _extend(
    model: MimoModel,
    root: str,
    recipe: Recipe,
    stage: int,
    config: ExtendConfig,
    micro_batch_tokens: int,
    state: TuningState,
) -> dict[str, object]:
    """Give the model its tuned copies; what was measured before and after."""
    samples = heldout_samples(root, recipe.stages[0].sequence_length, NUM_ROWS_IN_TRAINING)
    num_drafts = 1 + config.num_copies
    served = {"before": serve(model, samples, num_drafts)}
    append_copies(model.mtp, config.num_copies)
    read = {"before": {group: on_text(model, sample) for group, sample in samples.items()}}
    losses = tune(model, root, recipe, stage, config, micro_batch_tokens, state)
    served["after"] = serve(model, samples, num_drafts)
    read["after"] = {group: on_text(model, sample) for group, sample in samples.items()}
    _log_served(served)
    return {"losses_nats": losses, "on_text": read, "served": served}


def _log_served(served: dict[str, dict[str, list[dict]]]) -> None:
    for when, groups in served.items():
        for group, ways in groups.items():
            for way in ways:
                logger.info(
                    "%s, %s, temperature %.0f: %.2f tokens a pass, modelled speed-up %.2f, measured %.2f",
                    *(when, group, way["temperature"]),
                    *(way[name] for name in ("acceptance_length", "modelled_speedup", "measured_speedup")),
                )


def _write(
    root: str, model: MimoModel, trained: StageConfig, tokenizer: tables.Table
) -> tuple[tuple[Part, ...], dict[str, object]]:
    """Write the model folder <root>/extended; its parts and what they hold."""
    tensors = hf_tensors(model)
    values = hf_config(model.model_config, trained, int(tokenizer.manifest.facts["eod_id"]), tensors)
    folder = tables.table_path(root, "extended")
    tables.withdraw(root, "extended")
    parts = (*write_model(folder, tensors, values), *write_tokenizer(folder, tokenizer, trained))
    return parts, {"mtp_layers": num_mtp_layers(tensors), "dtype": dtype_name(tensors)}


def serve(model: MimoModel, samples: dict[str, Sample], num_drafts: int) -> dict[str, list[dict]]:
    """What `num_drafts` drafts a pass are worth to a reader, greedily and sampled, for every group."""
    found: dict[str, list[dict]] = {}
    for group, sample in samples.items():
        prompts, found[group] = sample.prompts.tolist(), []
        for temperature in (0.0, 1.0) if prompts else ():
            plain, drafted = (decode_all(model.eval(), prompts, n, temperature) for n in (0, num_drafts))
            found[group].append(asdict(compare(plain, drafted, num_drafts, temperature)))
    return found


@torch.no_grad()
def on_text(model: MimoModel, sample: Sample) -> list[dict[str, float]]:
    """For each MTP layer, on the text: its loss; how often its word is the main head's own most probable one
    for that position; the sum over words of min(p, q), as in heldout.py.
    """
    device = next(model.parameters()).device
    sums = torch.zeros(len(model.mtp.layers), 4, dtype=torch.float64)
    for batch in (batch.to(device) for batch in sample.batches):
        states = model(batch)
        _, said = predict(model, states.hidden, batch.labels)
        for number, row in enumerate(sums):
            following, labels, mask = targets(batch, number)
            drafted = model.draft(states, following, number)
            nats, drafts = predict(model, drafted, labels)
            said = shift_within_documents(said, batch.document_starts)
            shared = overlap(model, states.hidden, drafted, number + 1)
            row += torch.stack([x[mask].double().sum() for x in (nats, drafts == said, shared, mask)]).cpu()
    names = ("loss_nats", "agreement", "sampling_overlap")
    return [dict(zip(names, (row[:3] / row[3].clamp(min=1)).tolist(), strict=True)) for row in sums]


if __name__ == "__main__":
    main(run)
