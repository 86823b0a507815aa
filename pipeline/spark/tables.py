"""Spark's way into and out of contract tables.

Map-only jobs (ingest, extract, filter, score) run `map_shards`: one input shard = one task = one commit, so a
killed run or a new input costs only its own shards. Jobs that shuffle (dedup) read with `read_table` and
write with `write_rows`. Both check the contract, split rows from rejects and commit the manifests last.
Cost: each row is copied once into its part; the driver sees one small record per shard, never rows.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession

from configs import tables
from configs.contract import REJECTS, SCHEMAS, ContractError, Manifest, Part
from configs.loader import Config
from configs.reject_reasons import REJECT_REASONS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """What makes a table: the job's name, its config, its inputs' digests, the modules that do the work."""

    name: str
    table: str
    config: Config
    inputs: dict[str, str]
    modules: tuple[str, ...]
    facts: dict[str, object] = field(default_factory=dict)
    """More for the manifest (model hashes); part of the fingerprint."""

    def resolved(self) -> dict[str, object]:
        """The config as plain values."""
        return self.config.model_dump(mode="json")

    def fingerprint(self, inputs: dict[str, str]) -> str:
        """Fingerprint of this job over some inputs (all of them, or one shard's)."""
        settings = {"config": self.resolved(), "facts": self.facts}
        return tables.fingerprint(self.name, settings, inputs, self.modules)


@dataclass(frozen=True)
class Shard:
    """One unit of work and of resume: an input file, or one part of the input table."""

    name: str
    """Unique in the job and stable across runs; part of file names."""
    source: str
    path: str
    digest: str
    rows: int = 0
    """Rows that must come out as rows or rejects; 0 where the input cannot say (ingest)."""


class ShardTransform(Protocol):
    """A pure function of a shard: tables whose `reject_reason` is null (keep) or one of the closed list."""

    def __call__(self, shard: Shard) -> Iterator[pa.Table]: ...


@dataclass(frozen=True)
class Written:
    """What a task wrote: the parts of the table and of its rejects, and the counts."""

    parts: tuple[Part, ...]
    reject_parts: tuple[Part, ...]
    rows_out: int
    rejected: dict[str, int]
    seconds: float
    peak_memory_bytes: int


def part_shards(table: tables.Table) -> list[Shard]:
    """The parts of an input table as shards, in a stable order."""
    return sorted(
        (
            Shard(part.digest[:16], tables.source_of(part.path), path, part.digest, part.rows)
            for part, path in zip(table.manifest.parts, table.files(), strict=True)
        ),
        key=lambda shard: (shard.source, shard.name),
    )


def map_shards(
    spark: SparkSession, root: str, job: Job, shards: list[Shard], transform: ShardTransform, overwrite: bool
) -> Manifest:
    """Run `transform` once per shard in Spark tasks and commit `root/<job.table>` and its rejects.

    Shards whose record in `<table>/shards/` matches their fingerprint are kept as they are.
    Raises ContractError if a shard loses rows or gives a reason outside the closed list.
    """
    started = time.monotonic()
    folder = tables.table_path(root, job.table)
    marks = {shard.name: job.fingerprint({shard.name: shard.digest}) for shard in shards}
    records = {} if overwrite else _finished_shards(root, job.table, marks)
    pending = [shard for shard in shards if shard.name not in records]
    if pending:
        logger.info("%s: %d of %d shards to do", job.name, len(pending), len(shards))
        tasks = spark.sparkContext.parallelize(pending, len(pending))

        def run_shard(shard: Shard) -> tuple[str, Written]:
            written = write_tables(folder, job.table, transform(shard), shard.name)
            if shard.rows and written.rows_out + sum(written.rejected.values()) != shard.rows:
                raise ContractError(f"{shard.path}: {shard.rows} rows in, {written}; remedy: report this job")
            record = {"fingerprint": marks[shard.name], "written": asdict(written)}
            tables.write_bytes(folder, f"shards/{shard.name}.json", json.dumps(record).encode())
            return shard.name, written

        records |= dict(tasks.map(run_shard).collect())  # one small record per shard
    return _commit(root, job, [records[shard.name] for shard in shards], time.monotonic() - started)


def _finished_shards(root: str, table: str, marks: dict[str, str]) -> dict[str, Written]:
    """Records of shards done by the same code, config and input, whose parts are all there."""
    done = {}
    for name, mark in marks.items():
        try:
            record = json.loads(tables.read_bytes(tables.table_path(root, table), f"shards/{name}.json"))
        except (FileNotFoundError, ValueError):
            continue
        if record["fingerprint"] == mark:
            written = record["written"]
            for key in ("parts", "reject_parts"):
                written[key] = tuple(Part(**part) for part in written[key])
            if _whole(tables.table_path(root, table), written["parts"]) and _whole(
                tables.table_path(root, f"{table}_rejects"), written["reject_parts"]
            ):
                done[name] = Written(**written)
    return done


def _whole(folder: str, parts: Iterable[Part]) -> bool:
    """True if every part is in `folder` with its size."""
    fs, base = tables.filesystem(folder)
    parts = tuple(parts)
    infos = fs.get_file_info([f"{base}/{part.path}" for part in parts]) if parts else []
    return all(info.is_file and info.size == part.num_bytes for info, part in zip(infos, parts, strict=True))


def write_tables(folder: str, table: str, batches: Iterable[pa.Table], stem: str) -> Written:
    """Split `batches` by source and by reject_reason and write their parts; called inside a task."""
    started = time.monotonic()
    parts: list[Part] = []
    reject_parts: list[Part] = []
    rejected: Counter[str] = Counter()
    rows_out = 0
    for batch in batches:
        for source in sorted(set(batch["source"].to_pylist())):
            of_source = batch.filter(pc.equal(batch["source"], source))
            is_kept = pc.is_null(of_source["reject_reason"])
            kept, rejects = of_source.filter(is_kept), of_source.filter(pc.invert(is_kept))
            if kept.num_rows:
                parts.append(tables.write_part(folder, kept, SCHEMAS[table], source, stem))
                rows_out += kept.num_rows
            if rejects.num_rows:
                _check_reasons(table, rejects["reject_reason"].to_pylist())
                reject_parts.append(tables.write_part(f"{folder}_rejects", rejects, REJECTS, source, stem))
                rejected.update(rejects["reject_reason"].to_pylist())
    return Written(
        tuple(parts),
        tuple(reject_parts),
        rows_out,
        dict(sorted(rejected.items())),
        time.monotonic() - started,
        tables.peak_memory_bytes(),
    )


def _check_reasons(table: str, reasons: list[str]) -> None:
    unknown = set(reasons) - set(REJECT_REASONS[table])
    if unknown:
        raise ContractError(
            f"{table}: reject reason {unknown.pop()!r} is not in the contract; remedy: add it there"
        )


def _commit(root: str, job: Job, records: list[Written], seconds: float) -> Manifest:
    """Commit the rejects, then the table: whoever sees the table's manifest can read both."""
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update(record.rejected)
    rows_out = sum(record.rows_out for record in records)
    parts = tuple(part for record in records for part in record.parts)
    reject_parts = tuple(part for record in records for part in record.reject_parts)
    manifest = Manifest(
        table=job.table,
        job=job.name,
        fingerprint=job.fingerprint(job.inputs),
        digest=tables.digest_of((*parts, *reject_parts)),
        parts=parts,
        rows_in=rows_out + rejected.total(),
        rows_out=rows_out,
        rejected=dict(sorted(rejected.items())),
        inputs=job.inputs,
        config=job.resolved(),
        facts=job.facts,
        git_commit=tables.git_commit(),
        num_bytes=sum(part.num_bytes for part in parts),
        seconds=round(seconds, 3),
        peak_memory_bytes=max((record.peak_memory_bytes for record in records), default=0),
    )
    rejects = Manifest(
        **{
            **vars(manifest),
            "table": f"{job.table}_rejects",
            "digest": tables.digest_of(reject_parts),
            "parts": reject_parts,
            "rows_in": rejected.total(),
            "rows_out": rejected.total(),
            "rejected": {},
            "num_bytes": sum(part.num_bytes for part in reject_parts),
        }
    )
    tables.commit(root, rejects)
    logger.info(
        "%s: %s of %s rows kept, rejected %s, %.1f s",
        job.name, f"{rows_out:,}", f"{manifest.rows_in:,}", dict(sorted(rejected.items())), seconds,
    )  # fmt: skip
    return tables.commit(root, manifest)


def read_table(spark: SparkSession, table: tables.Table) -> DataFrame:
    """A committed table as a DataFrame, `source` included; only the parts that its manifest names."""
    if not table.manifest.parts:
        return spark.createDataFrame([], _spark_schema(spark, table.manifest.table))
    return spark.read.option("basePath", table.path).parquet(*table.files())


def _spark_schema(spark: SparkSession, table: str) -> object:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(SCHEMAS[table])


def write_rows(rows: DataFrame, root: str, job: Job, num_parts: int, started: float) -> Manifest:
    """Write a DataFrame with a `reject_reason` column as `root/<job.table>` and its rejects, and commit both.

    Rows are placed by hash of doc_id and sorted by it, so the content of every part depends on the rows and
    `num_parts` alone. `started`: time.monotonic() at the start of the job.
    """
    folder = tables.table_path(root, job.table)
    table = job.table

    def write(part: pa.Table) -> Written:
        return write_tables(folder, table, [part], "")

    placed = rows.repartition(num_parts, "doc_id").sortWithinPartitions("source", "doc_id")
    return write_partitions(placed, write, root, job, started)


def write_partitions(
    placed: DataFrame, write: Callable[[pa.Table], Written], root: str, job: Job, started: float
) -> Manifest:
    """Have tasks `write` each partition of `placed` as a part, with its rejects, and commit both tables."""

    def write_partition(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        whole = list(batches)  # one partition: the caller places rows so that it fits a task's memory
        if whole:
            written = write(pa.Table.from_batches(whole))
            yield pa.RecordBatch.from_pydict({"record": [json.dumps(asdict(written))]})

    records = []
    for row in placed.mapInArrow(write_partition, "record string").collect():  # one small record per part
        values = json.loads(row.record)
        for key in ("parts", "reject_parts"):
            values[key] = tuple(Part(**part) for part in values[key])
        records.append(Written(**values))
    return _commit(root, job, records, time.monotonic() - started)


def rejects_of(rows: list[dict[str, object]]) -> pa.Table:
    """Reject rows given as dictionaries, every column of REJECTS present (absent keys are null)."""
    return pa.Table.from_pylist(rows, schema=REJECTS)
