"""Decide which documents of one cluster of duplicates stay, and what each removed one duplicates.

Documents come in keeper order. A document stays unless an earlier one that stayed has its URL, its text, or a
text that was verified as a near-duplicate of its own. So every removed document names a kept one that it was
verified against, and no two kept ones are duplicates. Memory grows with the kept documents, not with the
removed ones.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import xxhash


@dataclass(frozen=True)
class Member:
    """The properties of one document that the decision needs."""

    doc_id: str
    text_key: str
    """Hash of its text with normalised white space."""
    canonical_url: str | None = None
    near_texts: Mapping[str, float] = field(default_factory=dict)
    """Text keys of verified near-duplicates with their Jaccard similarity; a pair has one direction only."""


@dataclass(frozen=True)
class Removal:
    """The reason why a document is removed."""

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
        """Decide one member; return None if it stays. Members must come in keeper order.

        The removal names the best keeper. Of several reasons for that keeper the strongest is given: URL,
        text, near-duplicate.
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
        kept = (len(self._by_text), member.doc_id)  # the text of a kept document is new
        if member.canonical_url is not None:
            self._by_url[member.canonical_url] = kept
        self._by_text[member.text_key] = kept
        for text_key, similarity in member.near_texts.items():
            self._near.setdefault(text_key, (*kept, similarity))


def heldout_by_hash(seed: int, fraction: float) -> Callable[[str], bool]:
    """Return a function that says whether a split key is held out.

    A key is held out if its seeded hash is below `fraction` of the range of hashes.
    """
    bound = int(fraction * 2**64)

    def is_heldout(key: str) -> bool:
        return xxhash.xxh3_64_intdigest(key.encode("utf-8", "surrogatepass"), seed=seed) < bound

    return is_heldout


def _place_and_strength(found: tuple[int, int, Removal]) -> tuple[int, int]:
    return found[:2]
