"""Near-duplicate signatures: word 5-gram shingles, datasketch's MinHash, band keys, exact Jaccard similarity.

1. `shingles` returns the distinct 64-bit hashes of every 5 consecutive lower-cased words.
2. `signature` returns, for each of num_perm permutations, the least permuted hash. The probability that two
   documents have the same value at one position is the Jaccard similarity J of their shingle sets.
3. `band_keys` returns one key per band of `rows` values. Documents that share a key are candidates; the
   probability of that is 1 - (1 - J^rows)^bands.
4. `jaccard` verifies candidates exactly, on their shingles.
"""

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import xxhash
from datasketch import MinHash

SHINGLE_WORDS = 5
"""Words per shingle, as in FineWeb and OLMo 3."""

SCHEME = "affine32"
"""datasketch 2's permutations h -> a*h + b mod 2**32. Signatures of different schemes cannot be compared."""

# The standard library's re is safe here: one character class cannot backtrack. Each Han character is a word.
_WORD = re.compile(r"\w+")
_WORD_OR_HAN = re.compile(r"[㐀-鿿]|[^\W㐀-鿿]+")
_HAN = re.compile(r"[㐀-鿿]")

# Our choice: of 64 to 1024, the fastest with 140 permutations; 512 x 140 x 4 bytes fit into the second-level
# cache.
_BLOCK = 512

_BASE = np.uint64(0x9E3779B97F4A7C15)
_MIX = np.uint64(0xBF58476D1CE4E5B9)


def shingles(text: str) -> npt.NDArray[np.uint64]:
    r"""Return the sorted distinct hashes of the 5-grams of lower-cased \w+ words; the result is never empty.

    A text of one to four words has one shingle, which holds all its words. A text without words has one
    shingle, the text itself, so it is similar only to an equal text.
    """
    lowered = text.lower()
    pattern = _WORD if lowered.isascii() or not _HAN.search(lowered) else _WORD_OR_HAN
    words = pattern.findall(lowered)
    if not words:
        return np.array([xxhash.xxh3_64_intdigest(text.encode("utf-8", "surrogatepass"))], dtype=np.uint64)
    hash_of = {word: xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass")) for word in set(words)}
    hashes = np.fromiter(map(hash_of.__getitem__, words), dtype=np.uint64, count=len(words))
    width = min(SHINGLE_WORDS, len(words))
    combined = hashes[: len(hashes) - width + 1].copy()
    for offset in range(1, width):
        combined *= _BASE
        combined += hashes[offset : len(hashes) - width + 1 + offset]
    combined ^= combined >> np.uint64(29)
    combined *= _MIX
    combined ^= combined >> np.uint64(32)
    return np.unique(combined)


def signature(shingle_hashes: npt.NDArray[np.uint64], num_perm: int, seed: int) -> npt.NDArray[np.uint32]:
    """Return the MinHash of the shingles, shape [num_perm].

    Two signatures can be compared only if num_perm and seed are equal. The values equal datasketch's bit for
    bit (a test compares them), but all permutations are computed at once, on blocks of shingles that bound
    the memory.
    Raises ValueError if there is no shingle, because all such signatures would be equal.
    """
    if len(shingle_hashes) == 0:
        raise ValueError("a document without shingles has no signature; make them with shingles(text)")
    factors, offsets = _permutations(num_perm, seed)
    mixed = _mixed(shingle_hashes.astype(np.uint32))  # the low 32 bits
    least = np.full(num_perm, 0xFFFFFFFF, dtype=np.uint32)
    for start in range(0, len(mixed), _BLOCK):
        permuted = mixed[start : start + _BLOCK, None] * factors  # [shingles, num_perm], modulo 2**32
        permuted += offsets
        np.minimum(least, permuted.min(axis=0), out=least)
    return least


def band_keys(minhash_signature: npt.NDArray[np.uint32], bands: int, rows: int) -> list[int]:
    """Return one signed 64-bit key per band (Spark's bigint). Keys of different bands do not coincide.

    Raises ValueError if the signature is shorter than bands * rows.
    """
    if bands * rows > len(minhash_signature):
        raise ValueError(
            f"{bands} bands of {rows} rows need {bands * rows} permutations; the signature has "
            f"{len(minhash_signature)}"
        )
    values = np.ascontiguousarray(minhash_signature, dtype="<u4").tobytes()
    width = 4 * rows
    keys = [xxhash.xxh3_64_intdigest(values[b * width : (b + 1) * width], seed=b) for b in range(bands)]
    return [key - (1 << 64) if key >= 1 << 63 else key for key in keys]


def jaccard(a: npt.NDArray[np.uint64], b: npt.NDArray[np.uint64]) -> float:
    """Return the exact Jaccard similarity of two results of shingles(); 0.0 if both are empty."""
    common = len(np.intersect1d(a, b, assume_unique=True))
    union = len(a) + len(b) - common
    return common / union if union else 0.0


@lru_cache(maxsize=4)
def _permutations(num_perm: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    factors, offsets = MinHash(num_perm=num_perm, seed=seed, scheme=SCHEME).permutations
    return factors, offsets


def _mixed(hashes: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
    """Apply MurmurHash3's 32-bit finaliser, as datasketch's scheme does before its permutations."""
    hashes = hashes ^ (hashes >> np.uint32(16))
    hashes *= np.uint32(0x85EBCA6B)
    hashes ^= hashes >> np.uint32(13)
    hashes *= np.uint32(0xC2B2AE35)
    hashes ^= hashes >> np.uint32(16)
    return hashes
