"""Read the page inside an HTTP response as crawlers store it: status, headers, and the decoded body.

The decoded size is limited during decoding, so that a decompression bomb costs no more than the limit.
"""

import zlib
from dataclasses import dataclass

import brotli

# Our choice: a page may have this size at any compression ratio, because small repetitive pages exceed 200:1.
_ALWAYS_ALLOWED_BYTES = 1 << 20
_BROTLI_STEP_BYTES = 1 << 16


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
    """Parse a WARC record's content; return None if it does not start with an HTTP status line."""
    head, _, body = content.partition(b"\r\n\r\n")
    status_line, *lines = head.decode("latin-1").splitlines() or [""]
    protocol, _, rest = status_line.partition(" ")
    status = rest.split(" ", 1)[0]
    if not protocol.startswith("HTTP/") or not (status.isascii() and status.isdigit()):
        return None
    fields = (line.partition(":") for line in lines)
    return Response(int(status), {name.strip().lower(): value.strip() for name, _, value in fields}, body)


def decode_body(response: Response, max_bytes: int, max_expansion: int) -> bytes:
    """Return the body without chunking and compression.

    Crawlers often store the decoded body but keep the header. A body that does not have the form that its
    header states is taken unchanged. Raises BodyError if the body exceeds `max_bytes`, if it exceeds both
    `max_expansion` times the stored size and 1 MiB, and if the compressed data is damaged.
    """
    body = response.body
    if "chunked" in response.headers.get("transfer-encoding", "").lower():
        body = _dechunk(body)
    limit = min(max_bytes, max(max_expansion * len(body), _ALWAYS_ALLOWED_BYTES))
    encodings = [name.strip().lower() for name in response.headers.get("content-encoding", "").split(",")]
    for encoding in reversed(encodings):
        if encoding in ("gzip", "x-gzip"):
            body = _inflate(body, 31, limit) if body.startswith(b"\x1f\x8b") else body
        elif encoding == "deflate":
            body = _undeflate(body, limit)
        elif encoding == "br":
            body = _unbrotli(body, limit)
        elif encoding not in ("", "identity"):
            raise BodyError("undecodable_content_encoding", f"content-encoding {encoding[:40]!r}")
    if len(body) > max_bytes:
        raise BodyError("too_large", f"{len(body)} bytes")
    return body


def _dechunk(body: bytes) -> bytes:
    """Join the chunks; return `body` itself if it is not chunked from start to end."""
    pieces = []
    position = 0
    while True:
        line_end = body.find(b"\r\n", position, position + 200)
        size_text = body[position:line_end].split(b";")[0].strip()
        if line_end < 0 or not size_text or size_text.strip(b"0123456789abcdefABCDEF"):
            return body
        size = int(size_text, 16)
        if size == 0:
            return b"".join(pieces)
        start = line_end + 2
        if body[start + size : start + size + 2] != b"\r\n":
            return body
        pieces.append(body[start : start + size])
        position = start + size + 2


def _inflate(data: bytes, window_bits: int, limit: int) -> bytes:
    decompress = zlib.decompressobj(window_bits)
    try:
        inflated = decompress.decompress(data, limit + 1)
    except zlib.error as error:
        raise BodyError("undecodable_content_encoding", str(error)) from None
    if len(inflated) > limit:
        raise BodyError("too_large", f"{len(data)} bytes inflate to more than {limit}")
    if not decompress.eof:
        raise BodyError("undecodable_content_encoding", "the compressed body ends early")
    return inflated


def _undeflate(data: bytes, limit: int) -> bytes:
    """Decode `deflate`: zlib's format, which many servers send without zlib's header."""
    is_zlib = len(data) > 1 and data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
    return _inflate(data, 15 if is_zlib else -15, limit)


def _unbrotli(data: bytes, limit: int) -> bytes:
    decompress = brotli.Decompressor()
    inflated = bytearray()
    try:
        inflated += decompress.process(data, output_buffer_limit=_BROTLI_STEP_BYTES)
        while not decompress.is_finished() and not decompress.can_accept_more_data():
            inflated += decompress.process(b"", output_buffer_limit=_BROTLI_STEP_BYTES)
            if len(inflated) > limit:
                break
    except brotli.error as error:
        raise BodyError("undecodable_content_encoding", f"brotli: {error}") from None
    if len(inflated) > limit:
        raise BodyError("too_large", f"{len(data)} bytes inflate to more than {limit}")
    if not decompress.is_finished():
        raise BodyError("undecodable_content_encoding", "the compressed body ends early")
    return bytes(inflated)
