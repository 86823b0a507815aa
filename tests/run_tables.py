"""Tables of a run made by hand: the one place where tests write what jobs write."""

from collections import Counter
from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.parquet as pq
from tokenizers import Tokenizer

from configs import tables
from configs.contract import SCHEMAS, Manifest, Part

Rows = Sequence[Mapping[str, object]]


def write_table(
    root: object,
    table: str,
    *parts: Rows,
    rejects: Sequence[Rows] = (),
    inputs: Mapping[str, str] | None = None,
    config: Mapping[str, object] | None = None,
) -> Manifest:
    """Commit a table, and `<table>_rejects` where there is one; columns that a row lacks are neutral.

    Each of `parts` becomes one part, and so each of `rejects`.
    """
    reasons = Counter(str(row["reject_reason"]) for rows in rejects for row in rows)
    known = {"inputs": inputs or {}, "config": config or {}}
    if f"{table}_rejects" in SCHEMAS:
        _commit(root, f"{table}_rejects", _write_parts(root, f"{table}_rejects", rejects), **known)
    return _commit(root, table, _write_parts(root, table, parts), rejected=dict(reasons), **known)


def write_files(
    root: object, table: str, files: Mapping[str, bytes], num_rows: int = 0, **facts: object
) -> Manifest:
    """Commit a table of these files, `num_rows` in each."""
    folder = f"{root}/{table}"
    written = [tables.write_bytes(folder, name, data, num_rows) for name, data in files.items()]
    return _commit(root, table, written, facts=facts)


def write_tokenizer(root: object, tokenizer: Tokenizer, eod: str) -> str:
    """Commit the tokenizer table; returns its digest."""
    data = tokenizer.to_str().encode()
    facts = {"vocab_size": tokenizer.get_vocab_size(), "eod": eod, "eod_id": tokenizer.token_to_id(eod)}
    files = {"tokenizer.json": data}
    return write_files(root, "tokenizer", files, **facts, hash=tables.hash_bytes(data)).digest


def deal(rows: Rows, num_parts: int) -> list[Rows]:
    """The rows dealt out over parts of about equal size."""
    return [rows[part::num_parts] for part in range(num_parts)]


def parquet(rows: Rows, schema: pa.Schema) -> bytes:
    """A Parquet file of the rows."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), sink)
    return sink.getvalue().to_pybytes()


def _write_parts(root: object, table: str, parts: Sequence[Rows]) -> list[Part]:
    schema = SCHEMAS[table]
    neutral = {field.name: _neutral(field) for field in schema}
    written: list[Part] = []
    for rows in parts:
        writer = tables.PartWriter(f"{root}/{table}", schema)
        writer.write(pa.Table.from_pylist([neutral | row for row in rows], schema=schema))
        written += writer.close()
    return written


def _neutral(field: pa.Field) -> object:
    """A value that the contract allows where a test does not care."""
    if field.nullable:
        return None
    if pa.types.is_list(field.type):
        return []
    if pa.types.is_struct(field.type):
        return {"file": "f", "offset": 0, "length": 1}
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return ""
    return False if pa.types.is_boolean(field.type) else 0


def _commit(root: object, table: str, written: Sequence[Part], **columns: object) -> Manifest:
    rows_out = sum(part.rows for part in written)
    rows_in = rows_out + sum(columns.get("rejected", {}).values())
    manifest = Manifest(
        table, "test", "mark", tables.PartList.of(written).digest(), rows_in, rows_out,
        seconds=1.5, peak_memory_bytes=200 << 20, **columns,
    )  # fmt: skip
    return tables.commit(str(root), manifest, written)
