"""The list of a table's parts, `_meta/parts-<unique>.parquet`: path, rows, bytes and digest of each.

The list stays in Arrow's columns, about 80 bytes per part, because a crawl's table has 10^5 parts and more.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import overload

import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from configs.contract import Part

PARTS = pa.schema(
    [
        pa.field("path", pa.string(), nullable=False),
        pa.field("rows", pa.int64(), nullable=False),
        pa.field("num_bytes", pa.int64(), nullable=False),
        pa.field("digest", pa.binary(16), nullable=False),  # xxh3-128
    ]
)
"""The columns of Part."""

_BATCH = 10_000


class PartList(Sequence[Part]):
    """Parts as a sequence over a table of PARTS."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    @classmethod
    def of(cls, parts: Iterable[Part]) -> "PartList":
        """The list of these parts."""
        if isinstance(parts, cls):
            return parts
        batches = [
            pa.RecordBatch.from_pylist([vars(p) | {"digest": bytes.fromhex(p.digest)} for p in some], PARTS)
            for some in _batched(parts)
        ]
        return cls(pa.Table.from_batches(batches, PARTS))

    @classmethod
    def joined(cls, lists: Iterable["PartList"]) -> "PartList":
        """All parts of the lists."""
        return cls(pa.concat_tables([listed.rows for listed in lists]))

    @overload
    def __getitem__(self, index: int) -> Part: ...
    @overload
    def __getitem__(self, index: slice) -> "PartList": ...
    def __getitem__(self, index: int | slice) -> "Part | PartList":
        if isinstance(index, slice):
            return PartList(self.rows.take(pa.array(range(*index.indices(len(self))), pa.int64())))
        place = range(len(self))[index]
        return next(_parts_of(self.rows.slice(place, 1)))

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def __iter__(self) -> Iterator[Part]:
        for start in range(0, len(self), _BATCH):
            yield from _parts_of(self.rows.slice(start, _BATCH))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartList) and bool(self.rows.equals(other.rows))

    def named(self, path: str) -> Part | None:
        """The part of this path, if the table has it."""
        place = pc.index(self.rows["path"], path).as_py()
        return self[place] if place >= 0 else None

    def num_bytes(self) -> int:
        """Bytes of all parts."""
        return pc.sum(self.rows["num_bytes"]).as_py() or 0

    def digest(self) -> str:
        """Content hash: the parts' rows and digests, whatever their names and order."""
        rows = self.rows.sort_by([("digest", "ascending"), ("rows", "ascending")]).combine_chunks()
        state = xxhash.xxh3_128()
        for chunk in rows.to_batches(_BATCH):
            state.update(chunk["rows"].to_numpy().tobytes())
            state.update(b"".join(chunk["digest"].to_pylist()))
        return state.hexdigest()


def _batched(parts: Iterable[Part]) -> Iterator[list[Part]]:
    iterator = iter(parts)
    return iter(lambda: list(islice(iterator, _BATCH)), [])


def _parts_of(rows: pa.Table) -> Iterator[Part]:
    columns = (rows[name].to_pylist() for name in PARTS.names)
    for path, num_rows, num_bytes, digest in zip(*columns, strict=True):
        yield Part(path, num_rows, num_bytes, digest.hex())
