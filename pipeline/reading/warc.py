"""Read the records of a WARC file, even a damaged one: everything in it becomes a record or a fault.

1. A gzip file consists of members. Each member is inflated as a stream into fastwarc, and its last record is
   returned only after the member's checksum was verified. An uncompressed file is read by `warc_records`, and
   so is a whole member with a damaged record, after it was inflated into a temporary file.
2. After a fault, also one at the start of the file, reading continues at the next position where a record
   really starts.

Cost: one record in memory. A record above the size limit is skipped and never held.
"""

import io
import itertools
import re
import shutil
import tempfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import BinaryIO

from pipeline.reading.stored import open_stored
from pipeline.reading.warc_records import (
    MAX_HEADER_BYTES,
    RECORD_START,
    WarcRecord,
    find,
    has_bare_line_breaks,
    iterate,
    read_plain,
    take,
)

__all__ = ["WarcRecord", "read_warc"]

GZIP_MAGIC = re.compile(rb"\x1f\x8b\x08")
_PLAIN_START = b"WARC/"
_CHUNK_BYTES = 1 << 16
_PEEKED_BYTES = 64
_HEAD_STEP_BYTES = 64  # Our choice: zlib returns no data from a step with damaged input.
_INFLATED_IN_MEMORY_BYTES = 1 << 26  # Our choice: a larger member with a damaged record goes to the disk.


def read_warc(path: str, max_record_bytes: int) -> Iterator[WarcRecord]:
    """Yield every record in file order. Records longer than `max_record_bytes` are faults without content.

    A file without any record gives one fault, warc_unreadable. Raises OSError if it cannot be read at all.
    """
    stored, size = open_stored(path)
    with stored:
        records = _read_records(stored, size, max_record_bytes)
        first = next(records, None)
        yield first or WarcRecord(0, size, fault="warc_unreadable", detail="the file holds no record")
        yield from records


def _read_records(file: BinaryIO, size: int, max_record_bytes: int) -> Iterator[WarcRecord]:
    """Yield records from the start of the file, or from the first one after a damaged or foreign start."""
    start = file.read(len(_PLAIN_START))
    is_gzip, offset = GZIP_MAGIC.match(start) is not None, 0
    if size and not is_gzip and start != _PLAIN_START:
        plain = find(file, RECORD_START, 0, size)
        offset = _next_member(file, 0, plain)
        is_gzip = offset < plain
        fault = "warc_malformed_record" if offset < size else "warc_unreadable"
        yield WarcRecord(0, offset, fault=fault, detail="the file does not start as a WARC does")
    yield from _read_on(_read_member if is_gzip else read_plain, file, offset, size, max_record_bytes)


def _read_on(
    read_some: Callable[[BinaryIO, int, int, int], Generator[WarcRecord, None, int]],
    file: BinaryIO,
    offset: int,
    size: int,
    max_record_bytes: int,
) -> Iterator[WarcRecord]:
    while offset < size:
        offset = yield from read_some(file, offset, size, max_record_bytes)


class _Member:
    """The inflated bytes of one gzip member as a stream for fastwarc. Damage ends the stream."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._position = offset
        self._peeked = b""
        self.damage: str | None = None

    def tell(self) -> int:
        return 0

    def peek(self) -> bytes:
        """Return the first inflated bytes, which read() then returns too; only before the first read()."""
        self._peeked = self.read(_PEEKED_BYTES)
        return self._peeked

    def read(self, size: int) -> bytes:
        """Return at least one byte, except at the end of the member or file or after damage."""
        if self._peeked:
            peeked, self._peeked = self._peeked, b""
            return peeked
        while not self._inflate.eof and not self.damage:
            stored = self._inflate.unconsumed_tail
            if not stored:
                stored = self._file.read(_CHUNK_BYTES)
                self._position += len(stored)
            if not stored:
                break
            try:
                inflated = self._inflate.decompress(stored, size)
            except zlib.error as error:
                self.damage = f"gzip member: {error}"
                break
            if inflated:
                return inflated
        return b""

    @property
    def is_whole(self) -> bool:
        """True if the end was read and the checksum is correct."""
        return self._inflate.eof and not self.damage

    @property
    def end(self) -> int:
        """Position behind a whole member."""
        return self._position - len(self._inflate.unused_data)


def _read_member(
    file: BinaryIO, offset: int, size: int, max_record_bytes: int
) -> Generator[WarcRecord, None, int]:
    """Yield the records of the gzip member at `offset`; return where the next member starts."""
    member = _Member(file, offset)
    is_bare = has_bare_line_breaks(member.peek())
    held: WarcRecord | None = None
    num_yielded = 0
    detail: str | None = None
    try:
        for record in () if is_bare else iterate(member, is_bare):
            if held:
                yield held
                num_yielded += 1
            held = replace(take(record, max_record_bytes), offset=offset)
    except OSError as error:
        detail = str(error)
    while member.read(_CHUNK_BYTES):
        pass
    if member.is_whole:
        length = member.end - offset
        if is_bare or (held and (detail or held.fault == "warc_truncated_record")):
            is_last = member.end == size
            for record in _records_inside(file, offset, num_yielded, max_record_bytes):
                is_lost = record.fault == "warc_unreadable" and not is_last
                fault = "warc_malformed_record" if is_lost else record.fault
                yield replace(record, offset=offset, length=length, fault=fault)
        elif held:
            yield replace(held, length=length)
        elif detail:
            fault = "warc_unreadable" if member.end == size else "warc_malformed_record"
            yield WarcRecord(offset, length, fault=fault, detail=detail)
        return member.end
    resumed = _next_member(file, offset + 1, size)
    fault = "warc_malformed_record" if member.damage else "warc_truncated_record"
    if resumed == size and not held and member.damage:
        fault = "warc_unreadable"
    damaged = held or _legible_head(file, offset)
    detail = member.damage or "the file ends inside this gzip member"
    yield replace(damaged, length=resumed - offset, content=b"", fault=fault, detail=detail)
    return resumed


def _records_inside(
    file: BinaryIO, offset: int, num_yielded: int, max_record_bytes: int
) -> Iterator[WarcRecord]:
    """Yield the records of the whole member at `offset` after the first `num_yielded`, read as a plain file.

    Their places are those inside the inflated member.
    """
    with tempfile.SpooledTemporaryFile(_INFLATED_IN_MEMORY_BYTES) as inflated:
        shutil.copyfileobj(_Member(file, offset), inflated, _CHUNK_BYTES)
        records = _read_on(read_plain, inflated, 0, inflated.tell(), max_record_bytes)
        yield from itertools.islice(records, num_yielded, None)


def _legible_head(file: BinaryIO, offset: int) -> WarcRecord:
    """Return the first record's header from a damaged member, if the header comes before the damage."""
    file.seek(offset)
    inflate = zlib.decompressobj(31)
    head = b""
    with suppress(zlib.error):
        while len(head) < MAX_HEADER_BYTES and (stored := file.read(_HEAD_STEP_BYTES)):
            head += inflate.decompress(stored)
    with suppress(OSError):
        for record in iterate(io.BytesIO(head), has_bare_line_breaks(head[:_CHUNK_BYTES])):
            return replace(take(record, max_record_bytes=0), offset=offset)
    return WarcRecord(offset, 0)


def _next_member(file: BinaryIO, start: int, size: int) -> int:
    """Return the position of the next gzip member that holds a WARC record; `size` if there is none."""
    while (start := find(file, GZIP_MAGIC, start, size)) < size:
        # The three bytes of the magic also occur by chance in compressed data.
        if _Member(file, start).read(len(_PLAIN_START)) == _PLAIN_START:
            return start
        start += 1
    return size
