"""Bodies are decoded within their caps, and taken as they are where the header lies."""

import gzip
import random
import zlib

import brotli
import pyarrow as pa
import pytest

from pipeline.reading.http_body import BodyError, Response, decode_body, parse_response

PAGE = b"<p>hello</p>"
HTML = {"content-type": "text/html"}
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
    ("content", "expected"),
    [
        (b"HTTP/1.1 200 OK\nContent-Type: text/html\n\n<p>\r\n\r\n", Response(200, HTML, b"<p>\r\n\r\n")),
        (b"HTTP/1.0 200\r\ncontent-type:text/html\r\n\r\n", Response(200, HTML, b"")),
        (b"HTTP/2 404\r\n\r\nx", Response(404, {}, b"x")),
        (b"ICY 200 OK\r\n\r\nx", Response(200, {}, b"x")),
        (b"\r\nhttp/1.1  200 OK\r\n\r\nx", Response(200, {}, b"x")),
        (b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n<p>", Response(200, HTML, b"<p>")),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n  c\r\n\r\nx", Response(200, {"a": "b  c"}, b"x")),
        (b"HTTP/1.1 200 OK\r\nA: \x85b\r\n\r\nx", Response(200, {"a": "b"}, b"x")),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nx", Response(200, {}, b"x")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\nHTTP/1.1 200 is",
            Response(200, HTML, b"HTTP/1.1 200 is"),
        ),
        (b"\n<!DOCTYPE html><p>", Response(200, {}, b"\n<!DOCTYPE html><p>")),
    ],
)
def test_headers_of_odd_servers(content: bytes, expected: Response) -> None:
    assert parse_response(content) == expected


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
    assert body(chunked.replace(b"\r", b""), transfer_encoding="chunked") == PAGE
    assert body(PAGE, transfer_encoding="chunked") == PAGE
    unended = b"3\r\n<p>, 9\r\nhello</p>\r\n0\r\n\r\n"  # no line break after the first chunk
    assert body(unended, transfer_encoding="chunked") == unended
    longer = b"3\r\n<p>..0\r\n\r\n"
    assert body(longer, transfer_encoding="chunked") == longer


@pytest.mark.parametrize("num_bytes", range(8, 32))
def test_of_chunks_that_are_cut_all_content_is_returned(num_bytes: int) -> None:
    chunked = b"3;x=1\r\n<p>\r\n9\r\nhello</p>\r\n0\r\n\r\n"
    num_content = min(max(num_bytes - 7, 0), 3) + min(max(num_bytes - 15, 0), 9)
    assert body(chunked[:num_bytes], transfer_encoding="chunked") == PAGE[:num_content]


@pytest.mark.parametrize("text", [b"2024\r\na year", b"ace\r\n\r\nof hearts", b"3\nabc\nxyz\n", b"", b"12"])
def test_a_text_that_begins_with_a_number_is_no_chunk(text: bytes) -> None:
    assert body(text, transfer_encoding="chunked") == text


TEXTS = (
    PAGE,
    "<p>数学</p>".encode(),
    "这是一个没有标记的文本。".encode(),
    "<p>Füße und Öl</p>".encode("latin-1"),
    "<p>日本</p>".encode("iso2022-jp"),
    "<p>x</p>".encode("utf-16"),
    b"%PDF-1.4\n\x00\x01\x02",
    b'{"a": 1}',
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "encoding",
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "none", "UTF-8", "identity", "br, gzip"],
)
def test_a_decoded_body_whose_header_was_kept_stays(text: bytes, encoding: str) -> None:
    assert body(text, content_encoding=encoding) == text


@pytest.mark.parametrize("quality", [1, 5, 11])
def test_brotli_of_any_length_comes_out_whole(quality: int) -> None:
    rng = random.Random(quality)
    for num_bytes in (1, 5_000, 16_384, 32_768, 40_000, 65_536, 200_000):
        data = rng.randbytes(num_bytes).hex().encode()
        assert body(brotli.compress(data, quality=quality), content_encoding="br") == data
    assert body(brotli.compress(b""), content_encoding="br") == b""


def test_zstd() -> None:
    assert body(pa.compress(PAGE, "zstd", asbytes=True), content_encoding="zstd") == PAGE
    large = random.Random(1).randbytes(400_000).hex().encode()
    cut = body(pa.compress(large, "zstd", asbytes=True)[:-9_000], content_encoding="zstd")
    assert len(cut) > 1_000
    assert large.startswith(cut)


@pytest.mark.parametrize("content_type", ["text/html", "application/json; charset=utf-8", ""])
def test_undeclared_compression_is_seen(content_type: str) -> None:
    assert body(gzip.compress(PAGE), content_type=content_type) == PAGE
    assert (
        body(gzip.compress(gzip.compress(PAGE)), content_encoding="gzip", content_type=content_type) == PAGE
    )
    assert body(gzip.compress(PAGE), content_encoding="br", content_type=content_type) == PAGE
    assert body(pa.compress(PAGE, "zstd", asbytes=True), content_type=content_type) == PAGE


def test_a_file_that_is_compressed_is_no_page() -> None:
    archive = gzip.compress(PAGE)
    assert body(archive, content_type="application/gzip") == archive
    assert body(archive, content_encoding="gzip", content_type="application/x-tar") == PAGE


def test_gzip_members_trailers_and_what_follows() -> None:
    members = gzip.compress(PAGE) + gzip.compress(b"<p>more</p>")
    assert body(members, content_encoding="gzip") == PAGE + b"<p>more</p>"
    assert body(members[:-8], content_encoding="gzip") == PAGE + b"<p>more</p>"
    assert body(gzip.compress(PAGE)[:-8], content_encoding="gzip") == PAGE
    assert body(gzip.compress(PAGE) + b"\r\n\x00", content_encoding="gzip") == PAGE


@pytest.mark.parametrize(
    ("compress", "encoding"),
    [
        (gzip.compress, "gzip"),
        (zlib.compress, "deflate"),
        (lambda data: zlib.compress(data)[2:-4], "deflate"),
        (brotli.compress, "br"),
    ],
)
def test_of_compressed_bodies_that_are_cut_the_beginning_is_returned(compress, encoding: str) -> None:
    large = random.Random(1).randbytes(100_000).hex().encode()
    cut = body(compress(large)[:60_000], content_encoding=encoding)
    assert len(cut) > 50_000
    assert large.startswith(cut)


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (gzip.compress(PAGE)[:-4] + b"wxyz", "gzip", "undecodable_content_encoding"),
        (gzip.compress(PAGE) + gzip.compress(PAGE)[:12] + bytes(99), "gzip", "undecodable_content_encoding"),
        (gzip.compress(PAGE)[:6], "gzip", "undecodable_content_encoding"),
        (b"\xff\xff\xff", "br", "undecodable_content_encoding"),
        (brotli.compress(PAGE * 99)[:4] + bytes(60), "br", "undecodable_content_encoding"),
        (b"\x28\xb5\x2f\xfd" + b"\xff" * 60, "zstd", "undecodable_content_encoding"),
        (b"\x1f\x9d\x90\x00\x01", "compress", "undecodable_content_encoding"),
        (gzip.compress(bytes(9_000_000)), "gzip", "too_large"),  # 1000:1, below MAX_BYTES
        (gzip.compress(bytes(700_000)) * 9, "gzip", "too_large"),
        (brotli.compress(bytes(9_000_000)), "br", "too_large"),
        (pa.compress(bytes(9_000_000), "zstd", asbytes=True), "zstd", "too_large"),
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
