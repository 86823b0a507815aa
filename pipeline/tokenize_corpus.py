"""Tokenise every bucket and the held-out documents once: tables `tokens/<bucket>`, `tokens/heldout/<group>`.

1. Count documents and tokens of each bucket and hash its texts: a bucket whose hash is known is left alone.
2. Cut large buckets into shards, intervals of positions; pack shards into tasks of about equal size.
3. One shuffle brings each shard's documents, in order, to its task, which writes it (pipeline.tokens.shards).
4. Join each bucket's shards and commit it. `tokens_index` names the buckets of this corpus.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.bounds import NonNegative, Positive
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest
from configs.job import Job, commit, find_table, matches, run_job, work_half
from configs.loader import Config, load
from configs.recipe import MixtureConfig
from configs.shards import find_records
from configs.storage.shard_log import Record, ShardLog
from pipeline.mixture.buckets import HELDOUT_GROUPS, heldout_documents, open_inputs, train_documents
from pipeline.spark.session import spark_session
from pipeline.spark.tables import run_partitions, run_tasks
from pipeline.tokens.shards import BucketWork, join_shards, write_shards
from pipeline.tokens.tokenizer import TokenizerFacts, open_tokenizer

logger = logging.getLogger(__name__)

INDEX = "tokens_index"


class TokenizeConfig(Config):
    """`tokenize.toml`."""

    max_shard_tokens: Positive
    """Tokens of one token file; a larger bucket has several."""


class TokensConfig(Config):
    """What the token files depend on: `tokenize.toml`, and of `mixture.toml` what names the buckets."""

    seed: NonNegative
    max_shard_tokens: Positive
    bands: tuple[tuple[str, float], ...]
    score_weights: dict[str, float]


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Tokenise the buckets whose documents changed and commit `tokens_index`; None on a dry run."""
    mixture = load(place.preset, "mixture", MixtureConfig)
    config = _tokens_config(mixture, load(place.preset, "tokenize", TokenizeConfig))
    tokenizer = open_tokenizer(place.input)
    natural, synthetic = open_inputs(place.input, tokenizer)
    inputs = {"scored": natural.manifest.digest, "tokenizer": tokenizer.digest}
    if synthetic is not None:
        inputs["synthetic"] = synthetic.manifest.digest
    job = Job("tokenize", INDEX, code_hash(__name__), config.model_dump(mode="json"), inputs)

    def work() -> Manifest:
        started = time.monotonic()
        documents = train_documents(spark, natural, synthetic, mixture, "text").unionByName(
            heldout_documents(spark, natural, synthetic, mixture.seed, "text")
        )
        works = count_buckets(documents, job.code, config, tokenizer)
        pending = [work for work in works if place.overwrite or not find_table(place, work.job)]
        logger.info("tokenize: %d of %d buckets to do", len(pending), len(works))
        for work in pending:
            tables.withdraw(place.output, work.job.table)
        _write(documents, place, pending, tokenizer)
        _join(spark, place, pending, tokenizer)
        _delete_others(place.output, works)
        return _commit_index(place.output, job, works, started)

    rows = natural.manifest.rows_out + (synthetic.manifest.rows_out if synthetic else 0)
    what = f"tokenise {rows} documents"
    return run_job(place, "tokenize", what, partial(_finished, place, job), work, inputs)


def count_buckets(
    documents: DataFrame, code: str, config: TokensConfig, tokenizer: TokenizerFacts
) -> list[BucketWork]:
    """Every bucket with its counts; the held-out groups too where no document fell into them."""
    rows = (
        documents.groupBy("bucket")
        .agg(
            F.first("domain").alias("domain"),
            F.first("band").alias("band"),
            F.first("source").alias("source"),
            F.count("*").alias("documents"),
            F.sum(F.col("token_count") + 1).alias("tokens"),
            # Independent of the order of rows; with the counts it tells changed documents.
            F.bit_xor(F.xxhash64("doc_id", "text")).alias("content"),
        )
        .collect()  # one row per bucket
    )
    groups = {f"heldout/{group}": group for group in (*HELDOUT_GROUPS.values(), "prose")}
    found = {row.bucket: row for row in rows}
    works = []
    for bucket in sorted(found.keys() | groups.keys()):
        row = found.get(bucket)
        num_tokens = 0 if row is None else row.tokens
        content = "" if row is None else f"{row.documents} {row.tokens} {row.content}"
        settings = {"seed": config.seed, "max_shard_tokens": config.max_shard_tokens}
        contents = {"documents": content, "tokenizer": tokenizer.hash}
        is_heldout = bucket in groups
        works.append(
            BucketWork(
                name=bucket,
                domain=groups[bucket] if is_heldout else row.domain,
                band="heldout" if is_heldout else row.band,
                source="all" if is_heldout else row.source,
                num_documents=0 if row is None else row.documents,
                num_tokens=num_tokens,
                num_shards=-(-num_tokens // config.max_shard_tokens),
                job=Job("tokenize", f"tokens/{bucket}", code, settings, contents),
            )
        )
    return works


def pack(shards: Sequence[tuple[str, int, int]], num_tasks: int) -> list[tuple[str, int, int]]:
    """Give each (bucket, shard, tokens) a task: the largest shard first, to the task with least tokens."""
    loads = [0] * num_tasks
    packed = []
    for bucket, shard, tokens in sorted(shards, key=lambda item: (-item[2], item[0], item[1])):
        task = loads.index(min(loads))
        loads[task] += tokens
        packed.append((bucket, shard, task))
    return packed


def _write(documents: DataFrame, place: Place, pending: list[BucketWork], tokenizer: TokenizerFacts) -> None:
    """Write the pending buckets' shards that no earlier run left whole."""
    spark = documents.sparkSession
    shards = []
    for work in pending:
        whole = find_records(place, work.job, work.shards())
        tokens = work.num_tokens // max(1, work.num_shards)
        shards += [(work.name, shard.number, tokens) for shard in work.shards() if shard.name not in whole]
    if not shards:
        return
    # Tasks of at least 8 million tokens where there are many (seconds each), else one per core.
    total = sum(tokens for _, _, tokens in shards)
    num_tasks = min(len(shards), max(spark.sparkContext.defaultParallelism, total >> 23))
    counts = spark.createDataFrame(
        [(work.name, work.num_shards) for work in pending if work.num_shards], "bucket string, num_shards int"
    )
    tasks = spark.createDataFrame(pack(shards, num_tasks), "bucket string, shard int, task int")
    # Both tables have one row per bucket or shard: they go to the documents.
    placed = (
        documents.select("bucket", "position", "doc_id", "text")
        .join(F.broadcast(counts), on="bucket", how="inner")
        .withColumn("shard", F.floor(F.col("position") * F.col("num_shards")).cast("int"))
        .join(F.broadcast(tasks), on=["bucket", "shard"], how="inner")
        .repartitionById(num_tasks, "task")
        .sortWithinPartitions("bucket", "shard", "position", "doc_id")
        .select("bucket", "shard", "doc_id", "text")
    )
    works = {work.name: work for work in pending}
    task = partial(_write_batches, root=place.output, works=works, tokenizer=tokenizer)
    run_partitions(placed, task)


def _write_batches(
    batches: Iterator[pa.RecordBatch], root: str, works: dict[str, BucketWork], tokenizer: TokenizerFacts
) -> Iterator[dict[str, object]]:
    rows = (
        row
        for batch in batches
        for row in zip(
            *(batch[name].to_pylist() for name in ("bucket", "shard", "doc_id", "text")), strict=True
        )
    )
    for bucket, shard in write_shards(rows, root, works, tokenizer):
        yield {"bucket": bucket, "shard": shard}


def _join(spark: SparkSession, place: Place, works: list[BucketWork], tokenizer: TokenizerFacts) -> None:
    """Commit each bucket; a task does many, since each takes milliseconds."""
    if works:
        joined = replace(place, overwrite=False)  # its shards were written just now
        slices = min(len(works), 4 * spark.sparkContext.defaultParallelism)

        def join_one(work: BucketWork) -> None:
            join_shards(joined, work, tokenizer)

        run_tasks(spark, works, slices, join_one)


def _tokens_config(mixture: MixtureConfig, tokenize: TokenizeConfig) -> TokensConfig:
    return TokensConfig(
        seed=mixture.seed,
        max_shard_tokens=tokenize.max_shard_tokens,
        bands=tuple((band.name, band.min_score) for band in mixture.bands),
        score_weights=mixture.score_weights,
    )


def _finished(place: Place, job: Job) -> Manifest | None:
    """The index, if this job made it and every bucket in it is whole and of the stated fingerprint."""
    index = find_table(place, job)
    if index is None:
        return None
    marks: dict[str, str] = index.facts["buckets"]  # type: ignore[assignment]
    for name, mark in marks.items():
        manifest = tables.read_manifest(place.output, f"tokens/{name}")
        if manifest is None or not matches(manifest.fingerprint, mark, place.accept_code):
            return None
        tables.check_parts(place.output, manifest)
    return index


def _delete_others(root: str, works: list[BucketWork]) -> None:
    """Delete buckets that this corpus no longer has."""
    names = {work.job.table for work in works}
    for table in tables.tables_under(root, "tokens"):
        if table not in names:
            tables.withdraw(root, table)  # readers see it whole or not at all
            fs, base = tables.filesystem(tables.table_path(root, table))
            fs.delete_dir(base)


def _commit_index(root: str, job: Job, works: list[BucketWork], started: float) -> Manifest:
    marks = {work.name: work.job.fingerprint() for work in works}
    num_tokens = sum(work.num_tokens for work in works)
    logger.info("tokenize: %s tokens in %d buckets", f"{num_tokens:,}", len(works))
    return commit(
        root,
        job,
        ShardLog.of(
            {work.name: Record(job.fingerprint(), (), rows_out=work.num_documents) for work in works}
        ),
        started,
        facts={"buckets": marks, "num_tokens": num_tokens},
        digest=tables.hash_json(sorted((work.name, work_half(work.job.fingerprint())) for work in works)),
    )


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("tokenize_corpus"), place)


if __name__ == "__main__":
    main(job)
