"""raw -> documents: the text of every page, made once, in a child process that is killed on timeout.

One part of `raw` is one shard; every raw row becomes one document or one reject.
"""

from collections.abc import Iterator
from functools import partial
from typing import Annotated

import pyarrow as pa
from annotated_types import Ge
from pyspark.sql import SparkSession

from configs import tables
from configs.bounds import Fraction, PositiveFloat
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest
from configs.job import Job, make_table
from configs.loader import Config, load
from pipeline.extraction.extract_row import BATCH, extract_row, worker_guard
from pipeline.spark.session import spark_session
from pipeline.spark.tables import PartShard, map_shards, part_shards

_FAULTS_OF_OURS = ("timeout", "out_of_memory", "extractor_crashed", "extractor_error")


class ExtractConfig(Config):
    """extract.toml."""

    timeout_s: PositiveFloat
    """Seconds per document; past it the child is killed and the document rejected."""
    max_memory_bytes: Annotated[int, Ge(1_000_000_000)]
    """Address space of the child process."""
    max_error_fraction: Fraction
    """The table is refused if more than this fraction of documents fails by timeout, memory or error."""


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Extract every row of `raw`; None on a dry run. Raises ContractError if too many documents fail."""
    config = load(place.preset, "extract", ExtractConfig)
    raw = tables.open_table(place.input, "raw")
    inputs = {"raw": raw.manifest.digest}
    job = Job("extract", "documents", code_hash(__name__), config.model_dump(mode="json"), inputs)
    shards = part_shards(raw)

    def refusal(manifest: Manifest) -> str | None:
        num_failed = sum(manifest.rejected.get(reason, 0) for reason in _FAULTS_OF_OURS)
        if num_failed <= config.max_error_fraction * manifest.rows_in:
            return None
        return (
            f"{num_failed} of {manifest.rows_in} documents failed; remedy: look at documents_rejects, then "
            "raise timeout_s, max_memory_bytes or max_error_fraction in extract.toml"
        )

    return make_table(
        place,
        job,
        f"extract {raw.manifest.rows_out} rows in {len(shards)} shards",
        lambda: map_shards(spark, place, job, shards, partial(transform, config=config), refusal),
    )


def transform(shard: PartShard, config: ExtractConfig) -> Iterator[pa.Table]:
    """One document or reject for every row of a raw part, in its order."""
    guard = worker_guard(config.timeout_s, config.max_memory_bytes)
    for batch in tables.read_part(shard.path):
        yield pa.Table.from_pylist([extract_row(row, guard) for row in batch.to_pylist()], schema=BATCH)


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("extract"), place)


if __name__ == "__main__":
    main(job)
