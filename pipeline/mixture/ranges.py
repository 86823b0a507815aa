"""Where a bucket can be cut into ranges of given tokens, without sorting it (report: arXiv 2505.07608).

1. Documents are counted per bucket and chunk, a chunk being one of NUM_CHUNKS equal intervals of positions;
   the driver holds those counts only.
2. Their running sums say in which chunk a cut lies. Only these chunks are sorted, by a window function.
3. A document goes before the cut if its middle token does: each cut is within half a document of its wish.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from configs.contract import ContractError
from pipeline.mixture.weights import Bucket

NUM_CHUNKS = 256
"""Our choice: a bucket of 10^9 documents is cut by sorting 4 million; 100 buckets are 25,600 counts."""


LONG_DOCUMENT_TOKENS = 8_192
"""Sequence length of stages 1 and 2 [2.2]; stage 3 has 32,768 and needs the long ones."""


@dataclass(frozen=True)
class Chunk:
    """Documents and tokens (ends included) of one interval of positions of one bucket."""

    number: int
    documents: int
    tokens: int
    long_tokens: int
    """Of the documents that fill a sequence of the first stages, without ends."""


@dataclass(frozen=True)
class Boundary:
    """A cut at a document: how many documents and tokens of the bucket lie before it."""

    documents: int
    tokens: int


def count_chunks(documents: DataFrame) -> tuple[list[Bucket], dict[str, list[Chunk]]]:
    """Buckets by name, and the chunks of each in order. Raises ContractError if two sources share a name."""
    is_long = F.col("token_count") >= LONG_DOCUMENT_TOKENS
    counted = (
        documents.withColumn("chunk", _chunk())
        .groupBy("bucket", "domain", "band", "source", "chunk")
        .agg(
            F.count("*").alias("documents"),
            F.sum(F.col("token_count") + 1).alias("tokens"),
            F.sum(F.when(is_long, F.col("token_count")).otherwise(0)).alias("long_tokens"),
        )
    )
    buckets: dict[str, Bucket] = {}
    chunks: dict[str, list[Chunk]] = {}
    for row in sorted(counted.collect()):  # counts: at most NUM_CHUNKS a bucket
        known = buckets.get(row.bucket) or Bucket(row.bucket, row.domain, row.band, row.source, 0)
        if known.source != row.source:
            raise ContractError(
                f"bucket {row.bucket}: sources {known.source!r} and {row.source!r} both have this name; "
                "remedy: name sources so that lower-case letters and digits tell them apart"
            )
        buckets[row.bucket] = Bucket(row.bucket, row.domain, row.band, row.source, known.tokens + row.tokens)
        chunks.setdefault(row.bucket, []).append(Chunk(row.chunk, row.documents, row.tokens, row.long_tokens))
    return list(buckets.values()), chunks


def find_boundaries(
    spark: SparkSession,
    documents: DataFrame,
    chunks: Mapping[str, Sequence[Chunk]],
    cuts: Mapping[str, Sequence[float]],
) -> dict[str, list[Boundary]]:
    """For each bucket, the document boundary nearest to each of `cuts` (tokens from the bucket's start)."""
    rows = [
        (bucket, number, *_locate(chunks[bucket], tokens), tokens)
        for bucket, wanted in sorted(cuts.items())
        for number, tokens in enumerate(wanted)
    ]
    if not rows:
        return {}
    schema = "bucket string, cut int, chunk int, documents_before long, tokens_before long, target double"
    wanted_cuts = spark.createDataFrame(rows, schema)
    touched = wanted_cuts.select("bucket", "chunk").distinct()
    in_order = Window.partitionBy("bucket", "chunk").orderBy("position", "doc_id")
    tokens = F.col("token_count") + 1
    # `touched` has a few rows per bucket; the documents stay where they are until only its chunks are left.
    near = (
        documents.withColumn("chunk", _chunk())
        .join(F.broadcast(touched), on=["bucket", "chunk"], how="inner")
        .withColumn("tokens", tokens)
        .withColumn("tokens_until", F.sum("tokens").over(in_order))
    )
    middle = F.col("tokens_before") + F.col("tokens_until") - F.col("tokens") / 2
    is_before = (middle <= F.col("target")).cast("long")
    found = (
        near.join(F.broadcast(wanted_cuts), on=["bucket", "chunk"], how="inner")
        .groupBy("bucket", "cut")
        .agg(
            (F.first("documents_before") + F.sum(is_before)).alias("documents"),
            (F.first("tokens_before") + F.sum(is_before * F.col("tokens"))).alias("tokens"),
        )
        .collect()  # a few rows per bucket
    )
    boundaries = {(row.bucket, row.cut): Boundary(row.documents, row.tokens) for row in found}
    return {
        bucket: [boundaries[bucket, number] for number in range(len(wanted))]
        for bucket, wanted in cuts.items()
    }


def _chunk() -> object:
    return F.floor(F.col("position") * NUM_CHUNKS).cast("int")


def _locate(chunks: Sequence[Chunk], target: float) -> tuple[int, int, int]:
    """Number of the chunk that holds token `target`, with the documents and tokens before that chunk."""
    ends = list(accumulate(chunk.tokens for chunk in chunks))
    index = next((n for n, end in enumerate(ends) if target < end), len(chunks) - 1)
    documents = sum(chunk.documents for chunk in chunks[:index])
    return chunks[index].number, documents, ends[index] - chunks[index].tokens
