"""filtered -> deduped: one row per URL, per text and per group of near-duplicates; train and held-out apart.

1. Compute the keys of every document: canonical URL, text hash, keeper rank, LSH bands (dedup/signatures.py).
2. Find near-duplicate pairs among distinct texts and verify them by exact Jaccard (dedup/pairs.py).
3. Form clusters; decide in each what stays and what each removed row duplicates (dedup/clusters.py).
4. Stop before anything is written if a source would lose too much (dedup/find_duplicates.py).
If --input is a folder of any Parquet with doc_id, url and text, the job does the same to it
(dedup/any_parquet.py).
Cost: the texts are read three times, and shuffled three times.
"""

import time

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import DEDUPED, EXCERPT_CHARS, FILTERED, REJECTS, Manifest
from configs.job import Job, make_table
from configs.loader import load
from pipeline.dedup import any_parquet
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.find_duplicates import find_duplicates
from pipeline.spark.session import spark_session
from pipeline.spark.states import delete_states
from pipeline.spark.tables import part_shards, read_table, write_rows


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Deduplicate `filtered` over all sources, or any Parquet; None on a dry run."""
    started = time.monotonic()
    config = load(place.preset, "dedup", DedupConfig)
    if any_parquet.is_plain(place):
        return any_parquet.run(spark, place, config, started)
    filtered = tables.open_table(place.input, "filtered")
    inputs = {"filtered": filtered.manifest.digest}
    job = Job("dedup", "deduped", code_hash(__name__), config.model_dump(mode="json"), inputs)

    def work() -> Manifest:
        delete_states(place.output, "dedup")
        texts = read_table(spark, filtered, ("doc_id", "text"))
        outcome = find_duplicates(spark, place, part_shards(filtered), texts, config)
        rows = with_outcome(read_table(spark, filtered, FILTERED.names), outcome)
        num_tasks = config.num_tasks(filtered.manifest.num_bytes)
        manifest = write_rows(rows, place.output, job, num_tasks, started)
        delete_states(place.output, "dedup")
        return manifest

    what = f"compare {filtered.manifest.rows_out} rows"
    return make_table(place, job, what, work)


def with_outcome(documents: DataFrame, outcome: DataFrame) -> DataFrame:
    """Every row of `documents` with the columns of `deduped` and of its rejects."""
    return (
        documents.join(outcome.drop("source"), on="doc_id", how="inner")
        .withColumn("detail", F.lit(None).cast("string"))
        .withColumn("excerpt", F.substring("text", 1, EXCERPT_CHARS))
        .select(*DEDUPED.names, *(name for name in REJECTS.names if name not in DEDUPED.names))
    )


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("dedup"), place)


if __name__ == "__main__":
    main(job)
