"""Plan what each stage trains on: scored and synthetic documents -> mixtures/stage1..3.

One row per bucket: its share of the stage's tokens, the documents it may draw (a range in bucket order,
disjoint across stages) and the epochs over them that follow. Counts come to the driver, documents never do.
A budget that the corpus cannot meet is refused before anything is written.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from math import fsum

import pyarrow as pa
from pyspark.sql import SparkSession

from configs import tables
from configs.bounds import Positive
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import MIXTURE, Manifest
from configs.job import Job, commit, find_table, run_job
from configs.loader import Config, load
from configs.recipe import MATH_AND_CODE, NUM_STAGES, SYNTHETIC_BAND, MixtureConfig, StageConfig
from configs.storage.shard_log import Record, ShardLog
from pipeline.mixture.buckets import open_inputs, train_documents
from pipeline.mixture.ranges import Boundary, count_chunks, find_boundaries
from pipeline.mixture.summary import summarise
from pipeline.mixture.weights import Bucket, Draws, plan_draws, split_buckets, weights
from pipeline.spark.session import spark_session
from pipeline.tokens.tokenizer import TokenizerFacts, open_tokenizer

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Row:
    """A row of MIXTURE, same names and order."""

    bucket: str
    domain: str
    band: str
    source: str
    weight: float
    epochs: float
    document_start: int
    document_end: int
    tokens: int


class PlanConfig(Config):
    """What a plan depends on: `mixture.toml`, and of stageN.toml the tokens."""

    mixture: MixtureConfig
    stage_tokens: tuple[Positive, ...]


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Plan the three stages and commit them; gives the last stage's manifest, None on a dry run."""
    config = read_config(place)
    tokenizer = open_tokenizer(place.input)
    natural, synthetic = open_inputs(place.input, tokenizer)
    inputs = {"scored": natural.manifest.digest, "tokenizer": tokenizer.digest}
    if synthetic is not None:
        inputs["synthetic"] = synthetic.manifest.digest
    resolved = config.model_dump(mode="json")
    jobs = [
        Job("plan", f"mixtures/stage{number}", code_hash(__name__), resolved, inputs)
        for number in range(1, NUM_STAGES + 1)
    ]

    def work() -> Manifest:
        started = time.monotonic()
        plans = plan(spark, natural, synthetic, config)
        return [
            _commit(place.output, job, rows, tokens, config, tokenizer, started)
            for job, rows, tokens in zip(jobs, plans, config.stage_tokens, strict=True)
        ][-1]

    def find() -> Manifest | None:
        found = [find_table(place, job) for job in jobs]
        return found[-1] if all(found) else None

    what = f"plan {NUM_STAGES} stages of {config.stage_tokens} tokens"
    return run_job(place, "plan", what, find, work, inputs)


def plan(
    spark: SparkSession, natural: tables.Table, synthetic: tables.Table | None, config: PlanConfig
) -> list[list[Row]]:
    """The rows of every stage. Raises ConfigError if the corpus cannot meet a budget."""
    documents = train_documents(spark, natural, synthetic, config.mixture)
    buckets, chunks = count_chunks(documents)
    draws = plan_draws(buckets, config.stage_tokens, config.mixture)
    orders = {bucket.name: stage_order(bucket.name) for bucket in buckets}
    ranges = split_buckets(buckets, draws)
    cuts = {name: list(accumulate(ranges[name][n] for n in orders[name])) for name in ranges}
    boundaries = find_boundaries(spark, documents, chunks, cuts)
    plans = [
        stage_rows(stage, buckets, boundaries, orders, draws[stage], config) for stage in range(NUM_STAGES)
    ]
    long = {name: sum(chunk.long_tokens for chunk in counted) for name, counted in chunks.items()}
    weights_of = [{row.bucket: row.weight for row in rows} for rows in plans]
    table = summarise(buckets, long, weights_of, config.stage_tokens)
    logger.info("plan: tokens before, share and epochs after\n%s", table)
    return plans


def read_config(place: Place) -> PlanConfig:
    """The parts of the preset that the plan reads. Raises ConfigError."""
    stages = (load(place.preset, f"stage{number}", StageConfig) for number in range(1, NUM_STAGES + 1))
    mixture = load(place.preset, "mixture", MixtureConfig)
    return PlanConfig(mixture=mixture, stage_tokens=tuple(stage.tokens for stage in stages))


def stage_order(bucket: str) -> tuple[int, ...]:
    """The order in which the stages take their ranges of a bucket.

    The order is rotated by a hash of the bucket's name: small buckets do not all serve the same stage.
    """
    first = int(tables.hash_bytes(bucket.encode()), 16) % NUM_STAGES
    return tuple((first + n) % NUM_STAGES for n in range(NUM_STAGES))


def stage_rows(
    stage: int,
    buckets: Sequence[Bucket],
    boundaries: dict[str, list[Boundary]],
    orders: dict[str, tuple[int, ...]],
    draws: Draws,
    config: PlanConfig,
) -> list[Row]:
    """The MIXTURE rows of one stage (from 0), heaviest first. Raises ConfigError if it falls short."""
    spans: dict[str, tuple[Boundary, Boundary]] = {}
    for bucket in buckets:
        turn = orders[bucket.name].index(stage)
        ends = [Boundary(0, 0), *boundaries[bucket.name]]
        spans[bucket.name] = (ends[turn], ends[turn + 1])
    own = [replace(b, tokens=spans[b.name][1].tokens - spans[b.name][0].tokens) for b in buckets]
    budget = config.stage_tokens[stage]
    shares = weights(stage, own, draws, budget, config.mixture)
    rows = [
        Row(
            bucket.name,
            bucket.domain,
            bucket.band,
            bucket.source,
            weight=shares[bucket.name],
            epochs=shares[bucket.name] * budget / bucket.tokens,
            document_start=spans[bucket.name][0].documents,
            document_end=spans[bucket.name][1].documents,
            tokens=bucket.tokens,
        )
        for bucket in own
        if bucket.name in shares
    ]
    return sorted(rows, key=lambda row: (-row.weight, row.bucket))


def _facts(plan: list[Row], budget: int, seed: int, tokenizer: TokenizerFacts) -> dict[str, object]:
    """Figures of a stage for the report and preflight."""
    shares: dict[str, float] = {}
    for row in plan:
        shares[row.domain] = shares.get(row.domain, 0.0) + row.weight
    natural = [row for row in plan if row.band != SYNTHETIC_BAND]
    synthetic = [row for row in plan if row.band == SYNTHETIC_BAND]
    dense = [row for row in natural if row.domain in MATH_AND_CODE]
    return {
        "budget_tokens": budget,
        "seed": seed,
        "tokenizer_hash": tokenizer.hash,
        "domain_shares": dict(sorted(shares.items())),
        "natural_math_and_code_fraction": _weight(dense) / _weight(natural) if natural else 0.0,
        "synthetic_fraction": _weight(synthetic),
        "natural_epochs": _epochs(natural, budget),
        "synthetic_epochs": _epochs(synthetic, budget),
        "num_buckets": len(plan),
        "unique_tokens": sum(row.tokens for row in plan),
    }


def _weight(rows: list[Row]) -> float:
    return fsum(row.weight for row in rows)


def _epochs(rows: list[Row], budget: int) -> dict[str, float]:
    """Mean passes (tokens drawn / tokens of the ranges) and the largest of one bucket."""
    tokens = sum(row.tokens for row in rows)
    return {
        "mean": _weight(rows) * budget / tokens if tokens else 0.0,
        "max": max((row.epochs for row in rows), default=0.0),
    }


def _commit(
    root: str,
    job: Job,
    plan: list[Row],
    budget: int,
    config: PlanConfig,
    tokenizer: TokenizerFacts,
    started: float,
) -> Manifest:
    facts = _facts(plan, budget, config.mixture.seed, tokenizer)
    logger.info("plan: %s: %d buckets, %s", job.table, len(plan), facts["domain_shares"])
    writer = tables.PartWriter(tables.table_path(root, job.table), MIXTURE)
    writer.write(pa.Table.from_pylist([asdict(row) for row in plan], schema=MIXTURE))
    record = Record(job.fingerprint(), writer.close(), rows_out=len(plan))
    return commit(root, job, ShardLog.of({"": record}), started, facts=facts)


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("plan_mixture"), place)


if __name__ == "__main__":
    main(job)
