"""Read the page inside an HTTP response as crawlers store it: status, headers, and the decoded body.

Crawlers store bodies decoded and keep the header, cut them at a limit, and copy what servers get wrong. So
the bytes decide, and the header decides only between forms that bytes do not show (deflate, brotli). Of a
body that was cut, what can be decoded is returned. The decoded size is limited during decoding, so that a
decompression bomb costs no more than the limit.
"""

import codecs
import re
import zlib
from dataclasses import dataclass

import brotli
import pyarrow as pa

# Our choice: a page may have this size at any compression ratio, because small repetitive pages exceed 200:1.
_ALWAYS_ALLOWED_BYTES = 1 << 20
_BROTLI_STEP_BYTES = 1 << 16
_GZIP_STEP_BYTES = 1 << 13
_ZSTD_STEP_BYTES = (
    1 << 12
)  # Our choice: of a body that was cut, pyarrow loses the step that it cannot finish.
_SAMPLE_BYTES = 1 << 10

_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"
_STATUS_LINE = re.compile(rb"\A[\r\n]{0,8}(?:HTTP(?:/[\d.]{1,5})?|ICY)[ \t]{1,8}(\d{3})(?!\d)", re.IGNORECASE)
# A blank line ends the header; where it is missing, markup does.
_HEADER_END = re.compile(rb"\r?\n(?:\r?\n|(?=<))")
_FOLDED = re.compile(r"\r?\n[ \t]")
_BARE_PAGE = re.compile(rb"\A\s{0,99}<(?:!doctype html|html)\b", re.IGNORECASE)
_CHUNK_SIZE = re.compile(rb"[ \t]{0,8}([0-9A-Fa-f]{1,8})[ \t]{0,8}(?:;[^\r\n]{0,200})?\r?\n")
_CUT_CHUNK_SIZE = re.compile(rb"[ \t]{0,8}[0-9A-Fa-f]{0,8}\r?\Z")
_BODY_STARTS = (b"<", b"{", _GZIP, _ZSTD, codecs.BOM_UTF8)
# Control characters that no text has; ISO-2022 has escapes.
_CONTROLS = bytes((*range(9), *range(14, 27), *range(28, 32)))
_ASCII = bytes(range(128))
_PLAIN_STARTS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, b"%PDF-")
_NO_ENCODING = frozenset(("", "identity", "none", "binary", "8bit", "7bit"))
# What is compressed although no header says so is a page if the type is not that of a compressed file.
_FILE_TYPES = ("gzip", "zstd", "tar", "octet-stream", "compress")


class BodyError(Exception):
    """A body that cannot be decoded; `reason` is one of the reject reasons of `raw`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Response:
    """Status, header fields by lower-cased name (the last field of each name), and the body as stored."""

    status: int
    headers: dict[str, str]
    body: bytes


def parse_response(content: bytes) -> Response | None:
    """Parse a WARC record's content; return None if it starts neither with a status line nor as a page.

    Interim responses (`100 Continue`, a proxy's `200 Connection established`) are skipped. A page without any
    header is HTTP/0.9.
    """
    status_line = _STATUS_LINE.match(content)
    if not status_line:
        return Response(200, {}, content) if _BARE_PAGE.match(content) else None
    end = _HEADER_END.search(content, status_line.end())
    head = content[status_line.end() : end.start() if end else len(content)].decode("latin-1")
    _, *lines = _FOLDED.sub(" ", head).split("\n")
    fields = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in fields}
    body = content[end.end() :] if end else b""
    if "content-type" not in headers and _STATUS_LINE.match(body):
        return parse_response(body)
    return Response(int(status_line[1]), headers, body)


def decode_body(response: Response, max_bytes: int, max_expansion: int) -> bytes:
    """Return the body without chunking and compression.

    A body that does not have the form that its header states is taken unchanged if it is text or a PDF.
    Raises BodyError if the body exceeds `max_bytes`, if it exceeds both `max_expansion` times the stored size
    and 1 MiB, and if the compressed data is damaged or nothing of it can be decoded.
    """
    body, headers = response.body, response.headers
    if "chunked" in headers.get("transfer-encoding", "").lower():
        body = _dechunk(body)
    limit = min(max_bytes, max(max_expansion * len(body), _ALWAYS_ALLOWED_BYTES))
    encodings = [name.strip().lower() for name in headers.get("content-encoding", "").split(",")]
    for encoding in reversed(encodings):
        if encoding not in _NO_ENCODING:
            body = _decode(body, encoding, limit)
    content_type = headers.get("content-type", "").lower()
    if body.startswith((_GZIP, _ZSTD)) and not any(name in content_type for name in _FILE_TYPES):
        body = _decode(body, "", limit)
    if len(body) > max_bytes:
        raise BodyError("too_large", f"{len(body)} bytes")
    return body


def _dechunk(body: bytes) -> bytes:
    """Join the chunks, also where the last one is cut or missing; return `body` itself if it has none."""
    pieces: list[bytes] = []
    position = 0
    while position < len(body):
        size_line = _CHUNK_SIZE.match(body, position)
        if not size_line:
            is_cut = pieces and _CUT_CHUNK_SIZE.match(body, position)
            return b"".join(pieces) if is_cut else body
        start = size_line.end()
        end = start + int(size_line[1], 16)
        if end == start:
            return b"".join(pieces)
        pieces.append(body[start:end])
        position = end + 2
        if (after := body[end:position]) == b"\r\n":
            continue
        if after.startswith(b"\n"):
            position = end + 1
        elif after not in (b"", b"\r"):
            return body
        elif len(pieces) == 1 and not body.startswith(_BODY_STARTS, start):
            return body  # a number at the start of a text, rather than the size of a chunk that was cut
    return b"".join(pieces)


def _decode(body: bytes, encoding: str, limit: int) -> bytes:
    """Undo one encoding. What the first bytes show is believed more than the name."""
    try:
        if body.startswith(_GZIP):
            decoded, is_whole = _gunzip(body, limit)
        elif body.startswith(_ZSTD):
            decoded, is_whole = _unzstd(body, limit)
        elif encoding in ("deflate", "gzip", "x-gzip"):
            decoded, is_whole = _undeflate(body, limit)
        elif encoding == "br":
            decoded, is_whole = _unbrotli(body, limit)
        else:
            raise ValueError(f"content-encoding {encoding[:40]!r}")
    except (zlib.error, brotli.error, OSError, ValueError) as error:
        decoded, is_whole, fault = b"", False, str(error)
    else:
        fault = "the compressed body ends early"
    if len(decoded) > limit:
        raise BodyError("too_large", f"{len(body)} bytes inflate to more than {limit}")
    if is_whole or (decoded and not _is_plain(body)):
        return decoded
    if _is_plain(body):
        return body
    raise BodyError("undecodable_content_encoding", fault)


def _is_plain(body: bytes) -> bool:
    """Whether the body is text, or a PDF: compressed data has control characters and is no UTF-8."""
    if body.startswith(_PLAIN_STARTS):
        return True
    sample = body[:_SAMPLE_BYTES]
    if len(sample.translate(None, _CONTROLS)) < len(sample):
        return False
    if 3 * len(sample.translate(None, _ASCII)) <= 2 * len(sample):
        return True  # markup or spaces in any charset
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def _gunzip(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Return the content of all gzip members, and whether the last one is whole; ignore what follows."""
    pieces: list[bytes] = []
    position = num_bytes = 0
    is_whole = False
    while data.startswith(_GZIP, position) and num_bytes <= limit:
        decompress = zlib.decompressobj(31)
        while position < len(data) and not decompress.eof and num_bytes <= limit:
            # All at once, because there is hardly ever a second member. Then in steps, because each of
            # thousands of members would copy what follows it.
            step = data[position : position + _GZIP_STEP_BYTES] if position else data
            pieces.append(decompress.decompress(step, limit + 1 - num_bytes))
            num_bytes += len(pieces[-1])
            position += len(step) - len(decompress.unused_data)
        is_whole = decompress.eof
    return b"".join(pieces), is_whole


def _undeflate(data: bytes, limit: int) -> tuple[bytes, bool]:
    """Decode `deflate`: zlib's format, which many servers send without zlib's header."""
    is_zlib = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    decompress = zlib.decompressobj(15 if is_zlib else -15)
    inflated = decompress.decompress(data, limit + 1)
    # Some texts happen to begin with a short deflate stream.
    return inflated, decompress.eof and (is_zlib or not decompress.unused_data.strip())


def _unbrotli(data: bytes, limit: int) -> tuple[bytes, bool]:
    decompress = brotli.Decompressor()
    inflated = bytearray()
    step = decompress.process(data, output_buffer_limit=_BROTLI_STEP_BYTES)
    # Output can be left although the decompressor says that it can take more input.
    while step and len(inflated) <= limit:
        inflated += step
        step = (
            b""
            if decompress.is_finished()
            else decompress.process(b"", output_buffer_limit=_BROTLI_STEP_BYTES)
        )
    return bytes(inflated), decompress.is_finished()


def _unzstd(data: bytes, limit: int) -> tuple[bytes, bool]:
    inflated = bytearray()
    with pa.CompressedInputStream(pa.BufferReader(data), "zstd") as stream:
        try:
            while len(inflated) <= limit and (step := stream.read(_ZSTD_STEP_BYTES)):
                inflated += step
        except OSError as error:
            if "runcated" not in str(error):
                raise
            return bytes(inflated), False
    return bytes(inflated), True
