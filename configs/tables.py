"""Tables: parts first, then the list of parts, the manifest last; readers open only what these name.

    <root>/<table>/data/*.parquet         the rows (a table of other files has them beside `_meta/`)
                  /_meta/manifest.json    counts, config, digests
                        /parts-*.parquet  path, rows, bytes and digest of every part
                        /shards-*.parquet what each shard wrote, for the next run (configs.shards)
                  /README.md              names the parts for datasets.load_dataset

PartWriter or write_bytes -> commit -> open_table -> read. A killed writer leaves files that nothing names;
`make clean-root` deletes them. Cost of opening: the manifest, the list, one listing of the folder.
"""

import logging
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.contract import SCHEMAS, ContractError, Manifest, Part
from configs.lease import may_be_read, require_held
from configs.storage.files import (
    HashedFile,
    delete_files,
    digest_of,
    filesystem,
    read_bytes,
    sizes_under,
    write_bytes,
)
from configs.storage.manifest import (
    CARD,
    MANIFEST,
    MAX_PARTS_ON_CARD,
    META,
    WITHDRAWN,
    card,
    hash_bytes,
    hash_json,
    last_manifest,
    read_manifest,
    table_path,
    withdraw,
    write_manifest,
)
from configs.storage.part_list import PARTS, PartList
from configs.storage.parts import (
    BATCH_ROWS,
    SHORT_BATCH_ROWS,
    PartWriter,
    read_part,
    read_schema,
    write_empty_part,
)

__all__ = [
    "BATCH_ROWS", "SHORT_BATCH_ROWS", "PartList", "PartWriter", "Table", "check_parts", "commit",
    "delete_files", "fault_of_parts", "filesystem", "git_commit", "hash_bytes", "hash_json", "last_manifest",
    "open_table", "peak_memory_bytes", "read", "read_bytes", "read_manifest", "read_part",
    "read_parts", "read_schema", "read_shard_log", "sizes_under", "table_path", "tables_under", "withdraw",
    "write_bytes", "write_manifest",
]  # fmt: skip

logger = logging.getLogger(__name__)

ROWS_OF_A_LIST = 100_000
"""Rows of a row group of a list: some ten MB while it is encoded."""

MAX_PARTS_LISTED = 100_000
"""A larger table is not listed when it is opened (a second or more): reading a part finds its fault."""


def commit(
    root: str,
    manifest: Manifest,
    parts: Iterable[Part],
    shard_log: pa.Table | None = None,
    logged: PartList | None = None,
) -> Manifest:
    """Write the lists and then the manifest of `root/<manifest.table>`; delete what only the last one named.

    `logged` are the parts that `shard_log` names: they stay on disk, in the table or not. What a reader may
    hold stays too. Raises ContractError, before anything is written, if rows in, out and rejected do not add
    up, and LeaseHeldError if another process has taken over the lease.
    """
    lost = manifest.rows_in - manifest.rows_out - sum(manifest.rejected.values())
    if lost:
        raise ContractError(
            f"{root}/{manifest.table}: {manifest.rows_in} rows in, {manifest.rows_out} out, "
            f"{sum(manifest.rejected.values())} rejected; remedy: a job lost rows, report it"
        )
    folder = table_path(root, manifest.table)
    last = _named_before(root, manifest.table)
    listed = PartList.of(parts)
    if not len(listed) and manifest.table in SCHEMAS:
        listed = PartList.of([write_empty_part(folder, SCHEMAS[manifest.table])])
    manifest = replace(
        manifest,
        num_parts=len(listed),
        num_bytes=listed.num_bytes(),
        part_list=_write_meta(folder, "parts", listed.rows),
        shard_log=None if shard_log is None else _write_meta(folder, "shards", shard_log),
    )
    names = listed.rows["path"].filter(pc.starts_with(listed.rows["path"], "data/"))
    if len(names):
        write_bytes(folder, CARD, card(manifest, names.slice(0, MAX_PARTS_ON_CARD + 1).to_pylist()))
    require_held(root)
    write_manifest(root, manifest)
    _delete_superseded(root, manifest, last, pa.chunked_array([*_named(manifest, listed, logged)]))
    return manifest


def _delete_superseded(root: str, manifest: Manifest, last: pa.ChunkedArray, now: pa.ChunkedArray) -> None:
    superseded = last.filter(pc.invert(pc.is_in(last, now.combine_chunks())))
    if not len(superseded):
        return
    folder = table_path(root, manifest.table)
    if may_be_read(root, manifest.table):
        logger.info("%s: what it replaces may be read now and stays until make clean-root", folder)
        return
    for chunk in superseded.chunks:
        delete_files(folder, chunk.to_pylist())


def _write_meta(folder: str, kind: str, rows: pa.Table) -> Part:
    name = f"{META}/{kind}-{uuid.uuid4().hex[:12]}.parquet"
    file = HashedFile(f"{folder}/{name}")
    pq.write_table(rows, file, compression="zstd", write_page_checksum=True, row_group_size=ROWS_OF_A_LIST)
    file.close()
    return Part(name, rows.num_rows, file.num_bytes, file.digest())


def _named_before(root: str, table: str) -> pa.ChunkedArray:
    """Files that the last manifest named, or the one that was withdrawn; a damaged one names nothing."""
    nothing = pa.chunked_array([], pa.string())
    try:
        manifest = last_manifest(root, table)
        if manifest is None:
            return nothing
        logged = None
        if manifest.shard_log is not None:
            log = read_shard_log(root, manifest, ["parts"])["parts"].combine_chunks()
            logged = PartList(pa.Table.from_batches([pa.RecordBatch.from_struct_array(log.flatten())]))
        named = _named(manifest, read_parts(root, manifest), logged)
    except ContractError as error:
        logger.warning("%s; what it named stays on disk until make clean-root", error)
        return nothing
    return pa.chunked_array([*named, pa.array([WITHDRAWN])])


def _named(manifest: Manifest, parts: PartList, logged: PartList | None) -> list[pa.Array]:
    """Names of all files of a table, but for its manifest and card."""
    lists = [part.path for part in (manifest.part_list, manifest.shard_log) if part is not None]
    columns = [parts.rows["path"], *(() if logged is None else (logged.rows["path"],))]
    return [pa.array(lists, pa.string()), *(chunk for column in columns for chunk in column.chunks)]


def read_shard_log(root: str, manifest: Manifest, columns: Sequence[str] | None = None) -> pa.Table:
    """The log of a table's shards. Raises ContractError if it is missing or was changed."""
    return _read_meta(root, manifest, manifest.shard_log, columns)


def read_parts(root: str, manifest: Manifest) -> PartList:
    """The list of parts. Raises ContractError if it is missing or not the one that was committed."""
    return PartList(_read_meta(root, manifest, manifest.part_list, PARTS.names))


def _read_meta(root: str, manifest: Manifest, file: Part | None, columns: Sequence[str] | None) -> pa.Table:
    """A list that the manifest names."""
    folder = table_path(root, manifest.table)
    remedy = "remedy: run the job of its table again with --overwrite"
    if file is None:
        raise ContractError(f"{folder}/{MANIFEST}: names no list of parts; {remedy}")
    try:
        data = read_bytes(folder, file.path)
    except FileNotFoundError:
        raise ContractError(f"{folder}/{file.path}: missing; {remedy}") from None
    if digest_of(data) != file.digest:
        raise ContractError(f"{folder}/{file.path}: not the list that was committed; {remedy}")
    return pq.read_table(pa.BufferReader(data), columns=columns)


@dataclass(frozen=True)
class Table:
    """A committed table: its folder, what its manifest says, and its parts."""

    path: str
    manifest: Manifest
    parts: PartList

    def files(self) -> list[str]:
        """Full paths (or URIs) of the parts."""
        return [f"{self.path}/{path}" for path in self.parts.rows["path"].to_pylist()]

    def batches(
        self, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
    ) -> Iterator[pa.RecordBatch]:
        """All rows, part by part. Raises ContractError if a part is missing or damaged."""
        for part in self.parts:
            yield from read_part(f"{self.path}/{part.path}", columns, batch_rows, part.rows)


def open_table(root: str, table: str) -> Table:
    """The committed table. Raises ContractError if it, its list, or a part that this names is not whole."""
    manifest = read_manifest(root, table)
    if manifest is None:
        raise ContractError(
            f"{table_path(root, table)}: no such table; "
            f"remedy: run the job that writes {table} first (make help)"
        )
    return check_parts(root, manifest)


def check_parts(root: str, manifest: Manifest) -> Table:
    """The table of a manifest that was read. Raises ContractError if a part is missing or cut."""
    path = table_path(root, manifest.table)
    parts = read_parts(root, manifest)
    if len(parts) <= MAX_PARTS_LISTED:
        fault = fault_of_parts(path, parts)
        if fault is not None:
            raise ContractError(f"{path}/{fault}; remedy: run its job again with --overwrite")
    return Table(path, manifest, parts)


def tables_under(root: str, folder: str) -> list[str]:
    """Sorted names of the tables in a folder of tables (tokens/<bucket>), committed or withdrawn."""
    ends = (f"/{MANIFEST}", f"/{WITHDRAWN}")
    names = {
        name.removesuffix(end)
        for name in sizes_under(table_path(root, folder))
        for end in ends
        if name.endswith(end)
    }
    return sorted(f"{folder}/{name}" for name in names)


def fault_of_parts(folder: str, parts: Sequence[Part]) -> str | None:
    """What is wrong with the first part that is missing or has another size; None if all are whole."""
    sizes = sizes_under(folder) if len(parts) else {}
    for part in parts:
        size = sizes.get(part.path)
        if size != part.num_bytes:
            found = "nothing" if size is None else f"{size} bytes"
            return f"{part.path}: the list of parts names {part.num_bytes} bytes, found {found}"
    return None


def read(table: Table, columns: Sequence[str] | None = None) -> pa.Table | None:
    """The whole table in memory; None if it has no rows."""
    batches = list(table.batches(columns, SHORT_BATCH_ROWS))
    return pa.Table.from_batches(batches) if batches else None


def git_commit() -> str:
    """Commit of the code, with `+` if the tree is changed; empty outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        run = subprocess.run(
            ["git", "describe", "--always", "--dirty=+", "--abbrev=12", "--exclude=*"],
            cwd=here, capture_output=True, text=True, timeout=20, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return run.stdout.strip()


def peak_memory_bytes() -> int:
    """Largest resident size of this process or any child it waited for (Linux counts KiB, macOS bytes)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(
        resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
