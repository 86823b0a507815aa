"""Tables on any pyarrow filesystem: parts first, the manifest last, readers open only what it names.

write_part -> commit -> open_table -> read. A killed writer leaves parts that no manifest names; the next
commit deletes them. There is no rename: a manifest that is not whole JSON counts as absent.
Cost: every part is hashed once while written (blake2b, about 1 GB/s) and stat-ed when a table is opened.
"""

import hashlib
import json
import resource
import subprocess
import sys
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from configs.contract import CONTRACT_VERSION, ContractError, Manifest, Part

BATCH_ROWS = 256
"""Rows of a batch that holds texts. Our choice: some MB; a page may have megabytes."""

SHORT_BATCH_ROWS = 65_536
"""Rows of a batch of ids, numbers and other short columns. Our choice: some ten MB."""


def filesystem(path: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a local path or URI (file:, s3:, hdfs:) and the path on it."""
    if "://" in path:
        found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(path)
        return found
    return pafs.LocalFileSystem(), str(Path(path).absolute())


def hash_bytes(data: bytes) -> str:
    """blake2b-128 of `data`, in hex."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


def hash_json(value: object) -> str:
    """Hash of a JSON-able value, independent of key order."""
    return hash_bytes(json.dumps(value, sort_keys=True, default=str).encode())


def write_bytes(folder: str, name: str, data: bytes, rows: int = 0) -> Part:
    """Write one file of a table; parents are created. The name must be new or belong to the same content."""
    fs, base = filesystem(folder)
    path = f"{base}/{name}"
    fs.create_dir(path.rsplit("/", 1)[0], recursive=True)
    with fs.open_output_stream(path, compression=None) as stream:
        stream.write(data)
    return Part(name, rows, len(data), hash_bytes(data))


def read_bytes(folder: str, name: str) -> bytes:
    """One file of a table, whole."""
    fs, base = filesystem(folder)
    with fs.open_input_stream(f"{base}/{name}", compression=None) as stream:
        data: bytes = stream.read()
    return data


def write_part(folder: str, rows: pa.Table, schema: pa.Schema, source: str, stem: str = "") -> Part:
    """Write `rows` (all of one source) as `source=<s>/part-<stem>-<unique>.parquet`, in `schema`.

    The bytes depend on the rows alone. Raises ContractError if a column is missing, has another type, or
    holds a null where the contract forbids it.
    """
    stored = pa.schema([field for field in schema if field.name != "source"])
    sink = pa.BufferOutputStream()
    pq.write_table(conform(rows, stored, folder), sink, compression="zstd", store_schema=True)
    name = f"source={source}/part-{stem}{'-' if stem else ''}{uuid.uuid4().hex[:12]}.parquet"
    return write_bytes(folder, name, sink.getvalue().to_pybytes(), rows.num_rows)


def conform(rows: pa.Table, schema: pa.Schema, where: str) -> pa.Table:
    """`rows` with exactly the columns of `schema`, in its order. Raises ContractError."""
    missing = [name for name in schema.names if name not in rows.schema.names]
    if missing:
        raise ContractError(
            f"{where}: column {missing[0]} is missing; remedy: write every column of the contract"
        )
    try:
        table = rows.select(schema.names).cast(schema)
        table.validate()
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise ContractError(
            f"{where}: {error}; remedy: write the contract's types, reject rows that lack a value"
        ) from None
    return table


def commit(root: str, manifest: Manifest, spare: Iterable[Part] = ()) -> Manifest:
    """Write the manifest of `root/<manifest.table>` and delete strays (shard records and `spare` stay).

    Raises ContractError if rows in, out and rejected do not add up.
    """
    lost = manifest.rows_in - manifest.rows_out - sum(manifest.rejected.values())
    if lost:
        raise ContractError(
            f"{root}/{manifest.table}: {manifest.rows_in} rows in, {manifest.rows_out} out, "
            f"{sum(manifest.rejected.values())} rejected; remedy: a job lost rows, report it"
        )
    folder = table_path(root, manifest.table)
    fs, base = filesystem(folder)
    fs.create_dir(base, recursive=True)
    values = json.loads(json.dumps(asdict(manifest), default=str))
    values |= {"self_digest": hash_json(values)}
    data = json.dumps(values, indent=1, sort_keys=True).encode()
    with fs.open_output_stream(f"{base}/manifest.json", compression=None) as stream:
        stream.write(data)
    named = {part.path for part in (*manifest.parts, *spare)} | {"manifest.json"}
    for info in fs.get_file_info(pafs.FileSelector(base, recursive=True)):
        relative = info.path.removeprefix(base).lstrip("/")
        is_stray = relative not in named and not relative.startswith("shards/")
        if info.type == pafs.FileType.File and is_stray and not _is_nested(fs, base, relative):
            fs.delete_file(info.path)
    return manifest


def withdraw(root: str, table: str) -> None:
    """Delete a table's manifest, so that nobody reads it: before parts of fixed names change, or for good."""
    fs, base = filesystem(table_path(root, table))
    if fs.get_file_info(f"{base}/manifest.json").is_file:
        fs.delete_file(f"{base}/manifest.json")


def _is_nested(fs: pafs.FileSystem, base: str, relative: str) -> bool:
    """True for a file of a table that lies inside this table's folder (it has its own manifest)."""
    folders = relative.split("/")[:-1]
    return any(
        fs.get_file_info(f"{base}/{'/'.join(folders[: n + 1])}/manifest.json").type == pafs.FileType.File
        for n in range(len(folders))
    )


def table_path(root: str, table: str) -> str:
    """Folder of a table."""
    return f"{root.rstrip('/')}/{table}"


def read_manifest(root: str, table: str) -> Manifest | None:
    """The committed manifest, or None where there is none (or a killed writer left half of one).

    Raises ContractError if it is of another contract version, or was changed after its commit.
    """
    fs, base = filesystem(table_path(root, table))
    if fs.get_file_info(f"{base}/manifest.json").type != pafs.FileType.File:
        return None
    try:
        values = json.loads(read_bytes(table_path(root, table), "manifest.json"))
    except ValueError:
        return None
    version = values.get("contract_version")
    if version != CONTRACT_VERSION:
        raise ContractError(
            f"{table_path(root, table)}/manifest.json: contract version {version}, this code reads "
            f"{CONTRACT_VERSION}; remedy: delete the table and run its job again"
        )
    try:
        return _manifest_of(values)
    except (KeyError, TypeError, ValueError):
        raise ContractError(
            f"{table_path(root, table)}/manifest.json: changed after it was committed; "
            "remedy: delete this file and run the job of its table again"
        ) from None


def _manifest_of(values: dict[str, Any]) -> Manifest:
    """The manifest of a JSON object. Raises KeyError, TypeError or ValueError if no commit wrote it so."""
    # Tables written by code from before this digest have none.
    if values.pop("self_digest", None) not in (None, hash_json(values)):
        raise ValueError
    values["parts"] = tuple(Part(**part) for part in values["parts"])
    values["accepted_code"] = tuple(values.get("accepted_code", ()))
    return Manifest(**values)


@dataclass(frozen=True)
class Table:
    """A committed table: its folder and what its manifest says."""

    path: str
    manifest: Manifest

    def files(self) -> list[str]:
        """Full paths (or URIs) of the named parts."""
        return [f"{self.path}/{part.path}" for part in self.manifest.parts]


def open_table(root: str, table: str) -> Table:
    """The committed table. Raises ContractError if it, or a part that it names, is missing or cut."""
    manifest = read_manifest(root, table)
    path = table_path(root, table)
    if manifest is None:
        raise ContractError(
            f"{path}: no such table; remedy: run the job that writes {table} first (make help)"
        )
    return check_parts(root, manifest)


def check_parts(root: str, manifest: Manifest) -> Table:
    """The table of a manifest that was read. Raises ContractError if a part is missing or cut."""
    path = table_path(root, manifest.table)
    fault = fault_of_parts(path, manifest.parts)
    if fault is not None:
        raise ContractError(f"{path}/{fault}; remedy: run its job again with --overwrite")
    return Table(path, manifest)


def fault_of_parts(folder: str, parts: Sequence[Part]) -> str | None:
    """What is wrong with the first part that is missing or has another size; None if all are whole."""
    fs, base = filesystem(folder)
    infos = fs.get_file_info([f"{base}/{part.path}" for part in parts]) if parts else []
    for part, info in zip(parts, infos, strict=True):
        if info.type != pafs.FileType.File or info.size != part.num_bytes:
            found = f"{info.size} bytes" if info.type == pafs.FileType.File else "nothing"
            return f"{part.path}: the manifest names {part.num_bytes} bytes, found {found}"
    return None


def source_of(part_path: str) -> str:
    """The source that a part's path states (`source=web/part-0.parquet` -> `web`)."""
    return next((piece[7:] for piece in part_path.split("/") if piece.startswith("source=")), "")


def read_part(
    path: str, columns: Sequence[str] | None = None, batch_rows: int = BATCH_ROWS
) -> Iterator[pa.RecordBatch]:
    """Batches of one part by its full path, with its `source` column put back."""
    fs, local = filesystem(path)
    source = source_of(path)
    with fs.open_input_file(local) as file:
        parquet = pq.ParquetFile(file)
        wanted = None if columns is None else [name for name in columns if not (source and name == "source")]
        for batch in parquet.iter_batches(batch_size=batch_rows, columns=wanted):
            if source and (columns is None or "source" in columns):
                constant = pa.array([source] * batch.num_rows, pa.string())
                batch = pa.RecordBatch.from_arrays(
                    [*batch.columns, constant],
                    schema=batch.schema.append(pa.field("source", pa.string(), nullable=False)),
                )
            yield batch


def read(table: Table, columns: Sequence[str] | None = None) -> pa.Table | None:
    """The whole table in memory, `source` included; None if it has no rows."""
    batches = [batch for path in table.files() for batch in read_part(path, columns, SHORT_BATCH_ROWS)]
    return pa.Table.from_batches(batches) if batches else None


def digest_of(parts: Iterable[Part]) -> str:
    """Content hash of a table: its parts' hashes, whatever their names and order."""
    return hash_json(sorted((source_of(part.path), part.rows, part.digest) for part in parts))


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
