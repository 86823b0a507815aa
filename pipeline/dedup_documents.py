"""filtered -> deduped: one row per URL, per text and per group of near-duplicates; train and held-out apart.

1. Keys of every document: canonical URL, text hash, shingles, LSH bands.
2. Near-duplicate pairs among distinct texts (near_duplicates.py).
3. Clusters: components of texts joined by such a pair or by a URL (connected_components.py).
4. In each cluster, what stays and what each removed row duplicates (choose_keepers.py).
Cost: the texts are read twice; shingles take about 1.3 times the bytes of the texts while the job runs.
"""

import json
import logging
import time
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from typing import Annotated, Self

import pyarrow as pa
from pydantic import Field, model_validator
from pyspark import StorageLevel
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.command import Place, main
from configs.contract import DEDUPED, EXCERPT_CHARS, REJECTS, Manifest
from configs.loader import Config, load
from pipeline.choose_keepers import Decision, Member, choose_keepers, heldout_by_hash
from pipeline.connected_components import connected_components
from pipeline.dedup_keys import INPUT_COLUMNS, keys_of
from pipeline.near_duplicates import near_pairs
from pipeline.session import spark_session
from pipeline.tables import Job, read_table, write_rows

logger = logging.getLogger(__name__)

MODULES = (
    "pipeline.dedup_documents",
    "pipeline.dedup_keys",
    "pipeline.near_duplicates",
    "pipeline.connected_components",
    "pipeline.choose_keepers",
    "filters.minhash",
    "filters.urls",
)
_KEYS = (
    "doc_id string, url string, canonical_url string, domain string, text_key string, rank struct<"
    "lost_fraction: double, repeated_fraction: double, minus_num_chars: bigint, fetched_us: bigint, "
    "doc_id: string>, bands array<bigint>, shingles binary"
)
_DECISIONS = (
    "doc_id string, cluster_id string, cluster_size int, reject_reason string, duplicate_of string, "
    "measurements string, duplicate_urls array<string>, duplicate_domains array<string>, split string"
)


class DedupConfig(Config):
    """dedup.toml."""

    num_perm: Annotated[int, Field(gt=0)]
    """Places of a MinHash signature."""
    bands: Annotated[int, Field(gt=0)]
    """Bands of the signature: more find more pairs."""
    rows_per_band: Annotated[int, Field(gt=0)]
    """Places per band: more find fewer pairs. Found with probability 1 - (1 - J^rows)^bands."""
    minhash_seed: int
    """Seed of the permutations."""
    jaccard_threshold: Annotated[float, Field(gt=0, le=1)]
    """Candidates whose word 5-grams are this similar are near-duplicates."""
    max_bucket_leaders: Annotated[int, Field(gt=0)]
    """Documents of a bucket that all others in it are compared with."""
    num_parts: Annotated[int, Field(gt=0)]
    """Parts of the table; one must fit in a task's memory."""
    heldout_fraction: Annotated[float, Field(ge=0, lt=1)]
    """Share of the sites (documents, where there is no URL) that are held out."""
    split_seed: int
    """Seed of the hash that chooses them."""

    @model_validator(mode="after")
    def _bands_fit(self) -> Self:
        if self.bands * self.rows_per_band > self.num_perm:
            raise ValueError(f"bands x rows_per_band must be at most num_perm {self.num_perm}")
        return self


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Deduplicate `filtered` over all sources; None on a dry run."""
    started = time.monotonic()
    config = load(place.preset, "dedup", DedupConfig)
    filtered = tables.open_table(place.input, "filtered")
    job = Job("dedup", "deduped", config, {"filtered": filtered.manifest.digest}, MODULES)
    done = tables.finished(place.output, job.table, job.fingerprint(job.inputs))
    if done and not place.overwrite:
        logger.info("dedup: up to date, %s rows", f"{done.rows_out:,}")
        return done
    if place.dry_run:
        print(f"dedup: would compare {filtered.manifest.rows_out} rows")
        return None
    documents = read_table(spark, filtered)
    # Read five times, and 1.3 times the bytes of the texts; what does not fit in memory goes to disk.
    keys = document_keys(documents, config).persist(StorageLevel.MEMORY_AND_DISK)
    manifest = write_rows(transform(documents, keys, config), place.output, job, config.num_parts, started)
    keys.unpersist()
    return manifest


def transform(documents: DataFrame, keys: DataFrame, config: DedupConfig) -> DataFrame:
    """Every row of `documents` (doc_id unique) with the columns of `deduped` and of its rejects.

    `keys`: what document_keys gave for them, persisted.
    """
    texts = keys.groupBy("text_key").agg(
        F.min("rank").alias("rank"), F.first("bands").alias("bands"), F.first("shingles").alias("shingles")
    )  # bands and shingles are functions of the text
    near = near_pairs(texts, config.max_bucket_leaders, config.jaccard_threshold).localCheckpoint()
    by_url = (
        keys.where("canonical_url is not null")
        .groupBy("canonical_url")
        .agg(F.min("text_key").alias("a"), F.collect_set("text_key").alias("texts"))
        .where(F.size("texts") > 1)
        .select("a", F.explode("texts").alias("b"))
    )
    by_text = near.select(F.col("better").alias("a"), F.col("worse").alias("b"))
    clusters = connected_components(by_text.union(by_url))
    near_texts = near.groupBy(F.col("worse").alias("text_key")).agg(
        F.collect_list(F.struct(F.col("better").alias("text_key"), "jaccard")).alias("near_texts")
    )
    members = (
        keys.drop("bands", "shingles")
        .join(clusters.withColumnRenamed("vertex", "text_key"), on="text_key", how="left")
        .join(near_texts, on="text_key", how="left")
        .withColumn("cluster", F.coalesce("component", "text_key"))
        .drop("component")
    )
    whole_clusters = members.repartition("cluster").sortWithinPartitions("cluster", "doc_id")

    def decide(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        return decisions(batches, config)

    decided = whole_clusters.mapInArrow(decide, _DECISIONS)
    return (
        documents.join(decided, on="doc_id", how="inner")
        .withColumn("detail", F.lit(None).cast("string"))
        .withColumn("excerpt", F.substring("text", 1, EXCERPT_CHARS))
        .select(*DEDUPED.names, *(name for name in REJECTS.names if name not in DEDUPED.names))
    )


def document_keys(documents: DataFrame, config: DedupConfig) -> DataFrame:
    """The columns of dedup_keys.KEYS for every document."""

    def keys(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield keys_of(batch, config.num_perm, config.bands, config.rows_per_band, config.minhash_seed)

    return documents.select(*INPUT_COLUMNS).mapInArrow(keys, _KEYS)


def decisions(batches: Iterator[pa.RecordBatch], config: DedupConfig) -> Iterator[pa.RecordBatch]:
    """Decisions for rows that come cluster by cluster; a cluster may span batches."""
    is_heldout = heldout_by_hash(config.split_seed, config.heldout_fraction)
    rows = (row for batch in batches for row in batch.to_pylist())
    for _, cluster in groupby(rows, key=_cluster):
        decided = choose_keepers([_member(row) for row in cluster], is_heldout)
        yield _record_batch(decided)


def _cluster(row: dict[str, object]) -> object:
    return row["cluster"]


def _member(row: dict[str, object]) -> Member:
    return Member(
        doc_id=row["doc_id"],
        text_key=row["text_key"],
        rank=tuple(row["rank"].values()),
        url=row["url"],
        canonical_url=row["canonical_url"],
        domain=row["domain"],
        split_key=row["domain"] or row["doc_id"],
        near_texts={near["text_key"]: near["jaccard"] for near in row["near_texts"] or ()},
    )


def _record_batch(decided: list[Decision]) -> pa.RecordBatch:
    rows = []
    for decision in decided:
        values = asdict(decision)
        similarity = values.pop("jaccard")
        values["measurements"] = None if similarity is None else json.dumps({"jaccard": similarity})
        rows.append(values)
    return pa.RecordBatch.from_pylist(rows, schema=_DECISION_SCHEMA)


_DECISION_SCHEMA = pa.schema(
    [
        ("doc_id", pa.string()),
        ("cluster_id", pa.string()),
        ("cluster_size", pa.int32()),
        ("reject_reason", pa.string()),
        ("duplicate_of", pa.string()),
        ("measurements", pa.string()),
        ("duplicate_urls", pa.list_(pa.string())),
        ("duplicate_domains", pa.list_(pa.string())),
        ("split", pa.string()),
    ]
)


def job(place: Place) -> None:
    """Command line: make the session, run."""
    run(spark_session("dedup"), place)


if __name__ == "__main__":
    main(job)
