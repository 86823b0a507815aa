"""Find the duplicates among all documents of a table or of any Parquet files; both jobs share this module.

The driver sees only numbers: two per round of the components, one per round of large clusters, and one row
for the source with the largest loss.
"""

import logging

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs.command import Place
from configs.contract import ContractError
from pipeline.dedup.clusters import decide_clusters
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.pairs import near_pairs
from pipeline.dedup.signatures import keep_signatures
from pipeline.spark.states import keep_under
from pipeline.spark.tables import PartShard

logger = logging.getLogger(__name__)


def find_duplicates(
    spark: SparkSession, place: Place, shards: list[PartShard], documents: DataFrame, config: DedupConfig
) -> DataFrame:
    """Return one row of clusters.OUTCOME for each document of the `shards`, materialised.

    `documents` has the columns doc_id and text of the same documents. Signatures and states are kept under
    the output of `place`; the caller deletes the states when it has committed.
    Raises ContractError if a doc_id or text is missing, a doc_id is not unique, or a source would lose more
    documents than the guard allows.
    """
    keep = keep_under(place.output, "dedup")
    keys = keep_signatures(spark, place, shards, config)
    _check_ids(keys)
    near = near_pairs(keys, documents, config, keep)
    logger.info("near-duplicates: %s pairs of texts verified", f"{near.count():,}")
    outcome = decide_clusters(keys, near, config, keep)
    rows, expected = outcome.count(), sum(shard.rows for shard in shards)
    if rows != expected:
        raise ContractError(
            f"dedup: {expected} rows were read, but {rows} were decided; remedy: report this bug"
        )
    guard_sources(outcome, config)
    return outcome


def _check_ids(keys: DataFrame) -> None:
    [found] = keys.agg(
        F.count("*").alias("rows"),
        F.count("doc_id").alias("ids"),
        F.count_distinct("doc_id").alias("distinct_ids"),
        F.count("text_key").alias("texts"),
    ).collect()
    if found.ids < found.rows or found.texts < found.rows:
        raise ContractError(
            f"dedup: {found.rows - found.ids} rows have no doc_id and {found.rows - found.texts} have no "
            "text; remedy: leave them out of the input"
        )
    if found.distinct_ids < found.rows:
        [twice] = keys.groupBy("doc_id").count().where("count > 1").orderBy("doc_id").limit(1).collect()
        raise ContractError(
            f"dedup: {found.rows - found.distinct_ids} rows repeat a doc_id, {twice.doc_id!r} occurs "
            f"{twice['count']} times; remedy: give every document a doc_id of its own"
        )


def guard_sources(outcome: DataFrame, config: DedupConfig) -> None:
    """Raise ContractError for the source that loses the largest fraction, if that is more than allowed."""
    if config.max_source_loss_fraction is None:
        return
    lost = F.count("reject_reason")
    worst = (
        outcome.groupBy("source")
        .agg(F.count("*").alias("documents"), lost.alias("lost"))
        .where(F.col("documents") >= config.min_guarded_documents)
        .where(F.col("lost") > F.col("documents") * config.max_source_loss_fraction)
        .orderBy(F.desc(F.col("lost") / F.col("documents")), "source")
        .limit(1)
        .collect()
    )
    for source in worst:
        raise ContractError(
            f"dedup: source {source.source!r} would lose {source.lost} of its {source.documents} documents, "
            f"more than max_source_loss_fraction {config.max_source_loss_fraction}; remedy: leave it out "
            "if it repeats another source, else look at its texts, or raise the limit in dedup.toml"
        )
