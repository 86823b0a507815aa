"""Read WARC records from a plain stream of bytes, and find where records start.

1. fastwarc reads record after record. A record is returned only after the next one was found behind it, or
   the end of the file.
2. Where none is found, the record's Content-Length is compared with the place where another record really
   starts. If one starts inside the content, the record was cut or its length is wrong: it is a fault, and
   reading continues with the other one.
3. A record whose content is shorter than its Content-Length is truncated (fastwarc does not report this).
"""

import re
from collections.abc import Generator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import BinaryIO

from fastwarc.warc import ArchiveIterator
from fastwarc.warc import WarcRecord as FastWarcRecord

from pipeline.reading.stored import BUFFER_BYTES

RECORD_START = re.compile(rb"WARC/[01]\.\d{1,2}\r?\n(?i:WARC|Content)-[A-Za-z-]{2,30}:")
"""A version with one of WARC's header fields. It need not stand after a blank line: a record that was cut has
none.
"""
_FIRST_LINE_BYTES = 16  # of a WARC: its version and the line break
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_BLANK_LINES_BYTES = 16  # Our choice: a record ends with two line breaks; some writers add one.
_MAX_FOUND_BYTES = 64  # more than any pattern that find() is given can match
# Our choice: one request to an object store; seeks to the next member stay inside it.
MAX_HEADER_BYTES = 1 << 16  # Our choice: WARC headers have a few hundred bytes.


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


def read_plain(
    file: BinaryIO, offset: int, size: int, max_record_bytes: int
) -> Generator[WarcRecord, None, int]:
    """Yield records from `offset` up to the next fault; return where reading continues."""
    is_bare = _is_bare(file, offset)
    file.seek(offset)
    held: WarcRecord | None = None
    detail = "the file ends inside a record's header"
    fault = "warc_truncated_record"
    try:
        for record in iterate(file, is_bare):
            if held:
                yield replace(held, length=record.stream_pos - held.offset)
            held = take(record, max_record_bytes)
            if held.fault == "warc_truncated_record" or is_bare:
                break  # fastwarc steps over what it cannot read where line breaks are bare
    except OSError as error:
        fault, detail = "warc_malformed_record", str(error)
    end = offset
    if held and held.fault and not is_bare and _is_bare(file, held.offset):
        return held.offset
    if held:
        yield (placed := _placed(file, held, size, detail))
        end = held.offset + placed.length
        if placed.fault == "warc_truncated_record" or (is_bare and _starts_record(file, end)):
            return end
    if end >= size:
        return size
    resumed = find(file, RECORD_START, end + 1, size)
    is_lost = resumed == size and fault != "warc_truncated_record"
    yield WarcRecord(end, resumed - end, fault="warc_unreadable" if is_lost else fault, detail=detail)
    return resumed


def iterate(stream: object, is_bare: bool) -> ArchiveIterator:
    """Return fastwarc's records of a stream; `is_bare` if lines end with a line feed alone."""
    return ArchiveIterator(stream, parse_http=False, stream_detect=False, quirks_mode=is_bare)


def has_bare_line_breaks(start: bytes) -> bool:
    """Whether the first line of a record ends with a line feed alone, as old tools write it."""
    return start.startswith(b"WARC/") and b"\n" in start and b"\r\n" not in start


def take(record: FastWarcRecord, max_record_bytes: int) -> WarcRecord:
    """Return content and headers of fastwarc's current record."""
    headers = record.headers
    declared = headers.get("Content-Length", "")
    taken = WarcRecord(
        offset=record.stream_pos,
        length=0,
        type=headers.get("WARC-Type", ""),
        record_id=headers.get("WARC-Record-ID"),
        url=_without_brackets(headers.get("WARC-Target-URI")),
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


def find(file: BinaryIO, wanted: re.Pattern[bytes], start: int, size: int) -> int:
    """Return the first position of `wanted` from `start` on; `size` if there is none."""
    while start < size:
        file.seek(start)
        block = file.read(BUFFER_BYTES)
        found = wanted.search(block)
        if found:
            return start + found.start()
        if start + len(block) >= size:
            return size
        start += max(len(block) - _MAX_FOUND_BYTES, 1)
    return size


def _without_brackets(uri: str | None) -> str | None:
    """Return the URI of `<http://...>`, as wget and the standard's first edition write it."""
    return uri[1:-1] if uri and uri.startswith("<") and uri.endswith(">") else uri


def _placed(file: BinaryIO, record: WarcRecord, size: int, detail: str) -> WarcRecord:
    """Return the last record that was read with its length, or the fault that it is."""
    file.seek(record.offset)
    header_end = _HEADER_END.search(file.read(MAX_HEADER_BYTES))
    if not header_end:
        record = replace(record, fault="warc_truncated_record", detail=detail)
    else:
        content_end = record.offset + header_end.end() + record.content_length
        file.seek(min(content_end, size))
        after = file.read(_BLANK_LINES_BYTES)
        end = min(content_end, size) + len(after) - len(after.lstrip(b"\r\n"))
        if record.fault == "warc_truncated_record":
            pass
        elif end >= size or _starts_record(file, end):
            return replace(record, length=end - record.offset)
        elif (inside := find(file, RECORD_START, record.offset + 1, content_end)) < content_end:
            detail = f"another record starts after {inside - record.offset} bytes"
            record = replace(record, content=b"", fault="warc_truncated_record", detail=detail)
        else:
            return replace(record, length=end - record.offset)
    # The Content-Length may be wrong, so that the record covers others; search these from its start.
    resumed = find(file, RECORD_START, record.offset + 1, size)
    return replace(record, length=resumed - record.offset)


def _is_bare(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    return has_bare_line_breaks(file.read(_FIRST_LINE_BYTES))


def _starts_record(file: BinaryIO, position: int) -> bool:
    file.seek(position)
    return RECORD_START.match(file.read(_MAX_FOUND_BYTES)) is not None
