"""Read a run's tables without a JVM: counts, samples and scores.

A sample consists of the n rows with the smallest hash of (seed, doc_id), so it does not depend on the table's
division into parts. Cost: one pass over the key columns, and one over the parts that hold a chosen row.
`max_parts` limits both passes to some parts, which are also chosen by hash.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from configs import tables
from configs.contract import SCHEMAS, SCORES, ContractError

TABLES = tuple(table for table in SCHEMAS if f"{table}_rejects" in SCHEMAS)
"""Names of the tables of rows, in the order of the jobs that make them."""


@dataclass(frozen=True)
class Count:
    """The counts of one table's manifest: rows_in == rows_out + sum(rejected.values())."""

    table: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int]
    num_bytes: int
    seconds: float
    peak_memory_bytes: int


def counts(root: str) -> list[Count]:
    """Return the counts of every existing table, in the order of the jobs."""
    found = []
    for table in TABLES:
        manifest = tables.read_manifest(root, table)
        if manifest is not None:
            reasons = dict(sorted(manifest.rejected.items(), key=lambda item: (-item[1], item[0])))
            found.append(
                Count(
                    table, manifest.rows_in, manifest.rows_out, reasons, manifest.num_bytes,
                    manifest.seconds, manifest.peak_memory_bytes,
                )
            )  # fmt: skip
    return found


class RowPosition(NamedTuple):
    """The position of a row in a table; positions are ordered by their key."""

    key: str
    """Hash of seed and doc_id."""
    path: str
    """Full path of the part."""
    index: int
    """Number of the row in the part, from 0."""


def sample(
    root: str,
    table: str,
    n: int,
    seed: int = 0,
    where: Mapping[str, str] | None = None,
    max_parts: int | None = None,
) -> list[dict[str, object]]:
    """Return at most `n` rows of a table (or of `<table>_rejects`) whose columns equal `where`.

    The rows have all columns except raw content. Raises ContractError if the table does not exist or lacks a
    column of `where`.
    """
    opened = tables.open_table(root, table)
    wanted = dict(where or {})
    for column in wanted:
        if column not in SCHEMAS[table].names:
            raise ContractError(f"{opened.path}: no column {column!r}; remedy: filter on another one")
    paths = chosen_parts(opened, seed, max_parts)
    matching = (
        place for place, row in _places(paths, seed, [*wanted]) if all(row[c] == v for c, v in wanted.items())
    )
    return _fetch(heapq.nsmallest(n, matching), SCHEMAS[table].names)


def sample_by(
    root: str, table: str, column: str, n: int, seed: int = 0, max_parts: int | None = None
) -> dict[str, list[dict[str, object]]]:
    """Return at most `n` rows per value of `column`, sorted by value. One pass finds all of them."""
    chosen: dict[str, list[RowPosition]] = {}
    for place, row in _places(chosen_parts(tables.open_table(root, table), seed, max_parts), seed, [column]):
        places = chosen.setdefault(str(row[column]), [])
        places.append(place)
        if len(places) > 50 * n:  # trimmed here, so that memory holds at most 50 n positions per value
            places[:] = heapq.nsmallest(n, places)
    return {
        value: _fetch(heapq.nsmallest(n, chosen[value]), SCHEMAS[table].names) for value in sorted(chosen)
    }


def chosen_parts(table: tables.Table, seed: int, max_parts: int | None) -> list[str]:
    """Return the full paths of all parts, or of `max_parts` of them, chosen by hash of seed and content."""
    ordered = sorted((tables.hash_json([seed, part.digest]), part.path) for part in table.parts)
    return [f"{table.path}/{path}" for _, path in ordered[:max_parts]]


def _places(
    paths: Sequence[str], seed: int, columns: list[str]
) -> Iterator[tuple[RowPosition, dict[str, object]]]:
    """Yield every row's position and its doc_id and `columns`."""
    for path in paths:
        start = 0
        for batch in tables.read_part(path, ["doc_id", *columns], tables.SHORT_BATCH_ROWS):
            for offset, row in enumerate(batch.to_pylist()):
                key = tables.hash_bytes(f"{seed} {row['doc_id']}".encode())
                yield RowPosition(key, path, start + offset), row
            start += batch.num_rows


def _fetch(places: Sequence[RowPosition], columns: list[str]) -> list[dict[str, object]]:
    """Return the rows at these positions, in this order, with all columns except raw content."""
    wanted = [name for name in columns if name != "content"]
    rows = {}
    for path in {place.path for place in places}:
        indexes = {place.index for place in places if place.path == path}
        rows |= {(path, index): row for index, row in _rows_at(path, indexes, wanted)}
    return [rows[place.path, place.index] for place in places]


def _rows_at(path: str, indexes: set[int], columns: list[str]) -> Iterator[tuple[int, dict[str, object]]]:
    start = 0
    for batch in tables.read_part(path, columns):
        for index in sorted(indexes):
            if start <= index < start + batch.num_rows:
                yield index, batch.slice(index - start, 1).to_pylist()[0]
        start += batch.num_rows
        if start > max(indexes):
            return


@dataclass(frozen=True)
class Histograms:
    """Histograms of scores per domain: `bins[domain][score]` counts rows in equal bins of [0, 1]."""

    bins: dict[str, dict[str, np.ndarray]]
    means: dict[str, dict[str, float]]
    rows_read: int
    rows_total: int


def score_histograms(
    root: str, num_bins: int = 20, seed: int = 0, max_parts: int | None = None
) -> Histograms:
    """Return histograms of the three scores in `scored`, over all parts or `max_parts` of them."""
    opened = tables.open_table(root, "scored")
    bins: dict[str, dict[str, np.ndarray]] = {}
    sums: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(SCORES)))
    rows_read = 0
    for path in chosen_parts(opened, seed, max_parts):
        for batch in tables.read_part(path, ["domain", *SCORES], tables.SHORT_BATCH_ROWS):
            rows_read += batch.num_rows
            domains = np.array(batch["domain"].to_pylist())
            for domain in np.unique(domains):
                of_domain = bins.setdefault(
                    str(domain), {score: np.zeros(num_bins, dtype=np.int64) for score in SCORES}
                )
                for column, score in enumerate(SCORES):
                    values = batch[score].to_numpy()[domains == domain]
                    of_domain[score] += np.histogram(values, bins=num_bins, range=(0.0, 1.0))[0]
                    sums[str(domain)][column] += values.sum()
    sizes = {domain: int(of_domain[SCORES[0]].sum()) for domain, of_domain in bins.items()}
    means = {
        domain: dict(zip(SCORES, (sums[domain] / max(sizes[domain], 1)).tolist(), strict=True))
        for domain in bins
    }
    ordered = {domain: bins[domain] for domain in sorted(bins, key=lambda name: (-sizes[name], name))}
    return Histograms(ordered, means, rows_read, opened.manifest.rows_out)


def token_tables(root: str) -> list[str]:
    """Return the sorted names of committed token tables: `tokens/<bucket>` and `tokens/heldout/<group>`."""
    found = tables.tables_under(root, "tokens")
    return [name for name in found if tables.read_manifest(root, name) is not None]
