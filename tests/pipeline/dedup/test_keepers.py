"""The keeper is the best; every removed document names a kept one that it was verified against."""

import random
from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.dedup.keepers import Keepers, Member, Removal, heldout_by_hash


def member(name: str, text: str | None = None, url: str | None = None, **near: float) -> Member:
    return Member(name, text or f"t-{name}", url, {f"t-{other}": value for other, value in near.items()})


def outcome(*cluster: Member) -> dict[str, tuple[str, str] | None]:
    """Members in keeper order -> what becomes of them."""
    keepers = Keepers()
    decided = {m.doc_id: keepers.decide(m) for m in cluster}
    return {name: removal and (removal.reason, removal.duplicate_of) for name, removal in decided.items()}


def test_one_url_keeps_the_best() -> None:
    assert outcome(member("c", url="u"), member("b", url="u"), member("a", url="u")) == {
        "c": None,
        "b": ("duplicate_url", "c"),
        "a": ("duplicate_url", "c"),
    }


def test_a_text_survives_on_another_url_when_its_best_copy_falls_to_a_newer_version() -> None:
    """x1 and x2 share a URL, y has the text of x2: x2 falls to x1, so y is no duplicate of what is left."""
    cluster = (member("x1", url="u"), member("x2", text="same", url="u"), member("y", text="same", url="v"))
    assert outcome(*cluster) == {"x1": None, "x2": ("duplicate_url", "x1"), "y": None}


def test_documents_without_url_are_not_one_page() -> None:
    assert outcome(member("a"), member("b")) == {"a": None, "b": None}


def test_exact_copies() -> None:
    assert outcome(member("b", text="t"), member("a", text="t")) == {"b": None, "a": ("duplicate_exact", "b")}


def test_a_chain_keeps_both_ends_and_names_verified_neighbours() -> None:
    """a ~ b ~ c, a and c not alike. Best first: a removes b; c has no kept neighbour and stays."""
    assert outcome(member("a"), member("b", a=0.9), member("c", b=0.85)) == {
        "a": None,
        "b": ("duplicate_near", "a"),
        "c": None,
    }
    keepers = Keepers()
    assert keepers.decide(member("a")) is None
    assert keepers.decide(member("b", a=0.9)) == Removal("duplicate_near", "a", 0.9)


def test_the_middle_of_a_chain_removes_both_ends_when_it_is_best() -> None:
    """The pair of b and a is listed with b, which comes first; that of c and b with c."""
    assert outcome(member("b", a=0.9), member("a"), member("c", b=0.85)) == {
        "b": None,
        "a": ("duplicate_near", "b"),
        "c": ("duplicate_near", "b"),
    }


def test_the_best_keeper_is_named_and_of_its_reasons_the_strongest() -> None:
    a, b = member("a", url="u"), member("b", url="v")
    assert outcome(a, b, member("c", url="v", a=0.9))["c"] == ("duplicate_near", "a")
    assert outcome(a, b, member("c", url="u", a=0.9))["c"] == ("duplicate_url", "a")
    assert outcome(a, b, member("c", text="t-a", url="v"))["c"] == ("duplicate_exact", "a")


def test_copies_of_a_removed_text_name_the_keeper() -> None:
    assert outcome(member("a"), member("b", a=0.9), member("b2", text="t-b", a=0.9)) == {
        "a": None,
        "b": ("duplicate_near", "a"),
        "b2": ("duplicate_near", "a"),
    }


@given(st.integers(0, 10**6))
def test_no_two_kept_ones_are_duplicates_and_every_removal_is_verified(seed: int) -> None:
    rng = random.Random(seed)
    pairs = {frozenset(pair) for pair in combinations("pqrstu", 2) if rng.random() < 0.3}
    cluster = []
    for n in range(12):
        text = rng.choice("pqrstu")
        listed = {other: 0.9 for pair in pairs for other in pair - {text} if text in pair and other < text}
        cluster.append(Member(f"d{n:02}", text, rng.choice((None, "u", "v", "w")), listed))

    def are_duplicates(one: Member, other: Member) -> bool:
        same_url = one.canonical_url is not None and one.canonical_url == other.canonical_url
        same_text = one.text_key == other.text_key
        return same_url or same_text or frozenset((one.text_key, other.text_key)) in pairs

    decided = outcome(*cluster)
    by_id = {m.doc_id: m for m in cluster}
    kept = [m for m in cluster if decided[m.doc_id] is None]
    assert not any(are_duplicates(one, other) for one, other in combinations(kept, 2))
    for name, removal in decided.items():
        if removal:
            assert by_id[removal[1]] in kept
            assert are_duplicates(by_id[name], by_id[removal[1]])


def test_heldout_share_and_seed() -> None:
    keys = [f"site{n}.example" for n in range(20_000)]
    one, other = (set(filter(heldout_by_hash(seed, 0.05), keys)) for seed in (1, 2))
    # Binomial with mean 1,000 and standard deviation 31.
    assert 845 < len(one) < 1_155
    assert 20 < len(one & other) < 85  # independent: mean 50, standard deviation 7
    assert not any(map(heldout_by_hash(1, 0.0), keys))
