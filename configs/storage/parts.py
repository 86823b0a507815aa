"""Parts: the Parquet files of a table, written group by group and read batch by batch.

A part's bytes depend on its rows and on nothing else. Pages have checksums, which are verified on reading: a
damaged part ends in one line, not in damaged text.
Memory: one row group while writing (ROW_GROUP_BYTES and its encoded copy), one batch while reading.
"""

import uuid
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from configs.contract import ContractError, Part
from configs.storage.files import HashedFile, filesystem

BATCH_ROWS = 256
"""Rows of a batch that holds texts. Our choice: some MB; a page may have megabytes."""

SHORT_BATCH_ROWS = 65_536
"""Rows of a batch of ids, numbers and other short columns. Our choice: some ten MB."""

ROW_GROUP_BYTES = 32 << 20
"""Arrow bytes of a row group. Our choice: a reader of one column skips the rest; a writer holds it twice."""

MAX_PART_BYTES = 512 << 20
"""A part that has reached this size is closed and the next one begun."""


class PartWriter:
    """Writes the rows of one shard as one part, or as several if it grows above MAX_PART_BYTES."""

    def __init__(self, folder: str, schema: pa.Schema, stem: str = "") -> None:
        self._folder = folder
        self._schema = schema
        self._stem = f"{stem}-" if stem else ""
        self._buffered: list[pa.Table] = []
        self._buffered_bytes = 0
        self._open: _OpenPart | None = None
        self._parts: list[Part] = []

    def write(self, rows: pa.Table) -> None:
        """Append rows. Raises ContractError if a column is missing, has another type, or a forbidden null."""
        table = conform(rows, self._schema, self._folder)
        self._buffered.append(table)
        self._buffered_bytes += table.nbytes
        if self._buffered_bytes >= ROW_GROUP_BYTES:
            self._write_group()

    def close(self) -> tuple[Part, ...]:
        """Finish the last part; all parts, none if no row was written."""
        self._write_group()
        self._close_part()
        return tuple(self._parts)

    def _write_group(self) -> None:
        group = pa.concat_tables(self._buffered) if self._buffered else None
        self._buffered, self._buffered_bytes = [], 0
        if group is None or not group.num_rows:
            return
        if self._open is None:
            name = f"data/part-{self._stem}{uuid.uuid4().hex[:12]}.parquet"
            self._open = _OpenPart(self._folder, name, self._schema)
        self._open.write(group)
        if self._open.file.num_bytes >= MAX_PART_BYTES:
            self._close_part()

    def _close_part(self) -> None:
        if self._open is not None:
            self._parts.append(self._open.close())
            self._open = None


class _OpenPart:
    """A part that is being written."""

    def __init__(self, folder: str, name: str, schema: pa.Schema) -> None:
        self.file = HashedFile(f"{folder}/{name}")
        self._name = name
        self._rows = 0
        self._writer = pq.ParquetWriter(
            self.file, schema, compression="zstd", store_schema=True, write_page_checksum=True
        )

    def write(self, group: pa.Table) -> None:
        self._writer.write_table(group, row_group_size=max(group.num_rows, 1))
        self._rows += group.num_rows

    def close(self) -> Part:
        self._writer.close()
        self.file.close()
        return Part(self._name, self._rows, self.file.num_bytes, self.file.digest())


def write_empty_part(folder: str, schema: pa.Schema) -> Part:
    """The part of a table without rows: it holds the columns, so that any reader of Parquet can open it."""
    part = _OpenPart(folder, f"data/part-empty-{uuid.uuid4().hex[:12]}.parquet", schema)
    return part.close()


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


def read_part(
    path: str,
    columns: Sequence[str] | None = None,
    batch_rows: int = BATCH_ROWS,
    num_rows: int | None = None,
) -> Iterator[pa.RecordBatch]:
    """Batches of one part by its full path; `num_rows` that it must have, where that is known.

    Raises ContractError if it is missing or damaged.
    """
    fs, local = filesystem(path)
    rows_read = 0
    try:
        with fs.open_input_file(local) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            names = None if columns is None else list(columns)
            for batch in parquet.iter_batches(batch_size=batch_rows, columns=names):
                rows_read += batch.num_rows
                yield batch
    except FileNotFoundError:
        raise ContractError(f"{path}: missing; {_REMEDY}") from None
    except (ValueError, OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # the machine's fault, not the file's
        raise ContractError(f"{path}: damaged ({error}); {_REMEDY}") from None
    if num_rows is not None and rows_read != num_rows:
        raise ContractError(f"{path}: damaged ({rows_read} rows, not {num_rows}); {_REMEDY}")


def read_schema(path: str) -> pa.Schema:
    """Columns of a Parquet file. Raises ContractError if it is missing or damaged."""
    fs, local = filesystem(path)
    try:
        with fs.open_input_file(local) as file:
            return pq.read_schema(file)
    except FileNotFoundError:
        raise ContractError(f"{path}: missing; {_REMEDY}") from None
    except (ValueError, pa.ArrowException) as error:
        raise ContractError(f"{path}: damaged ({error}); {_REMEDY}") from None


_REMEDY = "remedy: run the job of its table again with --overwrite"
