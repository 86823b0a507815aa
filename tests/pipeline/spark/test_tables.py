"""Shards commit on their own; rows and rejects add up; content does not depend on partitions."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.command import Place
from configs.contract import RAW, REJECTS, ContractError
from configs.job import Job
from configs.loader import ConfigError
from pipeline.spark.tables import (
    PartShard,
    map_shards,
    part_shards,
    read_table,
    run_partitions,
    run_tasks,
    write_rows,
)

COLUMNS = pa.schema([*RAW, *(field for field in REJECTS if field.name not in RAW.names)])
SHARDS = [
    PartShard("one", "one.warc", "digest-1", 6),
    PartShard("two", "two.pdf", "digest-2", 6),
]
pytestmark = pytest.mark.spark


def rows_of(shard: PartShard, reject_every: int) -> pa.Table:
    """Six rows; every `reject_every`-th is a reject."""
    rows = [
        {
            "doc_id": f"{shard.name}-{n}",
            "source": Path(shard.path).suffix[1:],
            "kind": "text",
            "content": b"x" * n,
            "origin": {"file": shard.path, "offset": n, "length": 1},
            "reject_reason": "too_large" if n % reject_every == 0 else None,
        }
        for n in range(6)
    ]
    schema = pa.schema([field.with_nullable(True) for field in COLUMNS])
    return pa.Table.from_pylist(rows, schema=schema)


JOB = Job("ingest", "raw", "code", {"reject_every": 3}, {shard.name: shard.digest for shard in SHARDS})


def place_of(root: Path) -> Place:
    return Place(root, str(root), str(root))


def run(
    spark: SparkSession, root: Path, shards: list[PartShard], log: Path, fail: str = ""
) -> tables.Manifest:
    def transform(shard: PartShard) -> Iterator[pa.Table]:
        with log.open("a") as stream:
            stream.write(f"{shard.name}\n")
        if shard.name == fail:
            raise RuntimeError("planted")
        yield rows_of(shard, 3)

    return map_shards(spark, place_of(root), JOB, shards, transform)


def test_rows_and_rejects_are_split_counted_and_committed(spark: SparkSession, tmp_path: Path) -> None:
    manifest = run(spark, tmp_path, SHARDS, tmp_path / "log")
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (12, 8, {"too_large": 4})
    rejects = tables.read(tables.open_table(str(tmp_path), "raw_rejects"))
    assert rejects is not None
    assert sorted(rejects["doc_id"].to_pylist()) == ["one-0", "one-3", "two-0", "two-3"]
    assert tables.read_manifest(str(tmp_path), "raw_rejects").rows_out == 4  # type: ignore[union-attr]


def test_a_failed_run_costs_only_its_own_shards(spark: SparkSession, tmp_path: Path) -> None:
    with pytest.raises(Exception, match="planted"):
        run(spark, tmp_path / "a", SHARDS, tmp_path / "log", fail="two")
    assert tables.read_manifest(str(tmp_path / "a"), "raw") is None
    (tmp_path / "log").unlink()
    resumed = run(spark, tmp_path / "a", SHARDS, tmp_path / "log")
    assert "one" not in (tmp_path / "log").read_text().split()
    straight = run(spark, tmp_path / "b", SHARDS, tmp_path / "log")
    assert (resumed.digest, resumed.fingerprint) == (straight.digest, straight.fingerprint)


def test_a_shard_whose_part_is_gone_is_done_again(spark: SparkSession, tmp_path: Path) -> None:
    first = run(spark, tmp_path, SHARDS, tmp_path / "log")
    [part, _] = tables.read_parts(str(tmp_path), first)
    (tmp_path / "raw" / part.path).unlink()
    again = run(spark, tmp_path, SHARDS, tmp_path / "log")
    assert again.digest == first.digest
    assert (tmp_path / "log").read_text().split().count("one") == 2


def test_a_reason_outside_the_contract_fails_the_job(spark: SparkSession, tmp_path: Path) -> None:
    def transform(shard: PartShard) -> Iterator[pa.Table]:
        table = rows_of(shard, 3)
        reasons = pa.array(["because"] * table.num_rows)
        yield table.set_column(table.schema.get_field_index("reject_reason"), "reject_reason", reasons)

    with pytest.raises(ContractError, match="reject reason 'because' is not in the contract"):
        map_shards(spark, place_of(tmp_path), JOB, SHARDS, transform)


def test_lost_rows_fail_the_job(spark: SparkSession, tmp_path: Path) -> None:
    shards = [PartShard("one", "one.warc", "digest-1", 7)]
    with pytest.raises(ContractError, match="7 rows in, 6 out"):
        run(spark, tmp_path, shards, tmp_path / "log")


def test_written_content_does_not_depend_on_order_or_partitions(spark: SparkSession, tmp_path: Path) -> None:
    run(spark, tmp_path / "in", SHARDS, tmp_path / "log")
    rows = read_table(spark, tables.open_table(str(tmp_path / "in"), "raw"), RAW.names)
    for name in ("reject_reason", "detail", "duplicate_of", "measurements", "excerpt"):
        rows = rows.withColumn(name, F.lit(None).cast("string"))
    orders = {"up": rows.orderBy("doc_id").repartition(7), "down": rows.orderBy(F.desc("doc_id")).coalesce(1)}
    digests = {
        name: write_rows(frame, str(tmp_path / name), JOB, 2, 0.0).digest for name, frame in orders.items()
    }
    assert digests["up"] == digests["down"]


def test_shards_of_a_table_are_its_parts(spark: SparkSession, tmp_path: Path) -> None:
    run(spark, tmp_path, SHARDS, tmp_path / "log")
    table = tables.open_table(str(tmp_path), "raw")
    shards = part_shards(table)
    assert [shard.rows for shard in shards] == [4, 4]
    assert [shard.name for shard in shards] == sorted(part.digest for part in table.parts)
    paths = {part.digest: f"{table.path}/{part.path}" for part in table.parts}
    assert {shard.digest: shard.path for shard in shards} == paths


def test_refusals_in_tasks_reach_the_driver_as_themselves(spark: SparkSession) -> None:
    """A ConfigError or ContractError inside a task is raised on the driver; another error stays Spark's."""

    def refuse(item: int) -> int:
        if item:
            raise ConfigError(f"item {item}: bad; remedy: none")
        return item

    def refuse_batches(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, object]]:
        for batch in batches:
            yield {"rows": batch.num_rows}
        raise ContractError("table: damaged; remedy: none")

    assert run_tasks(spark, [0, 0], 2, refuse) == [0, 0]
    with pytest.raises(ConfigError, match="item 1: bad; remedy: none"):
        run_tasks(spark, [0, 2, 1], 2, refuse)
    with pytest.raises(ContractError, match="table: damaged; remedy: none"):
        run_partitions(spark.range(3), refuse_batches)
    with pytest.raises(Exception, match="division"):
        run_tasks(spark, [0], 1, lambda item: 1 // item)
