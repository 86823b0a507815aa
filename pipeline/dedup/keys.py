"""What deduplication compares: URL, text hash, keeper rank and LSH bands of each document."""

import math
from datetime import UTC, datetime

import pyarrow as pa
import xxhash

from filters.minhash import band_keys, shingles, signature
from filters.urls import canonical_url, registrable_domain

REQUIRED_COLUMNS = ("doc_id", "url", "text")
RANK_COLUMNS = (
    "fetched_at", "num_chars", "duplicate_line_char_fraction",
    "code_seen", "code_kept", "math_seen", "math_kept",
)  # fmt: skip
"""What the keeper order looks at. A document without them is ranked by its length and doc_id."""

RANK = pa.struct(
    [
        ("lost_fraction", pa.float64()),
        ("repeated_fraction", pa.float64()),
        ("minus_num_chars", pa.int64()),
        ("fetched_us", pa.int64()),
        ("doc_id", pa.string()),
    ]
)
"""Keeper order, ascending: Spark compares structs field by field. Ends with doc_id, so there are no ties."""

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
"""About 350 bytes a document, whatever its length."""

_NEVER_FETCHED = 2**62
# Ours: what differs by less than a twentieth is noise of the measurement; the next criterion decides.
_STEPS = 20


def keys_of(documents: pa.RecordBatch, bands: int, rows_per_band: int, seed: int) -> pa.RecordBatch:
    """One row of KEYS for each row of REQUIRED_COLUMNS and, as far as they are there, RANK_COLUMNS, source.

    A document without text has no text_key; its reader refuses it.
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
    return pa.RecordBatch.from_pylist(keys, schema=KEYS)


def text_key(text: str) -> str:
    """128-bit hash of the text, any white space taken for one space. Case counts: code needs it."""
    return xxhash.xxh3_128_hexdigest(" ".join(text.split()).encode("utf-8", "surrogatepass"))


def rank_of(document: dict[str, object]) -> dict[str, object]:
    """Place of a document in keeper order, as RANK without its doc_id: completeness of extraction, then how
    little it repeats itself, then length, then the oldest fetch. What is no number, or no time, counts as
    absent: any Parquet may hold columns of these names.
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
