"""Which bucket a document belongs to, and where it stands in it: shared by the plan and the tokenizer job.

A bucket is domain x score band x source. The band is cut from one score, the weighted mean of quality,
knowledge density and reasoning depth; documents of `synthetic` have the band "synthetic". Inside a bucket
documents stand in the order of (position, doc_id), position being a hash in [0, 1): any interval of
positions is a uniform sample, and a bucket can be cut anywhere without sorting the whole of it.
"""

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.contract import SCORES, ContractError
from configs.recipe import SYNTHETIC_BAND, MixtureConfig
from pipeline.spark.tables import read_table
from pipeline.tokens.tokenizer import TokenizerFacts

HELDOUT_GROUPS = {"mathematics": "math", "code": "code"}
"""Held-out documents of every other domain are prose."""


DOCUMENT_COLUMNS = ("bucket", "domain", "band", "source", "doc_id", "position", "token_count")


def order_position(seed: int) -> Column:
    """A number in [0, 1) per document, exact to 53 bits, uniform and fixed by (seed, doc_id)."""
    return F.shiftrightunsigned(F.xxhash64(F.lit(seed), "doc_id"), 11) / float(1 << 53)


def bucket_name() -> Column:
    """`<domain>-<band>-<source>` of those columns, lower case, only [a-z0-9_-]."""
    return F.regexp_replace(F.lower(F.concat_ws("-", "domain", "band", "source")), "[^a-z0-9_-]", "-")


def weighted_score(mixture: MixtureConfig) -> Column:
    """The one score that bands cut, in [0, 1]."""
    terms = [F.col(name) * mixture.score_weights[name] for name in SCORES]
    return sum(terms[1:], terms[0])


def band(mixture: MixtureConfig) -> Column:
    """Name of the highest band whose min_score the score reaches (rounded: 0.1 + 0.2 reaches 0.3)."""
    rounded = F.round(weighted_score(mixture), 9)
    name = F.lit(mixture.bands[0].name)
    for higher in mixture.bands[1:]:
        name = F.when(rounded >= higher.min_score, F.lit(higher.name)).otherwise(name)
    return name


def train_documents(
    spark: SparkSession,
    natural: tables.Table,
    synthetic: tables.Table | None,
    mixture: MixtureConfig,
    *extra: str,
) -> DataFrame:
    """Documents of the train split, with the columns DOCUMENT_COLUMNS and `extra`."""
    documents = _of_split(spark, natural, "train", extra).withColumn("band", band(mixture))
    documents = _placed(documents, bucket_name(), mixture.seed, extra)
    if synthetic is None:
        return documents
    generated = _of_split(spark, synthetic, "train", extra).withColumn("band", F.lit(SYNTHETIC_BAND))
    return documents.unionByName(_placed(generated, bucket_name(), mixture.seed, extra))


def heldout_documents(
    spark: SparkSession, natural: tables.Table, synthetic: tables.Table | None, seed: int, *extra: str
) -> DataFrame:
    """Held-out documents with the same columns, in the buckets `heldout/<math|code|prose>`.

    Held-out synthetic documents are among them: problem families that no stage is trained on.
    """
    group = F.lit("prose")
    for domain, name in HELDOUT_GROUPS.items():
        group = F.when(F.col("domain") == domain, F.lit(name)).otherwise(group)
    placed = [
        _placed(
            _of_split(spark, table, "heldout", extra).withColumn("band", F.lit("heldout")),
            F.concat(F.lit("heldout/"), group),
            seed,
            extra,
        )
        for table in (natural, synthetic)
        if table is not None
    ]
    return placed[0] if len(placed) == 1 else placed[0].unionByName(placed[1])


def open_inputs(root: str, tokenizer: TokenizerFacts) -> tuple[tables.Table, tables.Table | None]:
    """scored, and synthetic where it was made. Raises ContractError if counted with another tokenizer."""
    scored = tables.open_table(root, "scored")
    has_synthetic = tables.read_manifest(root, "synthetic") is not None
    synthetic = tables.open_table(root, "synthetic") if has_synthetic else None
    for table in (scored, synthetic):
        stated = None if table is None else table.manifest.inputs.get("tokenizer")
        if table is not None and stated != tokenizer.digest:
            raise ContractError(
                f"{table.path}: counted with tokenizer {stated}, now it is {tokenizer.digest}; "
                f"remedy: run the job {table.manifest.job} again"
            )
    return scored, synthetic


def _of_split(spark: SparkSession, table: tables.Table, split: str, extra: tuple[str, ...]) -> DataFrame:
    columns = ("doc_id", "source", "domain", "split", "token_count", *SCORES, *extra)
    return read_table(spark, table, columns).where(F.col("split") == split)


def _placed(documents: DataFrame, bucket: Column, seed: int, extra: tuple[str, ...]) -> DataFrame:
    named = documents.withColumn("bucket", bucket).withColumn("position", order_position(seed))
    return named.select(*DOCUMENT_COLUMNS, *extra)
