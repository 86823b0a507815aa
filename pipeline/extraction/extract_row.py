"""Turn one row of `raw` into one row of `documents` or of its rejects, with one guard per Spark worker."""

import json
import re
from functools import lru_cache

import pyarrow as pa

from configs.contract import DOCUMENTS, REJECTS, excerpt
from pipeline.extraction.guard import Failure, Guard
from pipeline.extraction.result import Extraction

BATCH = pa.schema(
    [
        *(field.with_nullable(True) for field in DOCUMENTS),
        *(field.with_nullable(True) for field in REJECTS if field.name not in DOCUMENTS.names),
    ]
)
"""Columns of `documents` and of its rejects together."""

_CHARSET = re.compile(r"charset\s{0,9}=\s{0,9}[\"']?([\w.:-]{1,40})", re.IGNORECASE)


@lru_cache(maxsize=1)
def worker_guard(timeout_s: float, max_memory_bytes: int) -> Guard:
    """Return this Spark worker's one child process; it takes a second to start and ends with the worker."""
    return Guard(timeout_s, max_memory_bytes)


def extract_row(raw: dict[str, object], guard: Guard) -> dict[str, object]:
    """Return the columns of BATCH for one row of `raw`; columns without a value are null."""
    declared = _CHARSET.search(raw["content_type"] or "")
    name = raw["url"] or raw["origin"]["file"]
    found = guard.extract(raw["kind"], raw["content"], name, declared.group(1) if declared else None)
    about = {name: raw[name] for name in ("doc_id", "source", "url", "fetched_at", "kind", "origin")}
    if isinstance(found, Failure):
        return about | {
            "reject_reason": found.reason,
            "detail": found.detail,
            "excerpt": excerpt(raw["content"]),
        }
    if not found.text.strip():
        return about | {
            "reject_reason": "empty_text",
            "detail": f"engine {found.engine}",
            "measurements": json.dumps({"num_bytes": len(raw["content"])} | _counts(found)),
            "excerpt": excerpt(raw["content"]),
        }
    return about | _counts(found) | {"title": found.title or None, "text": found.text, "engine": found.engine}


def _counts(found: Extraction) -> dict[str, int]:
    return {name: getattr(found, name) for name in ("code_seen", "code_kept", "math_seen", "math_kept")}
