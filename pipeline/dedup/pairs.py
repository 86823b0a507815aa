"""Find pairs of near-duplicate texts: LSH buckets give candidates, exact Jaccard similarity decides.

1. Every text lies in one bucket per band of its MinHash signature.
2. The best texts of a bucket (in keeper order) are its leaders. Each leader is paired with all texts that
   rank below it. So a bucket of n texts costs at most leaders x n pairs, and all n (n - 1) / 2 pairs if n <=
   leaders.
3. Only the texts of candidates are shingled, and each distinct pair is verified once.

Cost: one shuffle of bands x texts small rows, one of the texts, and two of the candidates' shingles (8 bytes
per distinct word 5-gram, about 1.3 times the bytes of the text).
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from filters.minhash import jaccard, shingles
from pipeline.dedup.config import DedupConfig
from pipeline.spark.states import Keep

_PAIR = pa.schema([("better", pa.string()), ("worse", pa.string()), ("jaccard", pa.float64())])


def near_pairs(keys: DataFrame, documents: DataFrame, config: DedupConfig, keep: Keep) -> DataFrame:
    """Return (better, worse, jaccard) of the verified pairs of text keys, materialised.

    `better` comes before `worse` in keeper order. `keys` has rows of contract.SIGNATURES; `documents` has
    the columns doc_id and text of the same documents.
    """
    texts = keys.groupBy("text_key").agg(F.min("rank").alias("rank"), F.first("bands").alias("bands"))
    # Read three times: two keys and two ids per pair. The bands are the same for all documents with this
    # text.
    candidates = keep(candidate_pairs(texts, config.max_bucket_leaders))
    # Read twice, and expensive to compute.
    shingled = keep(_shingled(candidates, documents))
    better, worse = (
        shingled.select(F.col("text_key").alias(side), F.col("shingles").alias(f"{side}_shingles"))
        for side in ("better", "worse")
    )
    both = (
        candidates.select("better", "worse")
        .join(better, on="better", how="inner")
        .join(worse, on="worse", how="inner")
    )

    def verify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield verified(batch, config.jaccard_threshold)

    return keep(both.mapInArrow(verify, "better string, worse string, jaccard double"))


def candidate_pairs(texts: DataFrame, max_bucket_leaders: int) -> DataFrame:
    """Return the distinct pairs of text keys that share a bucket, with a leader of the bucket in each.

    The columns are better, worse, and better_id, worse_id, the best documents with these texts. `texts` has
    the columns text_key (unique), rank (a struct with doc_id that orders them without ties) and bands.
    """
    by_rank = Window.partitionBy("bucket").orderBy("rank")
    whole_bucket = by_rank.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    text = F.struct("text_key", F.col("rank.doc_id").alias("doc_id"))
    return (
        texts.select("text_key", "rank", F.explode("bands").alias("bucket"))
        .withColumn("place", F.row_number().over(by_rank))
        .withColumn(
            "leaders",
            F.collect_list(F.when(F.col("place") <= max_bucket_leaders, text)).over(whole_bucket),
        )
        .where("place > 1")
        .withColumn("better", F.explode(F.slice("leaders", F.lit(1), F.col("place") - 1)))
        .select(
            F.col("better.text_key").alias("better"),
            F.col("text_key").alias("worse"),
            F.col("better.doc_id").alias("better_id"),
            F.col("rank.doc_id").alias("worse_id"),
        )
        .distinct()
    )


def _shingled(candidates: DataFrame, documents: DataFrame) -> DataFrame:
    """Return (text_key, shingles) of every text in a pair."""
    wanted = (
        candidates.select(F.col("better").alias("text_key"), F.col("better_id").alias("doc_id"))
        .union(candidates.select("worse", "worse_id"))
        .distinct()
    )

    def shingle(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            found = [shingles(text).tobytes() for text in batch["text"].to_pylist()]
            yield pa.RecordBatch.from_pydict({"text_key": batch["text_key"], "shingles": found})

    # The texts stream past a hash table of the few that are wanted; they are not sorted.
    texts = documents.join(wanted.hint("shuffle_hash"), on="doc_id", how="inner").select("text_key", "text")
    return texts.mapInArrow(shingle, "text_key string, shingles binary")


def verified(pairs: pa.RecordBatch, jaccard_threshold: float) -> pa.RecordBatch:
    """Return the pairs whose shingles reach the threshold, with their similarity."""
    columns = pairs.select(["better", "worse", "better_shingles", "worse_shingles"]).to_pydict()
    found: dict[str, list[object]] = {"better": [], "worse": [], "jaccard": []}
    for better, worse, a, b in zip(*columns.values(), strict=True):
        similarity = jaccard(np.frombuffer(a, dtype=np.uint64), np.frombuffer(b, dtype=np.uint64))
        if similarity >= jaccard_threshold:
            found["better"].append(better)
            found["worse"].append(worse)
            found["jaccard"].append(similarity)
    return pa.RecordBatch.from_pydict(found, schema=_PAIR)
