"""Which documents of one cluster of duplicates stay, and what each removed one duplicates.

1. Of documents with one canonical URL the first in keeper order stays.
2. Of what is left, of documents with one text the first stays.
3. Of what is left, in keeper order: the first undecided one stays, the undecided ones verified against it
   go; repeat.
Keeper order: most complete extraction, least repetition, longest, oldest fetch, doc_id.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import xxhash


@dataclass(frozen=True)
class Member:
    """One document of a cluster, as far as the choice needs it."""

    doc_id: str
    text_key: str
    """Hash of its normalised text."""
    rank: tuple[float | int | str, ...]
    """Keeper order: the least is the best; ends with doc_id, so there are no ties."""
    url: str | None = None
    canonical_url: str | None = None
    domain: str = ""
    split_key: str = ""
    """What is held out as a whole: the site, or the document where there is none."""
    near_texts: dict[str, float] = field(default_factory=dict)
    """Text keys verified as near-duplicates, with their Jaccard similarity; the reverse pair is implied."""


@dataclass(frozen=True)
class Decision:
    """What becomes of a document."""

    doc_id: str
    cluster_id: str
    cluster_size: int
    reject_reason: str | None = None
    duplicate_of: str | None = None
    jaccard: float | None = None
    duplicate_urls: tuple[str, ...] = ()
    duplicate_domains: tuple[str, ...] = ()
    split: str = "train"


@dataclass(frozen=True)
class _Removal:
    reason: str
    duplicate_of: Member
    jaccard: float | None = None


def choose_keepers(cluster: Iterable[Member], is_heldout: Callable[[str], bool]) -> list[Decision]:
    """One decision per member, in keeper order.

    A kept document lists the URLs and domains of what was removed for it, directly or through another. The
    cluster is held out whole if the split key of any kept member is: no held-out site is trained on, and no
    held-out text has a near-duplicate in training.
    """
    members = sorted(cluster, key=_rank)
    removed: dict[str, _Removal] = {}
    _keep_first_of_each(members, removed, "duplicate_url", _canonical_url)
    _keep_first_of_each(members, removed, "duplicate_exact", _text_key)
    _remove_near(members, removed)
    kept = [member for member in members if member.doc_id not in removed]
    absorbed: dict[str, list[Member]] = {member.doc_id: [] for member in kept}
    for member in members:
        if member.doc_id in removed:
            absorbed[_last_owner(member, removed).doc_id].append(member)
    split = "heldout" if any(is_heldout(member.split_key) for member in kept) else "train"
    cluster_id = min(member.doc_id for member in members)
    decisions = []
    for member in members:
        removal = removed.get(member.doc_id)
        duplicates = absorbed.get(member.doc_id, [])
        decisions.append(
            Decision(
                doc_id=member.doc_id,
                cluster_id=cluster_id,
                cluster_size=len(members),
                reject_reason=removal.reason if removal else None,
                duplicate_of=removal.duplicate_of.doc_id if removal else None,
                jaccard=removal.jaccard if removal else None,
                duplicate_urls=tuple(sorted({m.url for m in duplicates if m.url} - {member.url})),
                duplicate_domains=tuple(sorted({m.domain for m in duplicates if m.domain})),
                split=split,
            )
        )
    return decisions


def heldout_by_hash(seed: int, fraction: float) -> Callable[[str], bool]:
    """Whether a split key is held out: a seeded hash of it falls below `fraction` of its range."""
    bound = int(fraction * 2**64)

    def is_heldout(key: str) -> bool:
        return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), seed=seed) < bound

    return is_heldout


def _keep_first_of_each(
    members: list[Member], removed: dict[str, _Removal], reason: str, key_of: Callable[[Member], str | None]
) -> None:
    first: dict[str, Member] = {}
    for member in members:
        key = key_of(member)
        if key is not None and member.doc_id not in removed:
            best = first.setdefault(key, member)
            if best is not member:
                removed[member.doc_id] = _Removal(reason, best)


def _remove_near(members: list[Member], removed: dict[str, _Removal]) -> None:
    neighbours: dict[str, dict[str, float]] = {}
    for member in members:
        for text_key, similarity in member.near_texts.items():
            neighbours.setdefault(member.text_key, {})[text_key] = similarity
            neighbours.setdefault(text_key, {})[member.text_key] = similarity
    holder = {member.text_key: member for member in members if member.doc_id not in removed}
    for member in members:
        if member.doc_id in removed:
            continue
        for text_key, similarity in sorted(neighbours.get(member.text_key, {}).items()):
            other = holder.get(text_key)
            # What ranks before this member is decided: it was kept, or it is in `removed`.
            if other and other.doc_id not in removed and other.rank > member.rank:
                removed[other.doc_id] = _Removal("duplicate_near", member, similarity)


def _last_owner(member: Member, removed: dict[str, _Removal]) -> Member:
    """The kept document at the end of the chain of removals; ranks fall along it, so it ends."""
    while member.doc_id in removed:
        member = removed[member.doc_id].duplicate_of
    return member


def _rank(member: Member) -> tuple[float | int | str, ...]:
    return member.rank


def _canonical_url(member: Member) -> str | None:
    return member.canonical_url


def _text_key(member: Member) -> str | None:
    return member.text_key
