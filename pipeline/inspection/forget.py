"""Find everything in a run that comes from given URLs: rows, clusters of duplicates and token spans.

1. Rows, kept or rejected, whose URL is listed, in every table; and synthetic rows made from them.
2. Their clusters of duplicates, and the pages in these clusters that are not listed: they hold the same or
   nearly the same text and would remain.
3. The token spans of these documents.
This module changes nothing. To remove the documents, name the file of URLs in `opt_outs` of filter.toml, and
run filter and the later jobs again.
Cost: one pass over the URL column of each table, 20 microseconds per row, and one pass over the spans.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.contract import ContractError
from configs.loader import ConfigError
from configs.text_files import read_lines
from filters.url_lists import UrlList, build_url_list, listed_by
from pipeline.inspection.run_tables import TABLES, token_tables


@dataclass(frozen=True)
class Affected:
    """One row of a table, or one span of a token table, that comes from a listed URL."""

    table: str
    doc_id: str
    url: str | None
    detail: str
    """The reject reason, the cluster, the source of a synthetic row, or the span."""


def read_urls(path: str) -> UrlList:
    """Read a list of URLs from a file.

    Raises ConfigError if it is unreadable, empty or has a faulty line.
    """
    try:
        urls = build_url_list({path: read_lines(path)})
    except ValueError as error:
        raise ConfigError(str(error)) from None
    if len(urls.hashes) == 0:
        raise ConfigError(f"{path}: lists no domain and no URL; remedy: write one on each line")
    return urls


def forget(root: str, urls: UrlList) -> list[Affected]:
    """Return all affected rows and spans, table by table in the order of the jobs.

    Raises ContractError if the run has no table.
    """
    found: list[Affected] = []
    doc_ids: set[str] = set()
    present = [table for table in TABLES if tables.read_manifest(root, table) is not None]
    if not present:
        raise ContractError(f"{root}: no table there; remedy: name a run folder, e.g. runs/tiny")
    for table in present:
        rows = [*_rows(root, table, urls), *_rejects(root, f"{table}_rejects", urls)]
        doc_ids.update(row.doc_id for row in rows)
        found += rows
    if "deduped" in present:
        found += _clusters(root, urls)
    if "synthetic" in present:
        made = list(_made_of(root, doc_ids))
        doc_ids.update(row.doc_id for row in made)
        found += made
    for table in token_tables(root):
        found += _spans(root, table, doc_ids)
    return found


def _listed(root: str, table: str, columns: list[str], urls: UrlList) -> Iterator[dict[str, str]]:
    opened = tables.open_table(root, table)
    for batch in opened.batches(["doc_id", "url", *columns], tables.SHORT_BATCH_ROWS):
        # Only the listed rows are converted to Python objects.
        is_listed = [listed_by(url, urls) is not None for url in batch["url"].to_pylist()]
        yield from batch.filter(pa.array(is_listed, pa.bool_())).to_pylist()


def _rows(root: str, table: str, urls: UrlList) -> Iterator[Affected]:
    for row in _listed(root, table, [], urls):
        yield Affected(table, row["doc_id"], row["url"], "kept")


def _rejects(root: str, table: str, urls: UrlList) -> Iterator[Affected]:
    if tables.read_manifest(root, table) is None:
        return
    for row in _listed(root, table, ["reject_reason", "duplicate_of"], urls):
        near = f" of {row['duplicate_of']}" if row["duplicate_of"] else ""
        yield Affected(table, row["doc_id"], row["url"], f"rejected: {row['reject_reason']}{near}")


def _clusters(root: str, urls: UrlList) -> Iterator[Affected]:
    """Return the clusters of at least two documents that hold a listed page, and what would remain."""
    columns = ["doc_id", "url", "cluster_id", "cluster_size", "duplicate_urls"]
    for batch in tables.open_table(root, "deduped").batches(columns, tables.SHORT_BATCH_ROWS):
        for row in batch.filter(pc.greater(batch["cluster_size"], 1)).to_pylist():
            pages = [row["url"], *row["duplicate_urls"]]
            remaining = [page for page in pages if page and listed_by(page, urls) is None]
            if len(remaining) < sum(page is not None for page in pages):
                stays = f"the text stays at {', '.join(remaining)}" if remaining else "nothing stays"
                detail = f"cluster {row['cluster_id']} of {row['cluster_size']} documents: {stays}"
                yield Affected("deduped", row["doc_id"], row["url"], detail)


def _made_of(root: str, doc_ids: set[str]) -> Iterator[Affected]:
    wanted = pa.array(sorted(doc_ids), pa.string())
    opened = tables.open_table(root, "synthetic")
    for batch in opened.batches(["doc_id", "source_doc_id"], tables.SHORT_BATCH_ROWS):
        for row in batch.filter(pc.is_in(batch["source_doc_id"], wanted)).to_pylist():
            yield Affected("synthetic", row["doc_id"], None, f"made from {row['source_doc_id']}")


def _spans(root: str, table: str, doc_ids: set[str]) -> Iterator[Affected]:
    wanted = pa.array(sorted(doc_ids), pa.string())
    path = f"{tables.table_path(root, table)}/spans.parquet"
    for batch in tables.read_part(path, ["token_start", "token_end", "doc_id"], tables.SHORT_BATCH_ROWS):
        for row in batch.filter(pc.is_in(batch["doc_id"], wanted)).to_pylist():
            detail = f"tokens {row['token_start']} to {row['token_end']}"
            yield Affected(table, row["doc_id"], None, detail)
