"""What deduplication compares: URL, text hash, keeper rank, shingles and LSH bands of each document."""

from datetime import datetime

import pyarrow as pa
import xxhash

from filters.minhash import band_keys, shingles, signature
from filters.urls import canonical_url, registrable_domain

INPUT_COLUMNS = (
    "doc_id", "url", "text", "fetched_at", "num_chars", "duplicate_line_char_fraction",
    "code_seen", "code_kept", "math_seen", "math_kept",
)  # fmt: skip

RANK = pa.struct(
    [
        ("lost_fraction", pa.float64()),
        ("repeated_fraction", pa.float64()),
        ("minus_num_chars", pa.int64()),
        ("fetched_us", pa.int64()),
        ("doc_id", pa.string()),
    ]
)
"""Keeper order, ascending: Spark compares structs, Python tuples, field by field."""

KEYS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("url", pa.string()),
        ("canonical_url", pa.string()),
        ("domain", pa.string()),
        ("text_key", pa.string()),
        ("rank", RANK),
        ("bands", pa.list_(pa.int64())),
        ("shingles", pa.binary()),
    ]
)

_NEVER_FETCHED = 2**62
# Ours: what differs by less than a twentieth is noise of the measurement; the next criterion decides.
_STEPS = 20


def keys_of(
    documents: pa.RecordBatch, num_perm: int, bands: int, rows_per_band: int, seed: int
) -> pa.RecordBatch:
    """One row of KEYS for each row of INPUT_COLUMNS."""
    keys = []
    for document in documents.to_pylist():
        url, text = document["url"], document["text"]
        grams = shingles(text)
        keys.append(
            {
                "doc_id": document["doc_id"],
                "url": url,
                "canonical_url": canonical_url(url) if url else None,
                "domain": registrable_domain(url) if url else "",
                "text_key": text_key(text),
                "rank": rank_of(document),
                "bands": band_keys(signature(grams, num_perm, seed), bands, rows_per_band),
                "shingles": grams.tobytes(),
            }
        )
    return pa.RecordBatch.from_pylist(keys, schema=KEYS)


def text_key(text: str) -> str:
    """128-bit hash of the text, any white space taken for one space. Case counts: code needs it."""
    return xxhash.xxh3_128_hexdigest(" ".join(text.split()).encode("utf-8", "surrogatepass"))


def rank_of(document: dict[str, object]) -> dict[str, object]:
    """Place of a document in keeper order, as RANK: completeness of extraction, then how little it repeats
    itself, then length, then the oldest fetch.
    """
    seen = document["code_seen"] + document["math_seen"]
    lost = 1 - (document["code_kept"] + document["math_kept"]) / seen if seen else 0.0
    fetched_at: datetime | None = document["fetched_at"]
    return {
        "lost_fraction": round(max(lost, 0.0) * _STEPS) / _STEPS,
        "repeated_fraction": round(document["duplicate_line_char_fraction"] * _STEPS) / _STEPS,
        "minus_num_chars": -document["num_chars"],
        "fetched_us": int(fetched_at.timestamp() * 1_000_000) if fetched_at else _NEVER_FETCHED,
        "doc_id": document["doc_id"],
    }
