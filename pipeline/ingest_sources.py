"""WARC, HTML, PDF, notebooks, source files, JSONL and Parquet -> raw.

One input file, or one group of small files, is one shard. Whatever a file holds becomes a row or a reject.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Annotated, Literal

import pyarrow as pa
import pyarrow.compute as pc
from annotated_types import MinLen
from pydantic import Field
from pyspark.sql import SparkSession

from configs import tables
from configs.bounds import Positive
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest
from configs.job import Job, commit, make_table
from configs.loader import Config, ConfigError, load
from configs.storage.shard_log import ShardLog
from pipeline.reading.files import WHOLE_FILE_KINDS, read_file
from pipeline.reading.list_inputs import FileShard, list_shards
from pipeline.reading.raw_row import BATCH
from pipeline.spark.repeated_records import reject_repeats
from pipeline.spark.session import spark_session
from pipeline.spark.tables import run_shards

DAMAGE = ("warc_unreadable", "file_unreadable", "warc_malformed_record", "warc_truncated_record")
"""Reject reasons of damaged or foreign files."""

BATCH_BYTES = 16 << 20
"""Content bytes of rows that are handed on together. Our choice: a page has 100 kB, a book 20 MB."""

Format = Literal["warc", "jsonl", "parquet", "pdf", "notebook", "code", "latex", "html", "text"]


class SourceConfig(Config):
    """One source of documents."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
    """The column `source` of its documents; names the training buckets later."""
    path: str
    """A file, a folder or a glob with `**`; relative to the repository, absolute, or a URI."""
    format: Format
    """How the files are read; pdf, notebook, code, latex, html, text: a file is one document."""
    exclude: tuple[str, ...] = ()
    """Globs of files to leave out, relative to the folder before the first wildcard of `path`."""
    text_field: str = "text"
    """jsonl and parquet: the field that holds the document."""
    id_field: str | None = None
    """jsonl and parquet: the field that names the document; absent: its line or row number does."""
    url_field: str | None = None
    """jsonl and parquet: the field with the page's URL; absent: there is none."""


class IngestConfig(Config):
    """ingest.toml."""

    files_per_shard: Positive
    """About how many small files one task reads (formats where a file is one document)."""
    max_content_bytes: Positive
    """Larger documents are rejected as too_large."""
    max_expansion: Positive
    """A compressed HTTP body may grow this many times; beyond it, it is taken for a bomb."""
    sources: Annotated[tuple[SourceConfig, ...], MinLen(1)]
    """What to read."""


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Read every source into `raw`; None on a dry run.

    Raises ConfigError if a source has no file, before anything is written, and ContractError if nothing is
    kept or if a WARC source keeps nothing.
    """
    config = load(place.preset, "ingest", IngestConfig)
    shards = plan(config)
    inputs = {"files": tables.hash_json([(shard.name, shard.digest) for shard in shards])}
    job = Job("ingest", "raw", code_hash(__name__), config.model_dump(mode="json"), inputs)
    num_files = sum(len(shard.files) for shard in shards)

    def read_all() -> Manifest:
        started = time.monotonic()
        written = run_shards(spark, place, job, shards, partial(transform, config=config))
        records = reject_repeats(spark, place.output, "raw", written.records(), _may_repeat(config, shards))
        kept = {shard.source for shard in shards if records[shard.name].rows_out}

        def refusal(manifest: Manifest) -> str | None:
            return _empty_warc_source(place.output, kept, config) or _nothing_kept(manifest)

        return commit(place.output, job, ShardLog.of(records), started, refusal=refusal, shard_log=written)

    return make_table(
        place,
        job,
        f"read {num_files} files in {len(shards)} shards into {place.output}/raw",
        read_all,
    )


def plan(config: IngestConfig) -> list[FileShard]:
    """The shards of all sources; opens no file. Raises ConfigError where there is nothing to read."""
    names = [source.name for source in config.sources]
    if len(set(names)) < len(names):
        raise ConfigError(f"ingest.toml: sources: two are named alike ({names}); remedy: rename one")
    shards = []
    for source in config.sources:
        files_per_shard = config.files_per_shard if source.format in WHOLE_FILE_KINDS else 1
        shards += list_shards(source.name, source.path, source.exclude, files_per_shard)
    return shards


def transform(shard: FileShard, config: IngestConfig) -> Iterator[pa.Table]:
    """Rows and rejects of a shard, in file order, in tables of some megabytes."""
    [source] = [source for source in config.sources if source.name == shard.source]
    rows = (row for file in shard.files for row in read_file(file, source, config))
    batch: list[dict[str, object]] = []
    num_bytes = 0
    for values in _without_repeats(row.values(source.name) for row in rows):
        batch.append(values)
        num_bytes += len(values["content"] or b"")
        if len(batch) == tables.BATCH_ROWS or num_bytes >= BATCH_BYTES:
            yield pa.Table.from_pylist(batch, schema=BATCH)
            batch, num_bytes = [], 0
    if batch:
        yield pa.Table.from_pylist(batch, schema=BATCH)


def _without_repeats(rows: Iterable[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Rows of a shard; one whose doc_id an earlier row has becomes a reject."""
    seen = set()
    for values in rows:
        if values["doc_id"] in seen and values["reject_reason"] is None:
            yield values | {
                "content": None,
                "reject_reason": "duplicate_doc_id",
                "duplicate_of": values["doc_id"],
            }
        else:
            yield values
            if values["reject_reason"] is None:
                seen.add(values["doc_id"])


def _may_repeat(config: IngestConfig, shards: list[FileShard]) -> set[str]:
    """Return the shards of which a doc_id may recur in another one: a WARC's record ids name no file."""
    num_shards = Counter(shard.source for shard in shards)
    sources = {source.name for source in config.sources if source.format == "warc"}
    return {shard.name for shard in shards if shard.source in sources and num_shards[shard.source] > 1}


def _nothing_kept(manifest: Manifest) -> str | None:
    if manifest.rows_out:
        return None
    return f"no document among {manifest.rows_in} records; remedy: correct the sources in ingest.toml"


def _empty_warc_source(root: str, kept: set[str], config: IngestConfig) -> str | None:
    """Return the fault if a WARC source keeps no row: its path or format is probably wrong."""
    for source in config.sources:
        if source.format == "warc" and source.name not in kept:
            num_records, first = _first_fault(root, source.name)
            return (
                f"source {source.name!r}: no document among {num_records} records, the first fault: {first}; "
                "remedy: correct its path or format in ingest.toml, or repair its files"
            )
    return None


def _first_fault(root: str, source: str) -> tuple[int, str]:
    """Return the number of the source's rejects and the first of them, damage before other reasons."""
    rejects = tables.open_table(root, "raw_rejects")
    columns = ["source", "origin", "reject_reason", "detail"]
    num_rejects = 0
    found: list[tuple[bool, str, int, str]] = []
    for batch in rejects.batches(columns, tables.SHORT_BATCH_ROWS):
        of_source = batch.filter(pc.equal(batch["source"], source))
        num_rejects += of_source.num_rows
        for row in of_source.to_pylist():
            file, offset, reason = row["origin"]["file"], row["origin"]["offset"], row["reject_reason"]
            fault = f"{reason} at byte {offset} of {file} ({row['detail'] or 'no detail'})"
            found = [min([*found, (reason not in DAMAGE, file, offset, fault)])]
    return num_rejects, found[0][3]


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("ingest"), place)


if __name__ == "__main__":
    main(job)
