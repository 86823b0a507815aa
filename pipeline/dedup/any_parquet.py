"""Deduplicate any Parquet files: INPUT/**/*.parquet -> OUTPUT/deduped and OUTPUT/deduped_rejects.

The input has the columns doc_id (unique), url and text. Every other column is copied, and those in
keys.RANK_COLUMNS are used for the keeper order. The guard counts per `source`, which is a column or a folder
source=<s>. A file counts as changed if its path, size or modification time differs. Cost: the footer of every
file is read on the driver; the signatures of a file are one shard.
"""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place
from configs.contract import EXCERPT_CHARS, ContractError, Manifest
from configs.job import Job, commit, make_table
from configs.storage.manifest import MANIFEST, OLD_MANIFEST
from configs.storage.shard_log import ShardLog
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.find_duplicates import find_duplicates
from pipeline.dedup.keys import REQUIRED_COLUMNS
from pipeline.spark.states import delete_states
from pipeline.spark.tables import PartShard, arrow_schema, read_parts, write_tasks

ADDED = ("cluster_id", "cluster_size", "duplicate_urls", "duplicate_domains", "split")
OF_REJECTS = ("reject_reason", "duplicate_of", "measurements", "excerpt")


def is_plain(place: Place) -> bool:
    """Whether the input is a folder of Parquet files and not the root of a run.

    A root holds tables, each with its manifest. One table alone is plain, a run's own root never is.
    """
    if place.input == place.output:
        return False
    fs, base = tables.filesystem(place.input)
    entries = fs.get_file_info(pafs.FileSelector(base, allow_not_found=True))
    folders = [
        entry.path
        for entry in entries
        if entry.type == pafs.FileType.Directory and not entry.base_name.startswith("_")
    ]
    manifests = [f"{folder}/{name}" for folder in folders for name in (MANIFEST, OLD_MANIFEST)]
    is_root = any(info.is_file for info in (fs.get_file_info(manifests) if manifests else ()))
    return not is_root and bool(_files(place.input))


def run(spark: SparkSession, place: Place, config: DedupConfig, started: float) -> Manifest | None:
    """Deduplicate the files and commit both tables; return None on a dry run.

    Raises ContractError if the output lies in the input, if a file lacks a column or has one of ADDED or
    OF_REJECTS, or if two files give a column types that do not go together.
    """
    if f"{place.output.rstrip('/')}/".startswith(f"{place.input.rstrip('/')}/"):
        raise ContractError(
            f"{place.output}: lies in the input {place.input}; remedy: choose another --output"
        )
    shards, schema = _shards(place.input)
    digest = tables.hash_json([shard.digest for shard in shards])
    job = Job("dedup", "deduped", code_hash(__name__), config.model_dump(mode="json"), {"parquet": digest})

    def work() -> Manifest:
        delete_states(place.output, "dedup")
        documents = read_parts(spark, shards, schema)
        texts = documents.select(F.col("doc_id").cast("string").alias("doc_id"), "text")
        outcome = find_duplicates(spark, place, shards, texts, config)
        num_tasks = config.num_tasks(sum(shard.num_bytes for shard in shards))
        manifest = _write(documents, outcome, place.output, job, num_tasks, started)
        delete_states(place.output, "dedup")
        return manifest

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


def _shards(folder: str) -> tuple[list[PartShard], pa.Schema]:
    """The files as shards, and the columns of all of them and of their folders."""
    fs, _ = tables.filesystem(folder)
    shards, schemas = [], []
    for relative, info in _files(folder):
        path = f"{folder.rstrip('/')}/{relative}"
        try:
            footer = pq.read_metadata(fs.open_input_file(info.path))
        except pa.ArrowInvalid as error:
            raise ContractError(f"{path}: no Parquet file ({error}); remedy: remove or repair it") from None
        schema = footer.schema.to_arrow_schema()
        _check_columns(schema, path)
        pieces = [piece.partition("=") for piece in relative.split("/")[:-1] if "=" in piece]
        folders = tuple((name, value) for name, _, value in pieces if name not in schema.names)
        schemas.append(pa.schema([*schema, *(pa.field(name, pa.string()) for name, _ in folders)]))
        mark = tables.hash_json([relative, info.size, info.mtime_ns])
        shards.append(PartShard(mark, path, mark, footer.num_rows, info.size, folders))
    try:
        joined = pa.unify_schemas(schemas, promote_options="permissive").remove_metadata()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ContractError(f"{folder}: {error}; remedy: give the column one type in all files") from None
    return shards, pa.schema([field.with_nullable(True) for field in joined])


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
    for name in (*ADDED, *OF_REJECTS):
        if name in schema.names:
            raise ContractError(f"{path}: has a column {name}, which dedup adds; remedy: rename or drop it")


def _write(
    documents: DataFrame, outcome: DataFrame, root: str, job: Job, num_tasks: int, started: float
) -> Manifest:
    """Write kept rows and rejects and commit both.

    The hash of doc_id decides a row's task, and a task sorts its rows by doc_id. So a part depends only on
    the rows and on `num_tasks`.
    """
    columns = documents.columns
    rows = documents.withColumn("_id", F.col("doc_id").cast("string")).repartition(num_tasks, "_id")
    wanted = ("reject_reason", "duplicate_of", "measurements", *ADDED)
    outcomes = outcome.select(F.col("doc_id").alias("_id"), *wanted).repartition(num_tasks, "_id")
    placed = (
        rows.join(outcomes, on="_id", how="inner")
        .sortWithinPartitions("_id")
        .withColumn("excerpt", F.substring("text", 1, EXCERPT_CHARS))
        .drop("_id")
    )
    schema = arrow_schema(placed.schema)
    kept = _of(schema, (*columns, *ADDED))
    rejects = _of(schema, [name for name in ("doc_id", "source", "url") if name in columns])
    rejects = pa.schema([*rejects, *_of(schema, OF_REJECTS)])
    return commit(root, job, ShardLog.of(write_tasks(placed, root, job.table, kept, rejects)), started)


def _of(schema: pa.Schema, names: Sequence[str]) -> pa.Schema:
    return pa.schema([schema.field(name) for name in names])
