"""What deduplication compares: URL, text hash, keeper rank and LSH bands of each document."""

from datetime import datetime

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
                "source": document.get("source") or "",
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
    little it repeats itself, then length, then the oldest fetch.
    """
    seen, kept = (
        sum(document.get(f"{kind}_{state}") or 0 for kind in ("code", "math")) for state in ("seen", "kept")
    )
    lost = 1 - kept / seen if seen else 0.0
    repeated = document.get("duplicate_line_char_fraction") or 0.0
    num_chars = document.get("num_chars")
    fetched_at: datetime | None = document.get("fetched_at")
    return {
        "lost_fraction": round(max(lost, 0.0) * _STEPS) / _STEPS,
        "repeated_fraction": round(repeated * _STEPS) / _STEPS,
        "minus_num_chars": -(len(document["text"] or "") if num_chars is None else num_chars),
        "fetched_us": int(fetched_at.timestamp() * 1_000_000) if fetched_at else _NEVER_FETCHED,
    }
