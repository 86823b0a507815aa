"""One row of `raw`, or its reject, as the readers return it."""

from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa

from configs.contract import RAW, REJECTS, excerpt
from configs.tables import hash_bytes

BATCH = pa.schema(
    [
        *(field.with_nullable(True) for field in RAW),
        *(field.with_nullable(True) for field in REJECTS if field.name not in RAW.names),
    ]
)
"""Columns of `raw` and of its rejects together."""


@dataclass(frozen=True)
class RawRow:
    """The content of one part of an input file; with `reject_reason`, why it is not a document."""

    native_key: str
    """The source's own key: unique in the source, and the same in every run."""
    file: str
    offset: int
    length: int
    kind: str | None = None
    url: str | None = None
    fetched_at: datetime | None = None
    content_type: str | None = None
    content: bytes | None = None
    reject_reason: str | None = None
    detail: str | None = None

    def values(self, source: str) -> dict[str, object]:
        """Return the row as columns of BATCH."""
        rejected = self.reject_reason is not None
        return {
            "doc_id": hash_bytes(f"{source}\n{self.native_key}".encode("utf-8", "surrogatepass")),
            "source": source,
            "kind": self.kind,
            "url": self.url,
            "fetched_at": self.fetched_at,
            "content_type": self.content_type,
            "content": None if rejected else self.content,
            "origin": {"file": self.file, "offset": self.offset, "length": self.length},
            "reject_reason": self.reject_reason,
            "detail": self.detail,
            "excerpt": excerpt(self.content) if rejected and self.content else None,
        }
