"""The keeper is the best; every removed document names a verified neighbour; a cluster is on one side."""

import random

from pipeline.choose_keepers import Decision, Member, choose_keepers, heldout_by_hash


def member(name: str, rank: int, text: str | None = None, url: str | None = None, **near: float) -> Member:
    domain = url.split("/")[2] if url else ""
    return Member(
        doc_id=name,
        text_key=text or f"t-{name}",
        rank=(rank, name),
        url=url,
        canonical_url=url,
        domain=domain,
        split_key=domain or name,
        near_texts={f"t-{other}": similarity for other, similarity in near.items()},
    )


def outcome(decisions: list[Decision]) -> dict[str, tuple[str, str] | None]:
    return {d.doc_id: (d.reject_reason, d.duplicate_of) if d.reject_reason else None for d in decisions}


def nobody(key: str) -> bool:
    return False


def test_one_url_keeps_the_best() -> None:
    url = "https://a.example/x"
    decided = outcome(
        choose_keepers([member("b", 2, url=url), member("a", 3, url=url), member("c", 1, url=url)], nobody)
    )
    assert decided == {"c": None, "b": ("duplicate_url", "c"), "a": ("duplicate_url", "c")}


def test_a_text_survives_on_another_url_when_its_best_copy_falls_to_a_newer_version() -> None:
    """x1 and x2 share a URL, y has the text of x2: x2 falls to x1, so y is no duplicate of what is left."""
    url = "https://a.example/x"
    cluster = [
        member("x1", 1, url=url),
        member("x2", 2, text="same", url=url),
        member("y", 3, text="same", url="https://b.example/y"),
    ]
    assert outcome(choose_keepers(cluster, nobody)) == {"x1": None, "x2": ("duplicate_url", "x1"), "y": None}


def test_exact_copies() -> None:
    cluster = [member("a", 2, text="t"), member("b", 1, text="t")]
    assert outcome(choose_keepers(cluster, nobody)) == {"b": None, "a": ("duplicate_exact", "b")}


def test_a_chain_keeps_both_ends_and_names_verified_neighbours() -> None:
    """a ~ b ~ c, a and c not alike. Best first: a removes b; c has no kept neighbour and stays."""
    cluster = [member("a", 1), member("b", 2, a=0.9), member("c", 3, b=0.85)]
    decided = choose_keepers(cluster, nobody)
    assert outcome(decided) == {"a": None, "b": ("duplicate_near", "a"), "c": None}
    assert {d.doc_id: d.jaccard for d in decided}["b"] == 0.9
    assert {(d.cluster_id, d.cluster_size) for d in decided} == {("a", 3)}


def test_the_middle_of_a_chain_removes_both_ends_when_it_is_best() -> None:
    cluster = [member("a", 2, b=0.9), member("b", 1), member("c", 3, b=0.85)]
    assert outcome(choose_keepers(cluster, nobody)) == {
        "b": None,
        "a": ("duplicate_near", "b"),
        "c": ("duplicate_near", "b"),
    }


def test_keepers_list_what_was_removed_for_them() -> None:
    cluster = [
        member("a", 1, url="https://a.example/1"),
        member("b", 2, url="https://b.example/2", a=0.9),
        member("b2", 3, text="t-b", url="https://c.example/3"),
        member("a2", 4, text="t-a", url="https://a.example/1"),
    ]
    keeper = choose_keepers(cluster, nobody)[0]
    assert outcome(choose_keepers(cluster, nobody)) == {
        "a": None,
        "b": ("duplicate_near", "a"),
        "b2": ("duplicate_exact", "b"),
        "a2": ("duplicate_url", "a"),
    }
    assert keeper.duplicate_urls == ("https://b.example/2", "https://c.example/3")
    assert keeper.duplicate_domains == ("a.example", "b.example", "c.example")


def test_a_cluster_is_held_out_whole_if_a_kept_site_is() -> None:
    cluster = [
        member("a", 1, url="https://a.example/1"),
        member("b", 2, url="https://b.example/2", a=0.9),
        member("c", 3, url="https://c.example/3", b=0.9),
    ]
    for held, split in (("a.example", "heldout"), ("c.example", "heldout"), ("b.example", "train")):
        decided = choose_keepers(cluster, held.__eq__)
        assert {d.split for d in decided} == {split}, held


def test_order_of_arrival_does_not_matter() -> None:
    rng = random.Random(1)
    cluster = [
        member(f"d{n}", rng.randrange(3), text=f"t-{rng.randrange(8)}", **{f"{rng.randrange(8)}": 0.9})
        for n in range(15)
    ]
    decided = choose_keepers(cluster, nobody)
    for seed in range(10):
        assert choose_keepers(random.Random(seed).sample(cluster, 15), nobody) == decided


def test_heldout_share_and_seed() -> None:
    keys = [f"site{n}.example" for n in range(20_000)]
    one, other = (set(filter(heldout_by_hash(seed, 0.05), keys)) for seed in (1, 2))
    # Binomial with mean 1,000 and standard deviation 31.
    assert 845 < len(one) < 1_155
    assert 20 < len(one & other) < 85  # independent: mean 50, standard deviation 7
    assert not any(map(heldout_by_hash(1, 0.0), keys))
