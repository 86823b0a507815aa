"""Which documents of one cluster of duplicates stay, and what each removed one duplicates.

In keeper order: a document stays unless one that stayed before it has its URL, its text, or a text verified
as a near-duplicate of its own. So every removed document names a kept one that it was verified against, and
no two kept ones are duplicates of each other. Memory: what was kept, not what was removed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import xxhash


@dataclass(frozen=True)
class Member:
    """One document of a cluster, as far as the choice needs it."""

    doc_id: str
    text_key: str
    """Hash of its normalised text."""
    canonical_url: str | None = None
    near_texts: Mapping[str, float] = field(default_factory=dict)
    """Text keys verified as near-duplicates, with their Jaccard similarity; the reverse pair is implied."""


@dataclass(frozen=True)
class Removal:
    """Why a document goes."""

    reason: str
    duplicate_of: str
    jaccard: float | None = None


class Keepers:
    """The documents of one cluster that were kept so far."""

    def __init__(self) -> None:
        self._by_url: dict[str, tuple[int, str]] = {}
        self._by_text: dict[str, tuple[int, str]] = {}
        # Texts that a kept document lists as its near-duplicates.
        self._near: dict[str, tuple[int, str, float]] = {}

    def decide(self, member: Member) -> Removal | None:
        """None if the member stays. Members come in keeper order; the best keeper is named, and of several
        reasons the strongest: URL, text, near-duplicate.
        """
        found = []
        if member.canonical_url in self._by_url:
            place, keeper = self._by_url[member.canonical_url]
            found.append((place, 0, Removal("duplicate_url", keeper)))
        if member.text_key in self._by_text:
            place, keeper = self._by_text[member.text_key]
            found.append((place, 1, Removal("duplicate_exact", keeper)))
        if member.text_key in self._near:
            place, keeper, similarity = self._near[member.text_key]
            found.append((place, 2, Removal("duplicate_near", keeper, similarity)))
        for text_key, similarity in member.near_texts.items():
            if text_key in self._by_text:
                place, keeper = self._by_text[text_key]
                found.append((place, 2, Removal("duplicate_near", keeper, similarity)))
        if found:
            return min(found, key=_place_and_strength)[2]
        self._keep(member)
        return None

    def _keep(self, member: Member) -> None:
        kept = (len(self._by_text), member.doc_id)  # a kept text is new
        if member.canonical_url is not None:
            self._by_url[member.canonical_url] = kept
        self._by_text[member.text_key] = kept
        for text_key, similarity in member.near_texts.items():
            self._near.setdefault(text_key, (*kept, similarity))


def heldout_by_hash(seed: int, fraction: float) -> Callable[[str], bool]:
    """Whether a split key is held out: a seeded hash of it falls below `fraction` of its range."""
    bound = int(fraction * 2**64)

    def is_heldout(key: str) -> bool:
        return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), seed=seed) < bound

    return is_heldout


def _place_and_strength(found: tuple[int, int, Removal]) -> tuple[int, int]:
    return found[:2]
