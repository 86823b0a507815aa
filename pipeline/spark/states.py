"""Intermediate states of a job, kept as parts under `<root>/_work/<job>/` until the job commits.

A state is written once and read by its list of parts, as a table is, so the loss of an executor costs its
tasks and not the state, and the plan that made the state is dropped (it would double in every round of a
loop). Cost: the state's bytes once in zstd Parquet, and one pass through Python each way.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict

import pyarrow as pa
import pyarrow.fs as pafs
from pyspark.sql import DataFrame

from configs import tables
from configs.contract import Part
from pipeline.spark.tables import PartShard, arrow_schema, read_parts, run_partitions

FOLDER = "_work"

Keep = Callable[[DataFrame], DataFrame]
"""Writes rows as a state and gives them back, read from it."""


def keep_under(root: str, job: str) -> Keep:
    """A function that keeps states of `job` under `root`."""

    def keep(rows: DataFrame) -> DataFrame:
        folder = f"{tables.table_path(root, FOLDER)}/{job}/{uuid.uuid4().hex[:12]}"
        schema = arrow_schema(rows.schema)

        def write(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, object]]:
            writer = tables.PartWriter(folder, schema)
            for batch in batches:
                writer.write(pa.Table.from_batches([batch]))
            yield from (asdict(part) for part in writer.close())

        parts = [Part(**values) for values in run_partitions(rows, write)]  # type: ignore[arg-type]
        shards = [
            PartShard(part.digest, f"{folder}/{part.path}", part.digest, part.rows, part.num_bytes)
            for part in sorted(parts, key=lambda part: part.digest)
        ]
        return read_parts(rows.sparkSession, shards, schema)

    return keep


def delete_states(root: str, job: str) -> None:
    """Delete all states of a job."""
    fs, base = tables.filesystem(f"{tables.table_path(root, FOLDER)}/{job}")
    if fs.get_file_info(base).type == pafs.FileType.Directory:
        fs.delete_dir(base)
