"""Read the records of a WARC file, even a damaged one: everything in it becomes a record or a fault.

1. A gzip file consists of members. Each member is inflated as a stream into fastwarc, and its last record is
   returned only after the member's checksum was verified. An uncompressed file is passed to fastwarc
   directly.
2. A record whose content is shorter than its Content-Length is truncated (fastwarc does not report this).
3. After a fault, also one at the start of the file, reading continues at the next position where a record
   really starts.

Cost: one record in memory. A record above the size limit is skipped and never held.
"""

import io
import zlib
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator
from fastwarc.warc import WarcRecord as FastWarcRecord

from pipeline.reading.stored import BUFFER_BYTES, open_stored

GZIP_MAGIC = b"\x1f\x8b\x08"
_RECORD_START = b"WARC/"
_FIRST_RECORD = b"WARC/1."
_NEXT_RECORD = b"\r\n\r\nWARC/1."
_CHUNK_BYTES = 1 << 16
_HEAD_STEP_BYTES = 64  # Our choice: zlib returns no data from a step with damaged input.
_MAX_HEADER_BYTES = 1 << 16  # Our choice: WARC headers have a few hundred bytes.


@dataclass(frozen=True)
class WarcRecord:
    """One record; with `fault` (a reject reason of `raw`), the readable part of a damaged one."""

    offset: int
    """Position in the stored file of the record, or of its member if the file is compressed."""
    length: int
    """Length in stored (compressed) bytes; that of the whole member if it holds several records."""
    type: str = ""
    record_id: str | None = None
    url: str | None = None
    fetched_at: datetime | None = None
    content_type: str | None = None
    """Content type of the WARC record, not of the page in it."""
    content: bytes = b""
    content_length: int = 0
    fault: str | None = None
    detail: str | None = None


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
    start = file.read(len(_RECORD_START))
    is_gzip, offset = start.startswith(GZIP_MAGIC[:2]), 0
    if size and not is_gzip and start != _RECORD_START:
        # Unlike later in the file, no blank line need come before the first record.
        plain = _find(file, _FIRST_RECORD, 0, size)
        offset = _next_member(file, 0, plain)
        is_gzip = offset < plain
        fault = "warc_malformed_record" if offset < size else "warc_unreadable"
        yield WarcRecord(0, offset, fault=fault, detail="the file does not start as a WARC does")
    read_some = _read_member if is_gzip else _read_plain
    while offset < size:
        offset = yield from read_some(file, offset, size, max_record_bytes)


class _Member:
    """The inflated bytes of one gzip member as a stream for fastwarc. Damage ends the stream."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        file.seek(offset)
        self._file = file
        self._inflate = zlib.decompressobj(31)
        self._position = offset
        self.damage: str | None = None

    def tell(self) -> int:
        return 0

    def read(self, size: int) -> bytes:
        """Return at least one byte, except at the end of the member or file or after damage."""
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
    held: WarcRecord | None = None
    detail: str | None = None
    try:
        for record in ArchiveIterator(member, parse_http=False, stream_detect=False):
            if held:
                yield held
            held = replace(_take(record, max_record_bytes), offset=offset)
    except OSError as error:
        detail = str(error)
    while member.read(_CHUNK_BYTES):
        pass
    if member.is_whole:
        length = member.end - offset
        if held:
            yield replace(held, length=length)
        if detail:
            is_lost = not held and member.end == size
            fault = "warc_unreadable" if is_lost else "warc_malformed_record"
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


def _legible_head(file: BinaryIO, offset: int) -> WarcRecord:
    """Return the first record's header from a damaged member, if the header comes before the damage."""
    file.seek(offset)
    inflate = zlib.decompressobj(31)
    head = b""
    with suppress(zlib.error):
        while len(head) < _MAX_HEADER_BYTES and (stored := file.read(_HEAD_STEP_BYTES)):
            head += inflate.decompress(stored)
    with suppress(OSError):
        for record in ArchiveIterator(io.BytesIO(head), parse_http=False, stream_detect=False):
            return replace(_take(record, max_record_bytes=0), offset=offset)
    return WarcRecord(offset, 0)


def _read_plain(
    file: BinaryIO, offset: int, size: int, max_record_bytes: int
) -> Generator[WarcRecord, None, int]:
    """Yield records from `offset` up to the next fault; return where reading continues."""
    file.seek(offset)
    held: WarcRecord | None = None
    detail = "the file ends inside a record's header"
    fault = "warc_truncated_record"
    try:
        for record in ArchiveIterator(file, parse_http=False, stream_detect=False):
            if held:
                yield replace(held, length=record.stream_pos - held.offset)
            held = _take(record, max_record_bytes)
            if held.fault == "warc_truncated_record":
                break
    except OSError as error:
        fault, detail = "warc_malformed_record", str(error)
    end = _record_end(file, held) if held else offset
    if held and end is None:
        held = replace(held, fault="warc_truncated_record", detail=detail)
    if held and held.fault == "warc_truncated_record":
        # Its Content-Length may be wrong, so that the record covers others; search these from its start.
        resumed = _next_record(file, held.offset + 1, size)
        yield replace(held, length=resumed - held.offset)
        return resumed
    if held:
        yield replace(held, length=min(end, size) - held.offset)
    if end >= size:
        return size
    resumed = _next_record(file, max(end - 3, 0), size)
    is_lost = resumed == size and fault != "warc_truncated_record"
    yield WarcRecord(end, resumed - end, fault="warc_unreadable" if is_lost else fault, detail=detail)
    return resumed


def _take(record: FastWarcRecord, max_record_bytes: int) -> WarcRecord:
    """Return content and headers of fastwarc's current record."""
    headers = record.headers
    declared = headers.get("Content-Length", "")
    taken = WarcRecord(
        offset=record.stream_pos,
        length=0,
        type=headers.get("WARC-Type", ""),
        record_id=headers.get("WARC-Record-ID"),
        url=headers.get("WARC-Target-URI"),
        fetched_at=record.record_date,
        content_type=headers.get("Content-Type"),
        content_length=record.content_length,
    )
    if declared.strip() != str(record.content_length):
        return replace(taken, fault="warc_malformed_record", detail=f"Content-Length {declared[:40]!r}")
    if record.content_length > max_record_bytes:
        return replace(taken, fault="too_large", detail=f"{record.content_length} bytes")
    content = record.reader.read(record.content_length)
    if len(content) < record.content_length:
        detail = f"{len(content)} of {record.content_length} bytes"
        return replace(taken, fault="warc_truncated_record", detail=detail)
    return replace(taken, content=content)


def _record_end(file: BinaryIO, record: WarcRecord) -> int | None:
    """Return the position after a plain record and its closing blank lines, or None if its header is cut."""
    file.seek(record.offset)
    header_bytes = file.read(_MAX_HEADER_BYTES).find(b"\r\n\r\n")
    return None if header_bytes < 0 else record.offset + header_bytes + 4 + record.content_length + 4


def _next_record(file: BinaryIO, start: int, size: int) -> int:
    """Return the first position from `start` on of a plain record after a blank line; `size` if none."""
    found = _find(file, _NEXT_RECORD, start, size)
    return found + 4 if found < size else size


def _next_member(file: BinaryIO, start: int, size: int) -> int:
    """Return the position of the next gzip member that holds a WARC record; `size` if there is none."""
    while (start := _find(file, GZIP_MAGIC, start, size)) < size:
        # The three bytes of the magic also occur by chance in compressed data.
        if _Member(file, start).read(len(_RECORD_START)) == _RECORD_START:
            return start
        start += 1
    return size


def _find(file: BinaryIO, wanted: bytes, start: int, size: int) -> int:
    """Return the first position of `wanted` from `start` on; `size` if there is none."""
    while start < size:
        file.seek(start)
        block = file.read(BUFFER_BYTES)
        found = block.find(wanted)
        if found >= 0:
            return start + found
        if start + len(block) >= size:
            return size
        start += len(block) - len(wanted) + 1
    return size
