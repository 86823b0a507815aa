"""Spark's map over configs.job, and its way into and out of contract tables.

Map-only jobs (ingest, extract, filter, score) run `map_shards`: one input shard = one task = one record, so a
killed run or a new input costs only its own shards. Jobs that shuffle (dedup) read with `read_table` and
write with `write_rows`. A ConfigError or ContractError inside a task travels to the driver as a value and is
raised there, so that it ends the job in one line; shards that were finished beside it stay finished.
Cost: each row is copied once into its part; the driver sees one small record per shard, never rows.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from configs import tables
from configs.command import Place
from configs.contract import SCHEMAS, ContractError, Manifest
from configs.job import Job, Record, Shard, commit
from configs.loader import ConfigError
from configs.shards import find_records, record_of, write_batches, write_shard

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")
REFUSALS = {error.__name__: error for error in (ConfigError, ContractError)}


@dataclass(frozen=True)
class PartShard:
    """One part of an input table as a shard."""

    name: str
    source: str
    path: str
    digest: str
    rows: int


class ShardTransform(Protocol):
    """A pure function of a shard: tables whose `reject_reason` is null (keep) or one of the closed list."""

    def __call__(self, shard: Shard) -> Iterator[pa.Table]: ...


@dataclass(frozen=True)
class Refusal:
    """A ConfigError or ContractError on its way from a task to the driver."""

    kind: str
    message: str


def part_shards(table: tables.Table) -> list[PartShard]:
    """The parts of an input table as shards, in a stable order."""
    return sorted(
        (
            PartShard(part.digest[:16], tables.source_of(part.path), path, part.digest, part.rows)
            for part, path in zip(table.manifest.parts, table.files(), strict=True)
        ),
        key=lambda shard: (shard.source, shard.name),
    )


def map_shards(
    spark: SparkSession,
    place: Place,
    job: Job,
    shards: Sequence[Shard],
    transform: ShardTransform,
    refusal: Callable[[Manifest], str | None] | None = None,
) -> Manifest:
    """Run `transform` once per shard in Spark tasks and commit the job's table and its rejects.

    `refusal`: see configs.job.commit. Raises ContractError as `run_shards` does.
    """
    started = time.monotonic()
    records = run_shards(spark, place, job, shards, transform)
    return commit(place.output, job, records, started, refusal=refusal)


def run_shards(
    spark: SparkSession, place: Place, job: Job, shards: Sequence[Shard], transform: ShardTransform
) -> list[Record]:
    """Run `transform` once per shard in Spark tasks; the records of all shards, in their order.

    Shards that an earlier run finished are kept as they are.
    Raises ContractError if a shard loses rows or gives a reason outside the closed list.
    """
    root = place.output
    records = find_records(place, job, shards)
    pending = [shard for shard in shards if shard.name not in records]
    if pending:
        logger.info("%s: %d of %d shards to do", job.name, len(pending), len(shards))

        def run_shard(shard: Shard) -> Record:
            return write_shard(root, job, shard, transform(shard))

        made = run_tasks(spark, pending, len(pending), run_shard)
        records |= {shard.name: record for shard, record in zip(pending, made, strict=True)}
    return [records[shard.name] for shard in shards]


def run_tasks(spark: SparkSession, items: Sequence[S], num_tasks: int, function: Callable[[S], T]) -> list[T]:
    """`function` of every item, computed in Spark tasks; results (small ones) in the items' order."""

    def guarded(item: S) -> T | Refusal:
        try:
            return function(item)
        except (ConfigError, ContractError) as error:
            return Refusal(type(error).__name__, str(error))

    results = spark.sparkContext.parallelize(items, num_tasks).map(guarded).collect()
    _raise_first(results)
    return results


def run_partitions(
    rows: DataFrame, function: Callable[[Iterator[pa.RecordBatch]], Iterator[dict[str, object]]]
) -> list[dict[str, object]]:
    """`function` of every partition's batches, computed in Spark tasks; its JSON objects (small ones)."""

    def guarded(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            for found in function(batches):
                yield pa.RecordBatch.from_pydict({"kind": ["result"], "value": [json.dumps(found)]})
        except (ConfigError, ContractError) as error:
            yield pa.RecordBatch.from_pydict({"kind": [type(error).__name__], "value": [str(error)]})

    found = rows.mapInArrow(guarded, "kind string, value string").collect()
    _raise_first([Refusal(row.kind, row.value) for row in found if row.kind != "result"])
    return [json.loads(row.value) for row in found]


def _raise_first(results: Sequence[object]) -> None:
    refusals = [result for result in results if isinstance(result, Refusal)]
    if refusals:
        first = min(refusals, key=lambda refusal: refusal.message)
        raise REFUSALS[first.kind](first.message)


def read_table(spark: SparkSession, table: tables.Table) -> DataFrame:
    """A committed table as a DataFrame, `source` included; only the parts that its manifest names."""
    if not table.manifest.parts:
        return spark.createDataFrame([], _spark_schema(table.manifest.table))
    return spark.read.option("basePath", table.path).parquet(*table.files())


def _spark_schema(table: str) -> object:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(SCHEMAS[table])


def write_rows(rows: DataFrame, root: str, job: Job, num_parts: int, started: float) -> Manifest:
    """Write a DataFrame with a `reject_reason` column as the job's table and its rejects, and commit both.

    Rows are placed by hash of doc_id and sorted by it, so the content of every part depends on the rows and
    `num_parts` alone. `started`: time.monotonic() at the start of the job.
    """
    table = job.table

    def write(part: pa.Table) -> Record:
        return write_batches(root, table, [part], "")

    placed = rows.repartition(num_parts, "doc_id").sortWithinPartitions("source", "doc_id")
    return write_partitions(placed, write, root, job, started)


def write_partitions(
    placed: DataFrame, write: Callable[[pa.Table], Record], root: str, job: Job, started: float
) -> Manifest:
    """Have tasks `write` each partition of `placed` as a part, with its rejects, and commit both tables."""

    def write_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, object]]:
        whole = list(batches)  # one partition: the caller places rows so that it fits a task's memory
        if whole:
            yield asdict(write(pa.Table.from_batches(whole)))

    records = [record_of(values) for values in run_partitions(placed, write_partition)]
    return commit(root, job, records, started)
