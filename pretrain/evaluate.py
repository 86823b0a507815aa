"""How good each stage's checkpoint is on held-out text, and how good its draft head.

    python -m pretrain.evaluate --preset DIR

For every finished stage and every held-out group (math, code, prose), into <root>/evaluation.json: what
heldout.py measures, and the acceptance of drawn drafts. For the last stage also `served`: how many drafts
stand and how fast it writes (acceptance.py). All stages see the same windows, of stage 1's length.
Cost: a forward pass a stage over NUM_ROWS rows a group, both heads, and some hundred short passes to decode;
20 s for the tiny preset on a busy core.
"""

import json
import logging
import time
from collections.abc import Sequence
from dataclasses import asdict

from configs import tables
from configs.command import Place, main
from configs.contract import CONTRACT_VERSION
from configs.loader import load
from configs.recipe import NUM_STAGES, ModelConfig, StageConfig
from pretrain.decoding import acceptance
from pretrain.model.mimo import MimoModel
from pretrain.plan.layout import TrainConfig
from pretrain.plan.token_files import GROUPS
from pretrain.run import launch
from pretrain.run.finished import finished_model, finished_stages
from pretrain.run.heldout import Sample, heldout_samples, score

logger = logging.getLogger(__name__)


NUM_ROWS = 32
"""Rows of stage 1's sequence length a group is measured on. Ours: 262,144 tokens at 8,192; at tiny's 256 the
8,192 tokens that a minute of CPU affords for three groups and three stages."""


def run(place: Place) -> dict[str, object]:
    """Evaluate every stage that has a checkpoint; skip if evaluation.json is of these inputs already."""
    started = time.monotonic()
    model_config = load(place.preset, "model", ModelConfig)
    stages = [load(place.preset, f"stage{n}", StageConfig) for n in range(1, NUM_STAGES + 1)]
    finished = finished_stages(place.input)
    mark = _fingerprint(place, model_config, stages, finished)
    done = _read(place.output)
    if done is not None and done.get("fingerprint") == mark and not place.overwrite:
        logger.info("evaluation is up to date")
        return done
    if place.dry_run:
        logger.info("would evaluate stages %s", list(finished))
        return {}
    settings = load(place.preset, "train", TrainConfig)
    launch.start_alone(settings)
    samples = heldout_samples(place.input, stages[0].sequence_length, NUM_ROWS)
    results = []
    for number in finished:
        model = finished_model(place.input, number, model_config, stages[number - 1], settings)
        scores = {group: _scores(model.eval(), sample) for group, sample in samples.items()}
        results.append({"stage": number, "groups": scores})
        logger.info("stage %d bits per byte: %s", number, _line(scores))
    report = {
        "contract_version": CONTRACT_VERSION,
        "job": "evaluate",
        "fingerprint": mark,
        "git_commit": tables.git_commit(),
        "seconds": round(time.monotonic() - started, 3),
        "stages": results,
        "served": {
            group: [asdict(one) for one in acceptance.measure(model, sample.prompts)]
            for group, sample in samples.items()
        },
    }
    written = json.dumps(report, indent=1)
    tables.write_bytes(place.output, "evaluation.json", written.encode())
    return json.loads(written)


def _scores(model: MimoModel, sample: Sample) -> dict[str, float | None]:
    drawn = acceptance.sampled_acceptance(model, sample.prompts) if model.mtp_process else None
    return asdict(score(model, sample, with_overlap=True)) | {"sampled_acceptance": drawn}


def _line(scores: dict[str, dict[str, float]]) -> str:
    return ", ".join(
        f"{group} {values['bits_per_byte']:.3f} bits per byte" for group, values in scores.items()
    )


def _fingerprint(
    place: Place, model: ModelConfig, stages: Sequence[StageConfig], finished: dict[int, str]
) -> str:
    inputs = {f"tokens/heldout/{g}": tables.open_table(place.input, f"tokens/heldout/{g}") for g in GROUPS}
    inputs["tokenizer"] = tables.open_table(place.input, "tokenizer")
    digests = {name: table.manifest.digest for name, table in inputs.items()}
    digests |= {f"checkpoints/stage{number}": digest for number, digest in finished.items()}
    config = {"model": model.model_dump(), "stages": [stage.model_dump() for stage in stages]}
    modules = [
        f"pretrain.{name}"
        for name in (
            "evaluate",
            "heldout",
            "acceptance",
            "generate",
            "kv_cache",
            "loss",
            "model",
            "mtp",
            "attention",
        )
    ]
    return tables.fingerprint("evaluate", config, digests, modules)


def _read(root: str) -> dict[str, object] | None:
    """evaluation.json, or None where there is none or half of one."""
    try:
        return json.loads(tables.read_bytes(root, "evaluation.json"))
    except (FileNotFoundError, ValueError):
        return None


if __name__ == "__main__":
    main(run)
