"""Deduplicate any Parquet files: INPUT/**/*.parquet -> OUTPUT/deduped and OUTPUT/deduped_rejects.

The input has the columns doc_id (unique), url and text. Every other column is copied, and those in
keys.RANK_COLUMNS are used for the keeper order. The guard counts per `source`, which is a column or a folder
source=<s>. A file counts as changed if its path, size or modification time differs. Cost: the signatures of a
file are one task.
"""

import time
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place
from configs.contract import EXCERPT_CHARS, ContractError, Manifest, Part
from configs.job import Job, Record, make_table
from pipeline.dedup.clusters import OUTCOME
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.find_duplicates import find_duplicates
from pipeline.dedup.keys import REQUIRED_COLUMNS
from pipeline.spark.tables import PartShard, write_partitions

ADDED = ("cluster_id", "cluster_size", "duplicate_urls", "duplicate_domains", "split")


def is_plain(place: Place) -> bool:
    """Whether the input is a folder of Parquet files and not the root of a run.

    A root holds tables, each with its manifest. A run's own root is never its plain input.
    """
    if place.input == place.output:
        return False
    fs, base = tables.filesystem(place.input)
    entries = fs.get_file_info(pafs.FileSelector(base, allow_not_found=True))
    folders = [f"{entry.path}/manifest.json" for entry in entries if entry.type == pafs.FileType.Directory]
    is_root = any(info.is_file for info in (fs.get_file_info(folders) if folders else ()))
    return not is_root and bool(_files(place.input))


def run(spark: SparkSession, place: Place, config: DedupConfig, started: float) -> Manifest | None:
    """Deduplicate the files and commit both tables; return None on a dry run.

    Raises ContractError if the output lies in the input, or if a file lacks a column or has one of ADDED.
    """
    if f"{place.output.rstrip('/')}/".startswith(f"{place.input.rstrip('/')}/"):
        raise ContractError(
            f"{place.output}: lies in the input {place.input}; remedy: choose another --output"
        )
    shards = _shards(place.input)
    digest = tables.hash_json([shard.digest for shard in shards])
    job = Job("dedup", "deduped", code_hash(__name__), config.model_dump(mode="json"), {"parquet": digest})

    def work() -> Manifest:
        reader = spark.read.option("mergeSchema", True).option("basePath", place.input)
        documents = reader.parquet(*(shard.path for shard in shards))
        texts = documents.select(F.col("doc_id").cast("string").alias("doc_id"), "text")
        outcome = find_duplicates(spark, place.output, shards, texts, config)
        num_parts = config.num_parts(sum(info.size for _, info in _files(place.input)))
        return _write(documents, outcome, place.output, job, num_parts, started)

    what = f"compare {sum(shard.rows for shard in shards)} rows of {len(shards)} files"
    return make_table(place, job, what, work)


def _files(folder: str) -> list[tuple[str, pafs.FileInfo]]:
    """List (path in `folder`, file) of every Parquet file; names that start with _ or . are not data."""
    fs, base = tables.filesystem(folder)
    found = []
    for info in fs.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True)):
        relative = info.path.removeprefix(base).lstrip("/")
        is_hidden = any(piece.startswith(("_", ".")) for piece in relative.split("/"))
        if info.is_file and relative.endswith(".parquet") and not is_hidden:
            found.append((relative, info))
    return sorted(found, key=lambda file: file[0])


def _shards(folder: str) -> list[PartShard]:
    fs, _ = tables.filesystem(folder)
    shards = []
    for relative, info in _files(folder):
        with fs.open_input_file(info.path) as file:
            footer = pq.read_metadata(file)
        path = f"{folder.rstrip('/')}/{relative}"
        _check_columns(footer.schema.to_arrow_schema(), path)
        mark = tables.hash_json([relative, info.size, info.mtime_ns])
        shards.append(PartShard(relative, tables.source_of(relative), path, mark, footer.num_rows))
    return shards


def _check_columns(schema: pa.Schema, path: str) -> None:
    for name in REQUIRED_COLUMNS:
        if name not in schema.names:
            raise ContractError(f"{path}: no column {name}; remedy: add it (url may be null)")
    for name in ("url", "text"):
        if schema.field(name).type not in (pa.string(), pa.large_string()):
            raise ContractError(f"{path}: {name} is {schema.field(name).type}; remedy: make it a string")
    id_type = schema.field("doc_id").type
    if id_type not in (pa.string(), pa.large_string()) and not pa.types.is_integer(id_type):
        raise ContractError(f"{path}: doc_id is {id_type}; remedy: make it a string or an integer")
    for name in ADDED:
        if name in schema.names:
            raise ContractError(f"{path}: has a column {name}, which dedup adds; remedy: rename or drop it")


def _write(
    documents: DataFrame, outcome: DataFrame, root: str, job: Job, num_parts: int, started: float
) -> Manifest:
    """Write kept rows and rejects and commit both.

    The hash of doc_id decides a row's part, and the rows of a part are sorted by doc_id. So a part depends
    only on the rows and on `num_parts`.
    """
    folder = tables.table_path(root, job.table)

    def write(part: pa.Table) -> Record:
        return _write_part(part, folder)

    rows = documents.withColumn("_id", F.col("doc_id").cast("string")).repartition(num_parts, "_id")
    decided = F.struct(*(name for name in OUTCOME if name != "source")).alias("_outcome")
    outcomes = outcome.select(F.col("doc_id").alias("_id"), decided).repartition(num_parts, "_id")
    placed = rows.join(outcomes, on="_id", how="inner").sortWithinPartitions("_id").drop("_id")
    return write_partitions(placed, write, root, job, started)


def _write_part(rows: pa.Table, folder: str) -> Record:
    """Write the kept rows and the rejects of one partition."""
    started = time.monotonic()
    outcome = {name: pc.struct_field(rows["_outcome"], name) for name in OUTCOME if name != "source"}
    is_kept = pc.is_null(outcome["reject_reason"])
    kept = rows.drop_columns("_outcome")
    rejects = kept.select([name for name in ("doc_id", "source", "url") if name in kept.column_names])
    for name in ADDED:
        kept = kept.append_column(name, outcome[name])
    for name in ("reject_reason", "duplicate_of", "measurements"):
        rejects = rejects.append_column(name, outcome[name])
    rejects = rejects.append_column("excerpt", pc.utf8_slice_codeunits(rows["text"], 0, EXCERPT_CHARS))
    reasons = Counter(outcome["reject_reason"].drop_null().to_pylist())
    kept = kept.filter(is_kept)
    return Record(
        "",
        _write_file(kept, folder),
        _write_file(rejects.filter(pc.invert(is_kept)), f"{folder}_rejects"),
        kept.num_rows,
        dict(sorted(reasons.items())),
        seconds=time.monotonic() - started,
        peak_memory_bytes=tables.peak_memory_bytes(),
    )


def _write_file(rows: pa.Table, folder: str) -> tuple[Part, ...]:
    """Write the rows as one part; return no part if there are no rows."""
    if rows.num_rows == 0:
        return ()
    sink = pa.BufferOutputStream()
    pq.write_table(rows, sink, compression="zstd")
    data = sink.getvalue().to_pybytes()
    return (tables.write_bytes(folder, f"part-{tables.hash_bytes(data)}.parquet", data, rows.num_rows),)
