"""Spark's map over configs.job, and its way into and out of contract tables.

Map-only jobs (ingest, extract, filter, score) run `map_shards`: one input shard = one record, so a killed run
or a new input costs only its own shards; small shards share a task. Jobs that shuffle (dedup) read with
`read_table` and write with `write_rows`. Both use pyarrow.fs, so Spark needs no file system of its own.
A ConfigError or ContractError inside a task travels to the driver as a value and is raised there, so that it
ends the job in one line; shards that were finished beside it stay finished.
Cost: each row is copied once into its part; the driver sees one small record per shard, never rows.
"""

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol, TypeVar, overload

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.pandas.types import from_arrow_schema, to_arrow_schema
from pyspark.sql.types import StructType

from configs import tables
from configs.command import Place
from configs.contract import REJECTS, SCHEMAS, ContractError, Manifest, Part
from configs.job import Job, Shard, commit
from configs.loader import ConfigError
from configs.shards import find_log, write_batches, write_shard
from configs.storage.shard_log import Record, ShardLog, record_of

logger = logging.getLogger(__name__)

S = TypeVar("S")
T = TypeVar("T")
TASK_BYTES = 32 << 20
"""Input bytes of a task, about a minute: a core extracts or filters some 0.5 MB/s of zstd Parquet."""

REFUSALS = {error.__name__: error for error in (ConfigError, ContractError)}


@dataclass(frozen=True, slots=True)
class PartShard:
    """One part of an input table as a shard."""

    name: str
    path: str
    """Full path or URI of the part."""
    digest: str
    rows: int
    num_bytes: int = TASK_BYTES
    """Of the part; a shard of unknown size has a task of its own."""
    folders: tuple[tuple[str, str], ...] = ()
    """Columns that the folders of a file name (source=web) and that are not in it."""


class ShardTransform(Protocol):
    """A pure function of a shard: tables whose `reject_reason` is null (keep) or one of the closed list."""

    def __call__(self, shard: Shard) -> Iterator[pa.Table]: ...


@dataclass(frozen=True)
class Refusal:
    """A ConfigError or ContractError on its way from a task to the driver."""

    kind: str
    message: str


class PartShards(Sequence[PartShard]):
    """The parts of a table as shards, made when they are asked for: a list of parts may be long."""

    def __init__(self, path: str, parts: tables.PartList) -> None:
        self._path = path
        self._parts = tables.PartList(parts.rows.sort_by("digest"))

    def __len__(self) -> int:
        return len(self._parts)

    def __iter__(self) -> Iterator[PartShard]:
        return map(self._shard, self._parts)

    @overload
    def __getitem__(self, index: int) -> PartShard: ...
    @overload
    def __getitem__(self, index: slice) -> "PartShards": ...
    def __getitem__(self, index: int | slice) -> "PartShard | PartShards":
        if isinstance(index, slice):
            return PartShards(self._path, self._parts[index])
        return self._shard(self._parts[index])

    def _shard(self, part: Part) -> PartShard:
        return PartShard(part.digest, f"{self._path}/{part.path}", part.digest, part.rows, part.num_bytes)


def part_shards(table: tables.Table) -> PartShards:
    """The parts of an input table as shards, in a stable order."""
    return PartShards(table.path, table.parts)


def group_shards(shards: Sequence[S], min_groups: int) -> list[list[S]]:
    """The shards in groups of about TASK_BYTES, or in smaller ones to have `min_groups`; the order stays."""
    sizes = [getattr(shard, "num_bytes", TASK_BYTES) for shard in shards]
    limit = min(TASK_BYTES, -(-sum(sizes) // max(1, min_groups)))
    groups: list[list[S]] = []
    size = limit
    for shard, num_bytes in zip(shards, sizes, strict=True):
        if size >= limit:
            groups.append([])
            size = 0
        groups[-1].append(shard)
        size += num_bytes
    return groups


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
    log = run_shards(spark, place, job, shards, transform)
    return commit(place.output, job, log, started, refusal=refusal, shard_log=log)


def run_shards(
    spark: SparkSession, place: Place, job: Job, shards: Sequence[Shard], transform: ShardTransform
) -> ShardLog:
    """Run `transform` once per shard in Spark tasks; the records of all shards.

    Shards that an earlier run finished are kept as they are.
    Raises ContractError if a shard loses rows or gives a reason outside the closed list.
    """
    root = place.output
    done = find_log(place, job, shards)
    names = pa.array((shard.name for shard in shards), pa.string())
    is_done = pc.is_in(names, done.rows["name"]).to_pylist()
    pending = [shard for shard, known in zip(shards, is_done, strict=True) if not known]
    if not pending:
        return done
    groups = group_shards(pending, 3 * _num_cores(spark))
    logger.info("%s: %d of %d shards to do, in %d tasks", job.name, len(pending), len(shards), len(groups))

    def run_group(group: Sequence[Shard]) -> pa.Table:
        records = {shard.name: write_shard(root, job, shard, transform(shard)) for shard in group}
        return ShardLog.of(records).rows

    made = run_tasks(spark, groups, len(groups), run_group)
    return ShardLog.joined([done, *map(ShardLog, made)])


def run_tasks(spark: SparkSession, items: Sequence[S], num_tasks: int, function: Callable[[S], T]) -> list[T]:
    """`function` of every item, computed in Spark tasks; results (small ones) in the items' order."""

    def guarded(item: S) -> T | Refusal:
        try:
            return function(item)
        except (ConfigError, ContractError) as error:
            return Refusal(type(error).__name__, str(error))

    results = spark.sparkContext.parallelize(items, num_tasks).map(guarded).collect()
    _raise_first(results)
    return [result for result in results if not isinstance(result, Refusal)]


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


def read_table(spark: SparkSession, table: tables.Table, columns: Sequence[str]) -> DataFrame:
    """These columns of a committed table as a DataFrame; only the parts that its list names."""
    schema = pa.schema([SCHEMAS[table.manifest.table].field(name) for name in columns])
    return read_parts(spark, part_shards(table), schema)


def read_parts(spark: SparkSession, shards: Sequence[PartShard], schema: pa.Schema) -> DataFrame:
    """The columns of `schema` of Parquet files; one that a file and its folders lack is null there."""
    spark_schema = from_arrow_schema(schema)
    if not shards:
        return spark.createDataFrame([], spark_schema)
    sent = arrow_schema(spark_schema)

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            for path, num_rows, folders in json.loads(batch["files"][0].as_py()):
                yield from read_as(path, sent, num_rows, dict(folders))

    # A task that reads less than a megabyte costs more to start than to run.
    num_bytes = sum(shard.num_bytes for shard in shards)
    min_groups = min(_num_cores(spark), 1 + (num_bytes >> 20))
    groups = group_shards(shards, min_groups)
    files = [json.dumps([(s.path, s.rows, s.folders) for s in group]) for group in groups]
    rows = spark.sparkContext.parallelize([(text,) for text in files], len(groups))
    return spark.createDataFrame(rows, "files string").mapInArrow(read, spark_schema)


def arrow_schema(schema: StructType) -> pa.Schema:
    """The Arrow schema in which Spark takes and gives rows of this schema."""
    return to_arrow_schema(schema, timezone="UTC")  # as the session's (pipeline.spark.session)


def read_as(
    path: str, schema: pa.Schema, num_rows: int, folders: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    """Batches of one Parquet file in this schema; `folders` has the columns that its folders name."""
    names = set(tables.read_schema(path).names)
    wanted = [name for name in schema.names if name in names]
    for batch in tables.read_part(path, wanted, num_rows=num_rows):
        columns = [
            batch[name] if name in names else pa.array([folders.get(name)] * batch.num_rows)
            for name in schema.names
        ]
        cast = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(cast, schema=schema)


def write_rows(rows: DataFrame, root: str, job: Job, num_tasks: int, started: float) -> Manifest:
    """Write a DataFrame with a `reject_reason` column as the job's table and its rejects, and commit both.

    Rows are placed by hash of doc_id and sorted by it, so the content of every part depends on the rows and
    `num_tasks` alone. `started`: time.monotonic() at the start of the job.
    """
    placed = rows.repartition(num_tasks, "doc_id").sortWithinPartitions("doc_id")
    records = write_tasks(placed, root, job.table, SCHEMAS[job.table], REJECTS)
    return commit(root, job, ShardLog.of(records), started)


def write_tasks(
    placed: DataFrame, root: str, table: str, schema: pa.Schema, rejects: pa.Schema
) -> dict[str, Record]:
    """Have each task write its partition of `placed` as a part, with its rejects; the records by number."""

    def write_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, object]]:
        pieces = (pa.Table.from_batches([batch]) for batch in batches)
        yield asdict(write_batches(root, table, pieces, "", schema, rejects))

    written = run_partitions(placed, write_partition)
    return {str(number): record_of(values) for number, values in enumerate(written)}


def _num_cores(spark: SparkSession) -> int:
    return spark.sparkContext.defaultParallelism
