"""Compare the content of two runs, table by table and row by row.

Every file of both is opened: rows are read and hashed, other files are compared by the digest of what is
there now. A damaged or missing file is a fault of its table. Tables are equal if they hold the same rows; the
order of rows and their division into parts do not matter.
Memory: about 200 bytes per row of both tables.
"""

from dataclasses import dataclass

from configs import tables
from configs.contract import SCHEMAS, ContractError
from configs.recipe import NUM_STAGES
from configs.storage.files import digest_of
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
    """Why the table was not compared: it is only in a or in b, or a file is damaged; empty otherwise."""

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
    a, b = (_opened(root, table) for root in (root_a, root_b))
    if a is None and b is None:
        return None
    if a is None or b is None:
        return Difference(table, fault=f"only in {'b' if a is None else 'a'}")
    if isinstance(a, str) or isinstance(b, str):
        return Difference(table, fault="; ".join(side for side in (a, b) if isinstance(side, str)))
    try:
        if all(name.startswith("data/") for side in (a, b) for name in side.parts.rows["path"].to_pylist()):
            return _compare_rows(a, b)
        return _compare_files(a, b)
    except ContractError as error:
        return Difference(table, fault=str(error))


def _opened(root: str, table: str) -> tables.Table | str | None:
    """The table, None if there is none, or what is wrong with it."""
    try:
        return None if tables.read_manifest(root, table) is None else tables.open_table(root, table)
    except ContractError as error:
        return str(error)


def _compare_files(a: tables.Table, b: tables.Table) -> Difference:
    found_a, found_b = _file_digests(a), _file_digests(b)
    names = sorted(name for name in {*found_a, *found_b} if found_a.get(name) != found_b.get(name))
    return Difference(a.manifest.table, changed=len(names), examples=tuple(names[:MAX_EXAMPLES]))


def _file_digests(table: tables.Table) -> dict[str, str]:
    """Digest of every file by name, as it is now. Raises ContractError if it is not the committed one."""
    digests = {}
    for part in table.parts:
        digests[part.path] = digest_of(tables.read_bytes(table.path, part.path))
        if digests[part.path] != part.digest:
            raise ContractError(f"{table.path}/{part.path}: not the file that was committed; {REMEDY}")
    return digests


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
    for batch in table.batches():
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
    if table.manifest.table not in SCHEMAS:
        return {}
    for path in table.files():
        found = find_row(path, doc_id)
        if found is not None:
            return found[1]
    return {}


REMEDY = "remedy: run the job of its table again with --overwrite"
