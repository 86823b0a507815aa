"""Pairs of texts that are near-duplicates: LSH buckets give candidates, exact Jaccard decides.

1. Every text lies in one bucket per band of its MinHash signature.
2. In a bucket the best texts (in keeper order) are its leaders; each leader is paired with all that rank
   below it, so a bucket of n costs at most leaders x n pairs, and all n (n - 1) / 2 while n <= leaders.
3. Each distinct pair is verified once, on the shingles themselves.
"""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from filters.minhash import jaccard

_VERIFIED = "better string, worse string, jaccard double"


def near_pairs(texts: DataFrame, max_bucket_leaders: int, jaccard_threshold: float) -> DataFrame:
    """(better, worse, jaccard) of the verified pairs, `better` before `worse` in keeper order.

    `texts`: text_key (unique), rank (a struct that orders them, without ties), bands, shingles.
    """
    candidates = candidate_pairs(texts, max_bucket_leaders)
    shingles = texts.select("text_key", "shingles")
    both = candidates.join(
        shingles.select(F.col("text_key").alias("better"), F.col("shingles").alias("better_shingles")),
        on="better",
        how="inner",
    ).join(
        shingles.select(F.col("text_key").alias("worse"), F.col("shingles").alias("worse_shingles")),
        on="worse",
        how="inner",
    )

    def verify(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield verified(batch, jaccard_threshold)

    return both.mapInArrow(verify, _VERIFIED)


def candidate_pairs(texts: DataFrame, max_bucket_leaders: int) -> DataFrame:
    """Distinct (better, worse) text keys that share a bucket, one of the bucket's leaders in each pair."""
    in_bucket = Window.partitionBy("bucket")
    buckets = (
        texts.select("text_key", "rank", F.explode("bands").alias("bucket"))
        .withColumn("size", F.count("*").over(in_bucket))
        .where("size > 1")
        .withColumn("place", F.row_number().over(in_bucket.orderBy("rank")))
    )
    leaders = buckets.where(F.col("place") <= max_bucket_leaders)
    return (
        leaders.select("bucket", F.col("text_key").alias("better"), F.col("place").alias("better_place"))
        .join(buckets.select("bucket", F.col("text_key").alias("worse"), "place"), on="bucket", how="inner")
        .where("better_place < place")
        .select("better", "worse")
        .distinct()
    )


def verified(pairs: pa.RecordBatch, jaccard_threshold: float) -> pa.RecordBatch:
    """The pairs whose shingles reach the threshold, with their similarity."""
    columns = pairs.select(["better", "worse", "better_shingles", "worse_shingles"]).to_pydict()
    found: dict[str, list[object]] = {"better": [], "worse": [], "jaccard": []}
    for better, worse, a, b in zip(*columns.values(), strict=True):
        similarity = jaccard(np.frombuffer(a, dtype=np.uint64), np.frombuffer(b, dtype=np.uint64))
        if similarity >= jaccard_threshold:
            found["better"].append(better)
            found["worse"].append(worse)
            found["jaccard"].append(similarity)
    types = pa.schema([("better", pa.string()), ("worse", pa.string()), ("jaccard", pa.float64())])
    return pa.RecordBatch.from_pydict(found, schema=types)
