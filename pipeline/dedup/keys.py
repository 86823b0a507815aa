"""Compute what deduplication compares: URL, text hash, keeper rank and LSH bands of each document."""

import math
from datetime import UTC, datetime

import pyarrow as pa
import xxhash

from configs.contract import SIGNATURES
from filters.minhash import band_keys, shingles, signature
from filters.urls import canonical_url, registrable_domain

REQUIRED_COLUMNS = ("doc_id", "url", "text")
RANK_COLUMNS = (
    "fetched_at", "num_chars", "duplicate_line_char_fraction",
    "code_seen", "code_kept", "math_seen", "math_kept",
)  # fmt: skip
"""Columns that the keeper order uses. A document without them is ranked by its length and doc_id."""

RANK = pa.struct(
    [
        ("lost_fraction", pa.float64()),
        ("repeated_fraction", pa.float64()),
        ("minus_num_chars", pa.int64()),
        ("fetched_us", pa.int64()),
        ("doc_id", pa.string()),
    ]
)
"""Keeper order, ascending: Spark compares structs field by field, and doc_id, the last one, decides ties."""

KEYS = pa.schema(
    [
        ("doc_id", pa.string()),
        ("source", pa.string()),
        ("url", pa.string()),
        ("canonical_url", pa.string()),
        ("domain", pa.string()),
        ("text_key", pa.string()),
        ("rank", RANK),
        ("bands", pa.list_(pa.int64())),
    ]
)
"""Keys of one document: about 350 bytes, whatever its length."""

_NEVER_FETCHED = 2**62
# Our choice: a difference of less than a twentieth is measurement noise; then the next criterion decides.
_STEPS = 20


def keys_of(documents: pa.RecordBatch, bands: int, rows_per_band: int, seed: int) -> pa.RecordBatch:
    """Return one row of SIGNATURES per document.

    `documents` has REQUIRED_COLUMNS and any of RANK_COLUMNS and source. A document without text gets no
    text_key; find_duplicates refuses it.
    """
    keys = []
    for document in documents.to_pylist():
        url, text = document["url"], document["text"]
        doc_id = None if document["doc_id"] is None else str(document["doc_id"])
        page = canonical_url(url) if url else None
        places = signature(shingles(text or ""), bands * rows_per_band, seed)
        keys.append(
            {
                "doc_id": doc_id,
                "source": str(document.get("source") or ""),
                "url": url,
                "canonical_url": page,
                "domain": registrable_domain(page or url or ""),
                "text_key": None if text is None else text_key(text),
                "rank": rank_of(document) | {"doc_id": doc_id},
                "bands": band_keys(places, bands, rows_per_band),
            }
        )
    return pa.RecordBatch.from_pylist(keys, schema=SIGNATURES)


def text_key(text: str) -> str:
    """Return the 128-bit hash of the text with single spaces. Case is kept, because code needs it."""
    return xxhash.xxh3_128_hexdigest(" ".join(text.split()).encode("utf-8", "surrogatepass"))


def rank_of(document: dict[str, object]) -> dict[str, object]:
    """Return the keeper rank of a document: the fields of contract.RANK without doc_id.

    The criteria are completeness of extraction, little repetition, length, and the oldest fetch, in this
    order. A value that is not a number, or not a time, counts as absent, because any Parquet may have columns
    with these names.
    """
    seen, kept = (
        sum(_number(document.get(f"{kind}_{state}")) for kind in ("code", "math"))
        for state in ("seen", "kept")
    )
    lost = 1 - kept / seen if seen else 0.0
    repeated = _number(document.get("duplicate_line_char_fraction"))
    num_chars = _number(document.get("num_chars")) or len(document["text"] or "")
    fetched_at = document.get("fetched_at")
    if isinstance(fetched_at, datetime) and fetched_at.tzinfo is None:
        fetched_at = fetched_at.replace(tzinfo=UTC)
    return {
        "lost_fraction": round(max(lost, 0.0) * _STEPS) / _STEPS,
        "repeated_fraction": round(repeated * _STEPS) / _STEPS,
        "minus_num_chars": -int(num_chars),
        "fetched_us": int(fetched_at.timestamp() * 1e6)
        if isinstance(fetched_at, datetime)
        else _NEVER_FETCHED,
    }


def _number(value: object) -> float:
    return value if isinstance(value, int | float) and math.isfinite(value) else 0
