"""Evaluate the checkpoint of each stage, and its draft head, on held-out text.

    python -m pretrain.evaluate --preset DIR

The result is <root>/evaluation.json. For every finished stage and every held-out group (math, code, prose) it
holds the scores of heldout.py and the acceptance rate of sampled drafts. For the last stage it also holds
`served`: acceptance rates and decoding speed (acceptance.py). All stages are measured on the same rows, which
have stage 1's sequence length.
Cost: per stage, one forward pass of both heads over NUM_ROWS rows per group and some hundred short decoding
passes; 20 s for the tiny preset on a busy core.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import CONTRACT_VERSION
from configs.job import code_half, mark, matches, run_job
from configs.loader import load
from configs.recipe import NUM_STAGES, ModelConfig, StageConfig
from configs.text_files import read_json, write_json
from pretrain.decoding import acceptance
from pretrain.model.mimo import MimoModel
from pretrain.plan.layout import TrainConfig
from pretrain.plan.token_files import GROUPS
from pretrain.run import launch
from pretrain.run.finished import checkpoint_root, finished_model, finished_stages
from pretrain.run.heldout import Sample, heldout_samples, heldout_scores

logger = logging.getLogger(__name__)


NUM_ROWS = 32
"""Rows of stage 1's sequence length per group.

Our choice: 262,144 tokens per group at a length of 8,192. At the tiny preset's length of 256 it is 8,192
tokens per group, so that three groups and three stages take less than a minute on a CPU."""


def run(place: Place) -> dict[str, object] | None:
    """Evaluate every finished stage and write evaluation.json. Returns its content, None on a dry run."""
    model = load(place.preset, "model", ModelConfig)
    stages = [load(place.preset, f"stage{n}", StageConfig) for n in range(1, NUM_STAGES + 1)]
    digests = finished_stages(checkpoint_root(place))
    wanted = _fingerprint(place, model, stages, digests)
    return run_job(
        place,
        "evaluate",
        f"evaluate stages {list(digests)}",
        lambda: _find(place, wanted),
        lambda: _evaluate(place, wanted, model, stages, list(digests)),
    )


def _find(place: Place, wanted: str) -> dict[str, object] | None:
    """Return evaluation.json if it has this fingerprint.

    With --accept-code, a file that other code made from the same inputs counts too, and its fingerprint is
    replaced.
    """
    report = _read(place.output)
    found = str((report or {}).get("fingerprint"))
    if report is None or not matches(found, wanted, place.accept_code):
        return None
    if found != wanted and not place.dry_run:
        accepted = [*report.get("accepted_code", []), code_half(found)]
        report |= {"fingerprint": wanted, "accepted_code": accepted}
        _write(place.output, report)
    return report


def _evaluate(
    place: Place, fingerprint: str, model: ModelConfig, stages: Sequence[StageConfig], numbers: list[int]
) -> dict[str, object] | None:
    started = time.monotonic()
    settings = load(place.preset, "train", TrainConfig)
    launch.start_alone(settings)
    samples = heldout_samples(place.input, stages[0].sequence_length, NUM_ROWS)
    results = []
    for number in numbers:
        built = finished_model(checkpoint_root(place), number, model, stages[number - 1], settings)
        scores = {group: _scores(built.eval(), sample) for group, sample in samples.items()}
        results.append({"stage": number, "groups": scores})
        logger.info("stage %d bits per byte: %s", number, _line(scores))
    report = {
        "contract_version": CONTRACT_VERSION,
        "job": "evaluate",
        "fingerprint": fingerprint,
        "git_commit": tables.git_commit(),
        "seconds": round(time.monotonic() - started, 3),
        "stages": results,
        "served": {
            group: [asdict(one) for one in acceptance.measure(built, sample.prompts)]
            for group, sample in samples.items()
        },
    }
    _write(place.output, report)
    return _read(place.output)


def _write(root: str, report: dict[str, object]) -> None:
    write_json(f"{root}/evaluation.json", report)


def _scores(model: MimoModel, sample: Sample) -> dict[str, float | None]:
    drawn = acceptance.sampled_acceptance(model, sample.prompts) if model.mtp_process else None
    return asdict(heldout_scores(model, sample, with_overlap=True)) | {"sampled_acceptance": drawn}


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
    return mark(code_hash(__name__), "evaluate", config, digests)


def _read(root: str) -> dict[str, object] | None:
    """Return evaluation.json; None if it is missing or incomplete."""
    return read_json(f"{root}/evaluation.json")


if __name__ == "__main__":
    main(run)
