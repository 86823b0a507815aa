"""Compare the content of two runs, table by table and row by row.

Two tables whose manifests hold the same content digest are equal and are not read. Otherwise both are read
and every row is hashed. Tables are equal if they hold the same rows; the order of rows and their division
into parts do not matter.
Memory: about 200 bytes per row of both tables, for tables whose digests differ.
"""

from dataclasses import dataclass

from configs import tables
from configs.contract import ContractError
from configs.recipe import NUM_STAGES
from pipeline.inspection.explain import find_row
from pipeline.inspection.run_tables import TABLES, token_tables

MAX_EXAMPLES = 20


@dataclass(frozen=True)
class Difference:
    """The differences of one table. If all counts are 0 and there is no fault, the contents are equal."""

    table: str
    only_in_a: int = 0
    only_in_b: int = 0
    changed: int = 0
    """Number of keys in both runs whose rows differ; for tables without rows, number of files that differ."""
    examples: tuple[str, ...] = ()
    """`<doc_id>: only in a`, or `<doc_id>: text, url` (the columns that differ); at most MAX_EXAMPLES."""
    fault: str = ""
    """Why the table was not compared: `only in a` or `only in b`; empty otherwise."""

    @property
    def is_equal(self) -> bool:
        """Return True if both runs hold the same content in this table."""
        return not (self.only_in_a or self.only_in_b or self.changed or self.fault)


def diff(root_a: str, root_b: str) -> list[Difference]:
    """Compare every table of either run, in order. Raises ContractError if neither run has a table."""
    names = [name for table in TABLES for name in (table, f"{table}_rejects")]
    names += [f"mixtures/stage{stage}" for stage in range(1, NUM_STAGES + 1)] + ["tokenizer"]
    names += sorted({*token_tables(root_a), *token_tables(root_b)})
    found = [difference for name in names if (difference := _compare(root_a, root_b, name)) is not None]
    if not found:
        raise ContractError(f"{root_a}, {root_b}: no table in either; remedy: name two run folders")
    return found


def _compare(root_a: str, root_b: str, table: str) -> Difference | None:
    a, b = tables.read_manifest(root_a, table), tables.read_manifest(root_b, table)
    if a is None and b is None:
        return None
    if a is None or b is None:
        return Difference(table, fault=f"only in {'b' if a is None else 'a'}")
    if a.digest == b.digest:
        return Difference(table)
    if not all(part.path.endswith(".parquet") for part in (*a.parts, *b.parts)):
        parts_a, parts_b = ({part.path: part.digest for part in side.parts} for side in (a, b))
        names = sorted(name for name in {*parts_a, *parts_b} if parts_a.get(name) != parts_b.get(name))
        return Difference(table, changed=len(names), examples=tuple(names[:MAX_EXAMPLES]))
    return _compare_rows(tables.open_table(root_a, table), tables.open_table(root_b, table))


def _compare_rows(a: tables.Table, b: tables.Table) -> Difference:
    rows_a, rows_b = _row_hashes(a), _row_hashes(b)
    only_a = sorted(rows_a.keys() - rows_b.keys())
    only_b = sorted(rows_b.keys() - rows_a.keys())
    changed = sorted(key for key in rows_a.keys() & rows_b.keys() if rows_a[key] != rows_b[key])
    examples = [f"{key}: only in a" for key in only_a[:MAX_EXAMPLES]]
    examples += [f"{key}: only in b" for key in only_b[:MAX_EXAMPLES]]
    examples += [f"{key}: {_changed_columns(a, b, key)}" for key in changed[:MAX_EXAMPLES]]
    return Difference(
        a.manifest.table, len(only_a), len(only_b), len(changed), tuple(examples[:MAX_EXAMPLES])
    )


def _row_hashes(table: tables.Table) -> dict[str, tuple[str, ...]]:
    """Return, per key, the sorted hashes of its rows (a rejected id may have more than one row)."""
    hashes: dict[str, list[str]] = {}
    for path in table.files():
        for batch in tables.read_part(path):
            for row in batch.to_pylist():
                key = row.get("doc_id") or f"{row['bucket']} {row['document_start']}"
                hashes.setdefault(key, []).append(tables.hash_bytes(repr(sorted(row.items())).encode()))
    return {key: tuple(sorted(values)) for key, values in hashes.items()}


def _changed_columns(a: tables.Table, b: tables.Table, key: str) -> str:
    row_a, row_b = _row(a, key), _row(b, key)
    if not row_a or not row_b:
        return "values differ"
    return ", ".join(name for name in row_a if row_a[name] != row_b.get(name))


def _row(table: tables.Table, doc_id: str) -> dict[str, object]:
    for part, path in zip(table.manifest.parts, table.files(), strict=True):
        if not part.path.startswith("source="):
            return {}
        found = find_row(path, doc_id)
        if found is not None:
            return {"source": tables.source_of(path)} | found[1]
    return {}
