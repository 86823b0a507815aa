"""Tokenise every bucket and the held-out documents once: tables `tokens/<bucket>`, `tokens/heldout/<group>`.

1. Count documents and tokens of each bucket and hash its texts: a bucket whose hash is known is left alone.
2. Cut large buckets into shards, intervals of positions; pack shards into tasks of about equal size.
3. One shuffle brings each shard's documents, in order, to its task, which writes it (pipeline.tokens.shards).
4. Join each bucket's shards and commit it. `tokens_index` names the buckets of this corpus.
"""

import logging
import time
from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.fs as pafs
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from configs import tables
from configs.command import Place, main
from configs.contract import Manifest
from configs.loader import Config, load
from configs.recipe import MixtureConfig, NonNegative, Positive
from pipeline.mixture.buckets import HELDOUT_GROUPS, heldout_documents, open_inputs, train_documents
from pipeline.spark.session import spark_session
from pipeline.spark.tables import Job
from pipeline.tokens.shards import BucketWork, finished_shards, join_shards, write_shards
from pipeline.tokens.tokenizer import TokenizerFacts, open_tokenizer

logger = logging.getLogger(__name__)

INDEX = "tokens_index"

MODULES = tuple(f"pipeline.{name}" for name in ("tokenize_corpus", "tokens", "mixture.buckets"))


class TokensConfig(Config):
    """What the token files depend on, of `mixture.toml`; buckets' weights are not among it."""

    seed: NonNegative
    max_shard_tokens: Positive
    bands: tuple[tuple[str, float], ...]
    score_weights: tuple[tuple[str, float], ...]


def run(spark: SparkSession, place: Place) -> Manifest:
    """Tokenise the buckets whose documents changed and commit `tokens_index`."""
    started = time.monotonic()
    mixture = load(place.preset, "mixture", MixtureConfig)
    tokenizer = open_tokenizer(place.input)
    natural, synthetic = open_inputs(place.input, tokenizer)
    inputs = {"scored": natural.manifest.digest, "tokenizer": tokenizer.digest}
    if synthetic is not None:
        inputs["synthetic"] = synthetic.manifest.digest
    job = Job("tokenize_corpus", INDEX, _tokens_config(mixture), inputs, MODULES)
    done = None if place.overwrite else _finished(place.output, job.fingerprint(inputs))
    if done is not None:
        logger.info("tokenize_corpus: done before, %s documents", f"{done.rows_out:,}")
        return done
    documents = train_documents(spark, natural, synthetic, mixture, "text").unionByName(
        heldout_documents(spark, natural, synthetic, mixture.seed, "text")
    )
    works = count_buckets(documents, job, tokenizer)
    pending = [work for work in works if place.overwrite or not _is_finished(place.output, work)]
    logger.info("tokenize_corpus: %d of %d buckets to do", len(pending), len(works))
    template = _manifest(job, works, 0.0)
    if not place.dry_run:
        for work in pending:
            tables.withdraw(place.output, work.table)
        _write(documents, place, pending, tokenizer)
        _join(spark, place.output, pending, tokenizer, template)
        _delete_others(place.output, works)
        tables.commit(place.output, template := _manifest(job, works, time.monotonic() - started))
    logger.info("tokenize_corpus: %s tokens, %.1f s", template.facts["num_tokens"], template.seconds)
    return template


def count_buckets(documents: DataFrame, job: Job, tokenizer: TokenizerFacts) -> list[BucketWork]:
    """Every bucket with its counts; the held-out groups too where no document fell into them."""
    rows = (
        documents.groupBy("bucket")
        .agg(
            sf.first("domain").alias("domain"),
            sf.first("band").alias("band"),
            sf.first("source").alias("source"),
            sf.count("*").alias("documents"),
            sf.sum(sf.col("token_count") + 1).alias("tokens"),
            # Independent of the order of rows; with the counts it tells changed documents.
            sf.bit_xor(sf.xxhash64("doc_id", "text")).alias("content"),
        )
        .collect()  # one row per bucket
    )
    config = TokensConfig.model_validate(job.config)
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
                fingerprint=tables.fingerprint(f"tokenize {bucket}", settings, contents, MODULES),
            )
        )
    return works


def pack(shards: Sequence[tuple[str, int, int]], num_tasks: int) -> list[tuple[str, int, int]]:
    """(bucket, shard, tokens) -> (bucket, shard, task): the largest first, each to the emptiest task."""
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
        whole = set() if place.overwrite else finished_shards(place.output, work)
        tokens = work.num_tokens // max(1, work.num_shards)
        shards += [(work.name, shard, tokens) for shard in range(work.num_shards) if shard not in whole]
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
        .join(sf.broadcast(counts), on="bucket", how="inner")
        .withColumn("shard", sf.floor(sf.col("position") * sf.col("num_shards")).cast("int"))
        .join(sf.broadcast(tasks), on=["bucket", "shard"], how="inner")
        .repartitionById(num_tasks, "task")
        .sortWithinPartitions("bucket", "shard", "position", "doc_id")
        .select("bucket", "shard", "doc_id", "text")
    )
    works = {work.name: work for work in pending}
    task = partial(_write_batches, root=place.output, works=works, tokenizer=tokenizer)
    placed.mapInArrow(task, "bucket string, shard int").count()


def _write_batches(
    batches: Iterator[pa.RecordBatch], root: str, works: dict[str, BucketWork], tokenizer: TokenizerFacts
) -> Iterator[pa.RecordBatch]:
    rows = (
        row
        for batch in batches
        for row in zip(
            *(batch[name].to_pylist() for name in ("bucket", "shard", "doc_id", "text")), strict=True
        )
    )
    for bucket, shard in write_shards(rows, root, works, tokenizer):
        yield pa.RecordBatch.from_pydict({"bucket": [bucket], "shard": pa.array([shard], pa.int32())})


def _join(
    spark: SparkSession, root: str, works: list[BucketWork], tokenizer: TokenizerFacts, template: Manifest
) -> None:
    """Commit each bucket; a task does many, since each takes milliseconds."""
    if works:
        slices = min(len(works), 4 * spark.sparkContext.defaultParallelism)

        def join_one(work: BucketWork) -> None:
            join_shards(root, work, tokenizer, template)

        spark.sparkContext.parallelize(works, slices).foreach(join_one)


def _tokens_config(mixture: MixtureConfig) -> TokensConfig:
    return TokensConfig(
        seed=mixture.seed,
        max_shard_tokens=mixture.max_shard_tokens,
        bands=tuple((band.name, band.min_score) for band in mixture.bands),
        score_weights=tuple((weight.name, weight.weight) for weight in mixture.score_weights),
    )


def _is_finished(root: str, work: BucketWork) -> bool:
    return tables.finished(root, work.table, work.fingerprint) is not None


def _finished(root: str, mark: str) -> Manifest | None:
    """The index, if it is of this fingerprint and every bucket that it names stands."""
    index = tables.finished(root, INDEX, mark)
    if index is None:
        return None
    marks: dict[str, str] = index.facts["buckets"]  # type: ignore[assignment]
    stands = all(tables.finished(root, f"tokens/{name}", of_bucket) for name, of_bucket in marks.items())
    return index if stands else None


def _delete_others(root: str, works: list[BucketWork]) -> None:
    """Delete buckets that this corpus no longer has."""
    fs, base = tables.filesystem(tables.table_path(root, "tokens"))
    names = {work.name for work in works}
    for info in fs.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True)):
        if info.base_name == "manifest.json":
            folder = info.path.rsplit("/", 1)[0]
            if folder.removeprefix(base).lstrip("/") not in names:
                fs.delete_dir(folder)


def _manifest(job: Job, works: list[BucketWork], seconds: float) -> Manifest:
    """The index; also the template of the buckets' manifests."""
    num_documents = sum(work.num_documents for work in works)
    return Manifest(
        table=INDEX,
        job=job.name,
        fingerprint=job.fingerprint(job.inputs),
        digest=tables.hash_json([(work.name, work.fingerprint) for work in works]),
        parts=(),
        rows_in=num_documents,
        rows_out=num_documents,
        inputs=job.inputs,
        config=job.resolved(),
        facts={
            "buckets": {work.name: work.fingerprint for work in works},
            "num_tokens": sum(work.num_tokens for work in works),
        },
        git_commit=tables.git_commit(),
        seconds=round(seconds, 3),
        peak_memory_bytes=tables.peak_memory_bytes(),
    )


def job(place: Place) -> None:
    """Run as a command."""
    run(spark_session("tokenize_corpus"), place)


if __name__ == "__main__":
    main(job)
