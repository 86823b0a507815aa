"""Read input files of every configured format as rows of `raw`: each page, file or line is one row."""

import json
from collections.abc import Iterator
from typing import BinaryIO, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from configs.tables import BATCH_ROWS, hash_bytes
from pipeline.reading.content_kinds import kind_of
from pipeline.reading.http_body import BodyError, decode_body, parse_response
from pipeline.reading.list_inputs import InputFile
from pipeline.reading.raw_row import RawRow
from pipeline.reading.stored import open_stored
from pipeline.reading.warc import WarcRecord, read_warc

WHOLE_FILE_KINDS = {
    "pdf": "pdf",
    "notebook": "notebook",
    "code": "code",
    "latex": "latex",
    "html": "html",
    "text": "text",
}
"""Formats with one document per file, and the kind of that document."""

_CODECS = {"gz": "gzip", "bz2": "bz2", "zst": "zstd", "lz4": "lz4"}
"""Compression of JSONL by the ending of the name: those that pyarrow unpacks."""


class SourceFields(Protocol):
    """The part of a source's configuration that readers need."""

    format: str
    text_field: str
    id_field: str | None
    url_field: str | None


class Limits(Protocol):
    """The part of the job's configuration that readers need."""

    max_content_bytes: int
    max_expansion: int


def read_file(file: InputFile, source: SourceFields, limits: Limits) -> Iterator[RawRow]:
    """Yield the rows of one file; where it cannot be read further, one reject row stands for the rest.

    Raises ConfigError if an object store fails: what it did not give is no reject.
    """
    readers = {"warc": _read_warc, "jsonl": _read_jsonl, "parquet": _read_parquet}
    reader = readers.get(source.format, _read_whole)
    try:
        yield from reader(file, source, limits)
    except (OSError, EOFError, pa.ArrowException) as error:
        key = f"{file.name}\nunreadable"
        yield RawRow(key, file.origin, 0, 0, reject_reason="file_unreadable", detail=str(error)[:500])


def _read_warc(file: InputFile, _: SourceFields, limits: Limits) -> Iterator[RawRow]:
    for record in read_warc(file.path, limits.max_content_bytes):
        yield _row_of_record(record, file, limits)


def _row_of_record(record: WarcRecord, file: InputFile, limits: Limits) -> RawRow:
    """Return the page in a WARC record, or the reject that says why there is none."""
    origin = (file.origin, record.offset, record.length)
    key = record.record_id or f"{file.name}\n{record.offset}\n{record.fault}"
    about = {"url": record.url, "fetched_at": record.fetched_at}
    if record.fault:
        return RawRow(key, *origin, **about, reject_reason=record.fault, detail=record.detail)
    if record.type == "revisit":
        return RawRow(key, *origin, **about, reject_reason="warc_revisit")
    if record.type in ("resource", "conversion"):
        content_type, content = record.content_type, record.content
    elif record.type == "response":
        response = parse_response(record.content)
        if response is None:
            return RawRow(key, *origin, **about, reject_reason="warc_not_a_page", detail="no HTTP response")
        content_type = response.headers.get("content-type")
        about["content_type"] = content_type
        if response.status != 200:
            detail = f"status {response.status}"
            return RawRow(key, *origin, **about, reject_reason="http_error_status", detail=detail)
        try:
            content = decode_body(response, limits.max_content_bytes, limits.max_expansion)
        except BodyError as error:
            return RawRow(key, *origin, **about, reject_reason=error.reason, detail=error.detail)
    else:
        return RawRow(key, *origin, **about, reject_reason="warc_not_a_page", detail=record.type[:100])
    about["content_type"] = content_type
    if not content.strip():
        return RawRow(key, *origin, **about, reject_reason="empty_content")
    kind = kind_of(content_type, record.url, content)
    if kind is None:
        detail = (content_type or "no content type")[:100]
        return RawRow(key, *origin, **about, reject_reason="unsupported_content_type", detail=detail)
    if not record.record_id:
        key = f"{record.url}\n{record.fetched_at}\n{hash_bytes(content)}"
    return RawRow(key, *origin, **about, kind=kind, content=content)


def _read_whole(file: InputFile, source: SourceFields, limits: Limits) -> Iterator[RawRow]:
    stored, size = open_stored(file.path)
    with stored:
        content = stored.read(limits.max_content_bytes + 1)
    row = RawRow(f"{file.name}\n{hash_bytes(content)}", file.origin, 0, size, WHOLE_FILE_KINDS[source.format])
    yield _checked(row, content, limits)


def _read_jsonl(file: InputFile, source: SourceFields, limits: Limits) -> Iterator[RawRow]:
    """Yield the lines of a JSONL file, which may be compressed; `offset` counts decompressed bytes."""
    stored, _ = open_stored(file.path)
    offset = 0
    with stored:
        for number, line in enumerate(_lines(_unpacked(stored, file.path), 2 * limits.max_content_bytes), 1):
            if line.strip():
                yield _row_of_line(line, number, offset, file, source, limits)
            offset += len(line)


def _unpacked(stored: BinaryIO, path: str) -> BinaryIO:
    codec = _CODECS.get(path.rpartition(".")[2])
    if codec is None:
        return stored
    unpacked: BinaryIO = pa.CompressedInputStream(pa.PythonFile(stored, mode="r"), codec)
    return unpacked


def _lines(stream: BinaryIO, max_line_bytes: int) -> Iterator[bytes]:
    """Yield lines with their ends. A line above the limit is split into pieces, which are not valid JSON."""
    rest = b""
    while block := stream.read(1 << 20):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > max_line_bytes:
            yield rest
            rest = b""
    if rest:
        yield rest


def _row_of_line(
    line: bytes, number: int, offset: int, file: InputFile, source: SourceFields, limits: Limits
) -> RawRow:
    origin = (file.origin, offset, len(line))
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        detail = f"line {number}: {str(error)[:200]}"
        key = f"{file.name}\n{number}\nmalformed"
        return RawRow(key, *origin, content=line[:8000], reject_reason="malformed_line", detail=detail)
    if not isinstance(values, dict):
        values = {}
    return _row_of_values(values, str(number), origin, file, source, limits)


def _read_parquet(file: InputFile, source: SourceFields, limits: Limits) -> Iterator[RawRow]:
    stored, _ = open_stored(file.path)
    wanted = [name for name in (source.text_field, source.id_field, source.url_field) if name is not None]
    number = 0
    with stored:
        parquet = pq.ParquetFile(stored)
        columns = [name for name in wanted if name in parquet.schema_arrow.names]
        for batch in parquet.iter_batches(batch_size=BATCH_ROWS, columns=columns):
            for values in batch.to_pylist():
                yield _row_of_values(values, str(number), (file.origin, number, 1), file, source, limits)
                number += 1


def _row_of_values(
    values: dict[str, object],
    number: str,
    origin: tuple[str, int, int],
    file: InputFile,
    source: SourceFields,
    limits: Limits,
) -> RawRow:
    """Return the row of one JSON object or table row; `number` replaces a missing id."""
    text = values.get(source.text_field)
    native_id = None if source.id_field is None else values.get(source.id_field)
    name = f"{file.name}\n{number if native_id is None else native_id}"
    if not isinstance(text, str):
        detail = f"row {number}: {source.text_field!r} is {type(text).__name__}, not a string"
        return RawRow(f"{name}\nmalformed", *origin, reject_reason="malformed_line", detail=detail)
    content = text.encode("utf-8", "replace")
    url = None if source.url_field is None else values.get(source.url_field)
    # JSON can contain lone surrogates, but tables cannot.
    url = url.encode("utf-8", "replace").decode() if isinstance(url, str) and url else None
    row = RawRow(
        f"{name}\n{hash_bytes(content)}", *origin, "text", url, content_type="text/plain; charset=utf-8"
    )
    return _checked(row, content, limits)


def _checked(row: RawRow, content: bytes, limits: Limits) -> RawRow:
    """Return the row with its content, or the reject of empty or too large content."""
    about = vars(row) | {"content": content}
    if len(content) > limits.max_content_bytes:
        detail = f"{max(len(content), row.length)} bytes"
        return RawRow(**about | {"content": None, "reject_reason": "too_large", "detail": detail})
    if not content.strip():
        return RawRow(**about | {"reject_reason": "empty_content"})
    return RawRow(**about)
