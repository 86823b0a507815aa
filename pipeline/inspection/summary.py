"""Summarise a run, finished or not, as one dictionary (summary.json) and as ten lines.

The numbers come from manifests, plans, train/metrics.jsonl and evaluation.json; tables of rows are not read.
Parts that do not exist yet are listed under `missing`, with the make target that makes them.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from configs import tables
from configs.recipe import MATH_AND_CODE, NUM_STAGES
from configs.text_files import read_json, write_json
from pipeline.inspection.run_tables import TABLES, counts, token_tables

LOSSES = ("train/loss_nats", "train/mtp_loss_nats")

_TARGETS = dict(zip(TABLES, ("ingest", "extract", "filter", "dedup", "score", "synth"), strict=True))
_HELDOUT = "tokens/heldout/"


@dataclass(frozen=True)
class Training:
    """The training log as arrays in the order of steps; NaN where a step did not log a value."""

    tokens_seen: np.ndarray
    stage: np.ndarray
    series: dict[str, np.ndarray]

    def stage_starts(self) -> dict[str, float]:
        """Return, per `stage N`, the tokens seen before its first logged step."""
        starts = {}
        for stage in np.unique(self.stage):
            before = self.tokens_seen[self.stage < stage]
            starts[f"stage {stage}"] = float(before.max()) if len(before) else 0.0
        return starts


def summarise(root: str) -> dict[str, object]:
    """Return the run's numbers as JSON values.

    Raises ContractError for a table of another contract version.
    """
    found = {
        count.table: {
            "in": count.rows_in,
            "out": count.rows_out,
            "rejected": count.rejected,
            "bytes": count.num_bytes,
            "seconds": count.seconds,
            "peak_memory_bytes": count.peak_memory_bytes,
        }
        for count in counts(root)
    }
    training = read_training(root)
    evaluation = read_evaluation(root)
    buckets = _buckets(root)
    plans = {f"stage{n}": plan for n in range(1, NUM_STAGES + 1) if (plan := _plan(root, n)) is not None}
    missing = {table: f"make {target}" for table, target in _TARGETS.items() if table not in found}
    missing |= {} if plans else {"mixtures": "make plan"}
    missing |= {} if buckets else {"tokens": "make tokenize"}
    missing |= {} if training else {"training": "make stage1 stage2 stage3"}
    missing |= {} if evaluation else {"evaluation": "make evaluate"}
    return {
        "root": root,
        "tables": found,
        "tokens": {
            "train": sum(tokens for name, (_, tokens) in buckets.items() if not name.startswith(_HELDOUT)),
            "heldout": sum(tokens for name, (_, tokens) in buckets.items() if name.startswith(_HELDOUT)),
            "buckets": {
                name.removeprefix("tokens/"): {"documents": documents, "tokens": tokens}
                for name, (documents, tokens) in buckets.items()
            },
        },
        "mixtures": plans,
        "training": {} if training is None else _losses(training),
        "evaluation": evaluation,
        "served": read_served(root),
        "seconds": round(sum(float(str(values["seconds"])) for values in found.values()), 3),
        "missing": missing,
    }


def summary_lines(summary: Mapping[str, object]) -> list[str]:
    """Return ten lines for a terminal; the line of a missing part says that it is missing."""
    found: dict[str, dict] = dict(summary["tables"])  # type: ignore[call-overload]
    lines = [_table_line(table, found.get(table)) for table in TABLES]
    tokens: dict[str, dict] = summary["tokens"]  # type: ignore[assignment]
    lines.append(
        f"{'tokens':<11} {tokens['train']:>12,} for training in {len(tokens['buckets']):,} buckets, "
        f"{tokens['heldout']:,} held out"
    )
    training: dict[str, dict] = summary["training"]  # type: ignore[assignment]
    for key, name in zip(LOSSES, ("main loss", "MTP loss"), strict=True):
        line = "not trained yet"
        if key in training:
            first, last = training[key]["first"], training[key]["last"]
            line = f"{first:>12.4f} -> {last:.4f} nats ({100 * last / first:.1f} % of the first)"
        lines.append(f"{name:<11} {line}")
    lines.append(f"{'evaluation':<11} {_evaluation_line(summary['evaluation'])}")  # type: ignore[arg-type]
    return lines


def write_summary(root: str, output: str | None = None) -> dict[str, object]:
    """Write the run's numbers to `summary.json` in `output` (default: the run's folder) and return them."""
    summary = summarise(root)
    write_json(f"{output or root}/summary.json", summary)
    return summary


def read_training(root: str) -> Training | None:
    """Read train/metrics.jsonl; None if it does not exist or holds no step.

    If a step was logged twice, the later line counts. Incomplete lines, left by a kill, are skipped.
    """
    steps: dict[int, dict[str, float]] = {}
    try:
        lines = tables.read_bytes(root, "train/metrics.jsonl").splitlines()
    except FileNotFoundError:
        return None
    for line in lines:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and "step" in row and "tokens_seen" in row:
            steps[row["step"]] = row
    if not steps:
        return None
    rows = [steps[step] for step in sorted(steps)]
    names = sorted({name for row in rows for name, value in row.items() if isinstance(value, int | float)})
    series = {name: np.array([float(row.get(name, math.nan)) for row in rows]) for name in names}
    stage = series["stage"] if "stage" in series else np.ones(len(rows))
    return Training(series["tokens_seen"], stage.astype(int), series)


def read_evaluation(root: str) -> dict[str, dict[str, dict[str, float]]]:
    """Read evaluation.json as stage -> held-out group -> score -> value; empty if it does not exist."""
    return {
        f"stage{stage['stage']}": {
            group: {name: value for name, value in values.items() if value is not None}
            for group, values in stage["groups"].items()
        }
        for stage in _evaluation(root).get("stages", [])
    }


def read_served(root: str) -> dict[str, dict[str, list[dict]]]:
    """Read the speed-up by drafts: model -> held-out group -> decoding settings (acceptance.py).

    `as trained` is the last stage, from evaluation.json. If copies of the MTP layer were tuned, the manifest
    of `extended` adds `one layer` (the trained layer makes all drafts) and `with copies`.
    """
    found = {"as trained": _evaluation(root).get("served", {})}
    extended = tables.read_manifest(root, "extended")
    if extended is not None:
        served: dict[str, dict] = extended.facts["served"]  # type: ignore[assignment]
        found |= {"one layer": served["before"], "with copies": served["after"]}
    return {who: groups for who, groups in found.items() if groups}


def _evaluation(root: str) -> dict:
    """Return the content of evaluation.json; empty if it does not exist or is incomplete."""
    return read_json(f"{root}/evaluation.json") or {}


def _buckets(root: str) -> dict[str, tuple[int, int]]:
    """Return, per token table, the numbers of documents and tokens."""
    found = {}
    for name in token_tables(root):
        manifest = tables.read_manifest(root, name)
        if manifest is not None:
            facts = manifest.facts
            found[name] = (int(str(facts["num_documents"])), int(str(facts["num_tokens"])))
    return found


def _plan(root: str, stage: int) -> dict[str, object] | None:
    """Return a stage's planned tokens and their shares by domain, band and source; None without a plan."""
    name = f"mixtures/stage{stage}"
    if tables.read_manifest(root, name) is None:
        return None
    rows = tables.read(tables.open_table(root, name))
    if rows is None:
        return None
    shares: dict[str, dict[str, float]] = {"domain": {}, "band": {}, "source": {}}
    listed = rows.to_pylist()
    for row in listed:
        for key, share in shares.items():
            share[row[key]] = share.get(row[key], 0.0) + row["weight"]
    ordered = {
        key: dict(sorted(share.items(), key=lambda item: (-item[1], item[0])))
        for key, share in shares.items()
    }
    return {
        "tokens": round(sum(row["tokens"] * row["epochs"] for row in listed)),
        "buckets": len({row["bucket"] for row in listed}),
        "max_epochs": max(row["epochs"] for row in listed),
        "math_and_code_fraction": sum(shares["domain"].get(domain, 0.0) for domain in MATH_AND_CODE),
        **ordered,
    }


def _losses(training: Training) -> dict[str, object]:
    """Return steps, tokens, and per loss the first and last value of the run and of every stage."""
    losses: dict[str, object] = {
        "steps": len(training.tokens_seen),
        "tokens_seen": int(training.tokens_seen[-1]),
    }
    for key in LOSSES:
        values = training.series.get(key, np.array([]))
        logged = np.isfinite(values)
        if logged.any():
            stages = {
                f"stage{stage}": _ends(values[logged & (training.stage == stage)])
                for stage in np.unique(training.stage[logged])
            }
            losses[key] = {**_ends(values[logged]), "stages": stages}
    return losses


def _ends(values: np.ndarray) -> dict[str, float]:
    return {"first": float(values[0]), "last": float(values[-1])}


def _table_line(table: str, values: Mapping[str, object] | None) -> str:
    if values is None:
        return f"{table:<11} not there yet: make {_TARGETS[table]}"
    rejected: dict[str, int] = values["rejected"]  # type: ignore[assignment]
    top = ", ".join(f"{number:,} {reason}" for reason, number in list(rejected.items())[:3])
    more = f" and {len(rejected) - 3} more reasons" if len(rejected) > 3 else ""
    return f"{table:<11} {values['out']:>12,} of {values['in']:,} kept" + (f"; {top}{more}" if top else "")


def _evaluation_line(evaluation: Mapping[str, Mapping[str, Mapping[str, float]]]) -> str:
    if not evaluation:
        return "not there yet: make evaluate"
    stage, groups = list(evaluation.items())[-1]
    parts = []
    for metric in ("bits_per_byte", "greedy_acceptance"):
        values = [f"{group} {found[metric]:.3f}" for group, found in groups.items() if metric in found]
        parts += [f"{metric.replace('_', ' ')} {', '.join(values)}"] if values else []
    return f"{stage}: {'; '.join(parts)}"
