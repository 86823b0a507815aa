"""Bodies are decoded within their caps, and taken as they are where the header lies."""

import gzip
import zlib

import brotli
import pytest

from pipeline.reading.http_body import BodyError, Response, decode_body, parse_response

PAGE = b"<p>hello</p>"
MAX_BYTES = 10_000_000


def body(data: bytes, **headers: str) -> bytes:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return decode_body(Response(200, fields, data), MAX_BYTES, 200)


def test_parse_response() -> None:
    response = parse_response(
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nX: a\r\nx: b\r\n\r\nbody\r\n\r\n."
    )
    assert response == Response(404, {"content-type": "text/html", "x": "b"}, b"body\r\n\r\n.")


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"HTTP/1.1 abc\r\n\r\nx", b"\r\n\r\n", "HTTP/1.1 ².\r\n".encode()]
)
def test_what_is_no_response(content: bytes) -> None:
    assert parse_response(content) is None


def test_encodings() -> None:
    assert body(gzip.compress(PAGE), content_encoding="gzip") == PAGE
    assert body(zlib.compress(PAGE), content_encoding="deflate") == PAGE
    assert body(zlib.compress(PAGE)[2:-4], content_encoding="deflate") == PAGE
    assert body(brotli.compress(PAGE), content_encoding="br") == PAGE
    assert body(gzip.compress(brotli.compress(PAGE)), content_encoding="br, gzip") == PAGE


def test_chunks() -> None:
    chunked = b"3;x=1\r\n<p>\r\n9\r\nhello</p>\r\n0\r\n\r\n"
    assert body(chunked, transfer_encoding="chunked") == PAGE
    assert body(PAGE, transfer_encoding="chunked") == PAGE
    cut = chunked[:8]
    assert body(cut, transfer_encoding="chunked") == cut
    unended = b"3\r\n<p>, 9\r\nhello</p>\r\n0\r\n\r\n"  # no line break after the first chunk
    assert body(unended, transfer_encoding="chunked") == unended
    longer = b"3\r\n<p>..0\r\n\r\n"
    assert body(longer, transfer_encoding="chunked") == longer


def test_headers_that_lie_are_not_believed() -> None:
    assert body(PAGE, content_encoding="gzip") == PAGE


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (gzip.compress(PAGE)[:-10], "gzip", "undecodable_content_encoding"),
        (b"\xff\xff\xff", "br", "undecodable_content_encoding"),
        (brotli.compress(PAGE * 99)[:-4], "br", "undecodable_content_encoding"),
        (PAGE, "zstd", "undecodable_content_encoding"),
        (gzip.compress(bytes(9_000_000)), "gzip", "too_large"),  # 1000:1, below MAX_BYTES
        (brotli.compress(bytes(9_000_000)), "br", "too_large"),
        (bytes(MAX_BYTES + 1), "identity", "too_large"),
    ],
)
def test_faults_have_their_reason(data: bytes, encoding: str, reason: str) -> None:
    with pytest.raises(BodyError) as error:
        body(data, content_encoding=encoding)
    assert error.value.reason == reason


def test_a_bomb_costs_its_cap_not_its_size() -> None:
    import tracemalloc

    bomb = gzip.compress(bytes(200_000_000), 9)
    tracemalloc.start()
    with pytest.raises(BodyError):
        decode_body(Response(200, {"content-encoding": "gzip"}, bomb), 1_000_000, 200)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()
