"""Shingles, signatures and band keys, against definitions and the LSH formula."""

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import given
from hypothesis import strategies as st

from filters.minhash import SCHEME, band_keys, jaccard, shingles, signature


def test_shingles_are_the_distinct_five_grams() -> None:
    assert len(shingles("a b c d e f")) == 2
    assert len(shingles("a b c d e a b c d e")) == 5  # abcde bcdea cdeab deabc eabcd, abcde again
    assert shingles("A, b! C d-e f").tolist() == shingles("a b c d e f").tolist()


def test_word_borders_count() -> None:
    assert shingles("ab c d e f").tolist() != shingles("a bc d e f").tolist()


def test_short_texts_have_one_shingle() -> None:
    assert len(shingles("one two")) == 1
    assert shingles("one two").tolist() == shingles("One  two!").tolist()
    assert shingles("one two").tolist() != shingles("two one").tolist()
    assert len(shingles("...")) == 1
    assert shingles("...").tolist() != shingles("!!!").tolist()
    assert len(shingles("")) == 1


def test_han_characters_are_words() -> None:
    assert len(shingles("我们在学数学")) == 2


def test_jaccard_by_hand() -> None:
    a = shingles("a b c d e f g")  # 3 shingles
    b = shingles("a b c d e f h")  # shares 2
    assert jaccard(a, b) == 2 / 4
    assert jaccard(a, a) == 1.0
    assert jaccard(a, shingles("v w x y z")) == 0.0
    empty = np.empty(0, dtype=np.uint64)
    assert jaccard(empty, empty) == 0.0


def test_signature_is_deterministic_and_seeded() -> None:
    hashes = shingles("the quick brown fox jumps over the lazy dog")
    assert signature(hashes, 16, seed=1).tolist() == signature(hashes, 16, seed=1).tolist()
    assert signature(hashes, 16, seed=1).tolist() != signature(hashes, 16, seed=2).tolist()
    assert signature(hashes, 16, seed=1).shape == (16,)


# Written by datasketch 2.0.0, affine32, xxhash 4.1.0.
PINNED_SIGNATURE = [2492878004, 3528565403, 706873261]


def test_signature_does_not_change_between_versions() -> None:
    """Stored signatures stay comparable: the scheme, the hash and the permutations are pinned."""
    assert signature(shingles("a b c d e f"), 3, seed=1).tolist() == PINNED_SIGNATURE


@pytest.mark.parametrize("count", [1, 511, 512, 513, 3_000])
def test_signature_equals_datasketch(count: int) -> None:
    """One shingle, the borders of a block, many blocks."""
    hashes = np.random.default_rng(count).integers(0, 2**64, count, dtype=np.uint64)
    reference = MinHash(num_perm=140, seed=9, scheme=SCHEME, hashfunc=lambda value: value)
    reference.update_batch((hashes & np.uint64(0xFFFFFFFF)).tolist())
    assert signature(hashes, 140, seed=9).tolist() == reference.hashvalues.tolist()


def test_signature_agreement_estimates_jaccard() -> None:
    """Mean over 200 pairs of J = 1/3; its standard error is sqrt(J (1 - J) / (128 * 200)) = 0.003."""
    rng = np.random.default_rng(7)
    agreements = []
    for _ in range(200):
        values = rng.integers(0, 2**63, 300, dtype=np.uint64)
        a = signature(np.sort(values[:200]), 128, seed=3)
        b = signature(np.sort(values[100:]), 128, seed=3)
        agreements.append((a == b).mean())
    assert abs(np.mean(agreements) - 1 / 3) < 4 * 0.003


def test_band_collisions_follow_the_formula() -> None:
    """14 bands of 8 rows at J = 0.8: 1 - (1 - 0.8**8)**14 = 0.924; 4 standard errors of 400: 0.053."""
    rng = np.random.default_rng(11)
    caught = 0
    for _ in range(400):
        values = rng.integers(0, 2**63, 360, dtype=np.uint64)
        a = band_keys(signature(values[:324], 112, seed=5), 14, 8)
        b = band_keys(signature(values[36:], 112, seed=5), 14, 8)  # 288 of 360 in common
        caught += any(x == y for x, y in zip(a, b, strict=True))
    assert abs(caught / 400 - 0.924) < 0.053


def test_band_keys() -> None:
    same = np.array([7, 7, 7, 7], dtype=np.uint32)
    first, second = band_keys(same, 2, 2)
    assert first != second  # equal values in different bands are different keys
    assert all(-(2**63) <= key < 2**63 for key in band_keys(np.arange(64, dtype=np.uint32), 16, 4))
    other = np.array([7, 7, 7, 8], dtype=np.uint32)
    assert band_keys(other, 2, 2)[0] == first
    assert band_keys(other, 2, 2)[1] != second


def test_refusals() -> None:
    with pytest.raises(ValueError, match="without shingles"):
        signature(np.empty(0, dtype=np.uint64), 16, seed=1)
    with pytest.raises(ValueError, match="3 bands of 8 rows need 24 permutations; the signature has 16"):
        band_keys(np.zeros(16, dtype=np.uint32), 3, 8)


@given(st.lists(st.sampled_from("abcdefgh"), min_size=5, max_size=60))
def test_number_of_shingles_is_that_of_distinct_tuples(words: list[str]) -> None:
    tuples = {tuple(words[i : i + 5]) for i in range(len(words) - 4)}
    assert len(shingles(" ".join(words))) == len(tuples)
