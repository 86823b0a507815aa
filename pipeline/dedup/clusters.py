"""Decide every document: its cluster, whether it stays, what it duplicates, and its split (train or heldout).

1. Clusters are the components of texts joined by a near-duplicate pair or by a URL (components.py).
2. In each cluster, documents are decided in keeper order (keepers.py), one cluster per task.
3. A cluster of more than max_round_documents takes several rounds, its best documents first. Before each
   round, joins remove the documents that duplicate a document kept in earlier rounds. The result equals that
   of a single round.
4. A cluster is held out as a whole if the site of any kept document is held out. So no held-out site is
   trained on, and no held-out text has a near-duplicate in training.

Cost: a few shuffles of about 300 bytes per document; the driver sees one number per round.
"""

from collections.abc import Iterator

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.dedup.components import connected_components
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.keepers import Keepers, Member, heldout_by_hash
from pipeline.spark.states import Keep

# Our choice: enough to judge a document. A page that many sites copy would otherwise make a row of gigabytes.
MAX_LISTED = 1_000

OUTCOME = (
    "doc_id", "source", "reject_reason", "duplicate_of", "measurements", "cluster_id", "cluster_size",
    "duplicate_urls", "duplicate_domains", "split",
)  # fmt: skip

_DECIDED = (
    "doc_id string, source string, url string, domain string, cluster string, reject_reason string, "
    "duplicate_of string, jaccard double, is_heldout boolean"
)


def decide_clusters(keys: DataFrame, near: DataFrame, config: DedupConfig, keep: Keep) -> DataFrame:
    """Return one row of OUTCOME for each of `keys` (SIGNATURES, with unique doc_id), materialised.

    `near` is the result of near_pairs. A kept document lists the URLs and domains (MAX_LISTED of each,
    sorted) of the documents that were removed because of it.
    """
    # Materialised, because every round reads it twice: 300 bytes per document.
    members = keep(_members(keys, near, config, keep))
    decided = _decided_in_rounds(members, near, config, keep)
    clusters = decided.groupBy("cluster").agg(
        F.min("doc_id").alias("cluster_id"),
        F.count("*").cast("int").alias("cluster_size"),
        F.when(F.max("is_heldout"), "heldout").otherwise("train").alias("split"),
    )
    nothing = F.array().cast("array<string>")
    return keep(
        decided.join(clusters, on="cluster", how="inner")
        .join(_duplicates_listed(decided), on="doc_id", how="left")
        .withColumn("measurements", F.when(F.col("jaccard").isNotNull(), F.to_json(F.struct("jaccard"))))
        .withColumn("duplicate_urls", F.array_except(F.coalesce("urls", nothing), F.array("url")))
        .withColumn("duplicate_domains", F.coalesce("domains", nothing))
        .select(*OUTCOME)
    )


def _members(keys: DataFrame, near: DataFrame, config: DedupConfig, keep: Keep) -> DataFrame:
    """Return SIGNATURES without bands, with cluster, near_texts and the round that decides the document.

    A pair is listed only with its worse text. A text has at most bands x leaders better ones, but any number
    of worse ones.
    """
    of_url = Window.partitionBy("canonical_url")
    by_url = (
        keys.where("canonical_url is not null")
        .select(F.min("text_key").over(of_url).alias("a"), F.col("text_key").alias("b"))
        .where("a < b")
    )
    by_text = near.select(F.col("better").alias("a"), F.col("worse").alias("b"))
    components = connected_components(by_text.union(by_url), keep).withColumnRenamed("vertex", "text_key")
    near_texts = near.groupBy(F.col("worse").alias("text_key")).agg(
        F.map_from_entries(F.collect_list(F.struct("better", "jaccard"))).alias("near_texts")
    )
    place = F.row_number().over(Window.partitionBy("cluster").orderBy("rank")) - 1
    return (
        keys.drop("bands")
        .join(components, on="text_key", how="left")
        .join(near_texts, on="text_key", how="left")
        .withColumn("cluster", F.coalesce("component", "text_key"))
        .drop("component")
        .withColumn("round", (place / config.max_round_documents).cast("int"))
    )


def _decided_in_rounds(members: DataFrame, near: DataFrame, config: DedupConfig, keep: Keep) -> DataFrame:
    decided = keep(_decided(members.where("round = 0"), config))
    [last] = members.agg(F.max("round").alias("round")).collect()
    for number in range(1, (last.round or 0) + 1):
        of_round = members.where(F.col("round") == number)
        stayed = decided.where("reject_reason is null").select("doc_id")
        kept = (
            members.where(F.col("round") < number)
            .join(of_round.select("cluster").distinct(), on="cluster", how="left_semi")
            .join(stayed, on="doc_id", how="left_semi")
        )
        removed = keep(_removed_by(kept, of_round, near))
        undecided = of_round.join(removed, on="doc_id", how="left_anti")
        decided = keep(decided.union(removed.select(decided.columns)).union(_decided(undecided, config)))
    return decided


def _decided(members: DataFrame, config: DedupConfig) -> DataFrame:
    """Return one row of _DECIDED for each of `members`; every cluster is decided independently."""
    is_heldout = heldout_by_hash(config.split_seed, config.heldout_fraction)

    def decide(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        cluster, keepers = None, Keepers()
        for batch in batches:
            rows = batch.to_pylist()
            for row in rows:
                if row["cluster"] != cluster:
                    cluster, keepers = row["cluster"], Keepers()
                member = Member(
                    row["doc_id"], row["text_key"], row["canonical_url"], dict(row["near_texts"] or ())
                )
                removal = keepers.decide(member)
                row["reject_reason"] = removal and removal.reason
                row["duplicate_of"] = removal and removal.duplicate_of
                row["jaccard"] = removal and removal.jaccard
                row["is_heldout"] = removal is None and is_heldout(row["domain"] or row["doc_id"])
            yield pa.RecordBatch.from_pylist(rows, schema=_DECIDED_SCHEMA)

    # A cluster lies in one partition, its best document first.
    whole = members.repartition("cluster").sortWithinPartitions("cluster", "rank")
    return whole.drop("rank", "round").mapInArrow(decide, _DECIDED)


def _removed_by(kept: DataFrame, others: DataFrame, near: DataFrame) -> DataFrame:
    """Return rows of _DECIDED for those of `others` (all of worse rank) that duplicate a `kept` document."""
    url = F.concat(F.lit("url "), "canonical_url").alias("key")
    text = F.col("text_key").alias("key")
    held = kept.select("rank", url).union(kept.select("rank", text)).where("key is not null")
    either_way = near.select(F.col("better").alias("text_key"), F.col("worse").alias("key"), "jaccard").union(
        near.select("worse", "better", "jaccard")
    )
    unmeasured = F.lit(None).cast("double").alias("jaccard")
    claims = (
        others.select("doc_id", F.lit(0).alias("strength"), url, unmeasured)
        .union(others.select("doc_id", F.lit(1), text, unmeasured))
        .union(others.join(either_way, on="text_key").select("doc_id", F.lit(2), "key", "jaccard"))
    )
    reasons = F.array(*map(F.lit, ("duplicate_url", "duplicate_exact", "duplicate_near")))
    removals = (
        claims.join(held, on="key", how="inner")
        .groupBy("doc_id")
        .agg(F.min(F.struct("rank", "strength", "jaccard")).alias("removal"))
        .select(
            "doc_id",
            F.element_at(reasons, F.col("removal.strength") + 1).alias("reject_reason"),
            F.col("removal.rank.doc_id").alias("duplicate_of"),
            F.col("removal.jaccard").alias("jaccard"),
        )
    )
    return others.join(removals, on="doc_id", how="inner").withColumn("is_heldout", F.lit(False))


def _duplicates_listed(decided: DataFrame) -> DataFrame:
    """Return (doc_id, urls, domains), without repeats, of the documents removed because of each kept one."""
    shown = F.explode(F.array(_shown("url"), _shown("domain"))).alias("shown")
    listed = (
        decided.where("duplicate_of is not null")
        .select("duplicate_of", shown)
        .select(F.col("duplicate_of").alias("doc_id"), "shown.*")
        .where("value != ''")
        .distinct()
        .withColumn("place", F.row_number().over(Window.partitionBy("doc_id", "kind").orderBy("value")))
        .where(F.col("place") <= MAX_LISTED)
    )
    return listed.groupBy("doc_id").agg(
        *(
            F.sort_array(F.collect_list(F.when(F.col("kind") == kind, F.col("value")))).alias(f"{kind}s")
            for kind in ("url", "domain")
        )
    )


def _shown(kind: str) -> object:
    return F.struct(F.lit(kind).alias("kind"), F.col(kind).alias("value"))


_DECIDED_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("doc_id", "source", "url", "domain", "cluster")),
        ("reject_reason", pa.string()),
        ("duplicate_of", pa.string()),
        ("jaccard", pa.float64()),
        ("is_heldout", pa.bool_()),
    ]
)
