"""List the clusters of duplicates that deduplication made: their kept documents and their removed ones.

A removed document belongs to the cluster of the kept document at the end of its `duplicate_of` chain.
Memory: ids and excerpts of all removed documents, and of the kept documents that have duplicates.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow.compute as pc

from configs import tables
from configs.contract import excerpt


@dataclass(frozen=True)
class Member:
    """One document of a cluster: kept (reason None), or removed as a duplicate of `duplicate_of`."""

    doc_id: str
    url: str | None
    reason: str | None
    duplicate_of: str | None
    excerpt: str


@dataclass(frozen=True)
class Cluster:
    """The documents of one cluster; the kept ones come first."""

    cluster_id: str
    size: int
    members: tuple[Member, ...]


def clusters(root: str, n: int, cluster_id: str | None = None) -> list[Cluster]:
    """Return the `n` largest clusters of `deduped`, or the named one, with all kept and removed documents."""
    kept = _kept_duplicates(root, cluster_id)
    neighbours, removed = _removed(root)
    by_cluster: dict[str, list[Member]] = defaultdict(list)
    sizes: Counter[str] = Counter()
    for cluster, member in kept.values():
        by_cluster[cluster].append(member)
        sizes[cluster] += 1
    cluster_of = {doc_id: cluster for doc_id, (cluster, _) in kept.items()}
    members: dict[str, list[str]] = defaultdict(list)
    for doc_id in sorted(neighbours):
        cluster = cluster_of.get(_end_of_chain(doc_id, neighbours), "")
        if cluster:
            members[cluster].append(doc_id)
            sizes[cluster] += 1
    largest = sorted(sizes, key=lambda cluster: (-sizes[cluster], cluster))[:n]
    return [
        Cluster(
            name,
            sizes[name],
            (
                *sorted(by_cluster[name], key=lambda member: member.doc_id),
                *(removed[doc_id] for doc_id in members[name]),
            ),
        )
        for name in largest
    ]


def _kept_duplicates(root: str, cluster_id: str | None) -> dict[str, tuple[str, Member]]:
    """Return the kept documents of clusters of at least two documents: doc_id -> (cluster_id, member)."""
    kept = {}
    columns = ["doc_id", "url", "text", "cluster_id", "cluster_size"]
    for batch in tables.open_table(root, "deduped").batches(columns):
        for row in batch.filter(pc.greater(batch["cluster_size"], 1)).to_pylist():
            if cluster_id in (None, row["cluster_id"]):
                member = Member(row["doc_id"], row["url"], None, None, excerpt(row["text"]))
                kept[row["doc_id"]] = (row["cluster_id"], member)
    return kept


def _removed(root: str) -> tuple[dict[str, str], dict[str, Member]]:
    neighbours, removed = {}, {}
    columns = ["doc_id", "url", "reject_reason", "duplicate_of", "excerpt"]
    for batch in tables.open_table(root, "deduped_rejects").batches(columns):
        for row in batch.to_pylist():
            doc_id, reason, neighbour = row["doc_id"], row["reject_reason"], row["duplicate_of"]
            neighbours[doc_id] = neighbour or ""
            removed[doc_id] = Member(doc_id, row["url"], reason, neighbour, row["excerpt"] or "")
    return neighbours, removed


def _end_of_chain(doc_id: str, neighbours: Mapping[str, str]) -> str:
    seen = set()
    while doc_id in neighbours and doc_id not in seen:
        seen.add(doc_id)
        doc_id = neighbours[doc_id]
    return doc_id
