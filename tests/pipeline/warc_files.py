"""WARC files made byte by byte, as tests need them: whole, compressed, cut and damaged."""

import gzip


def response(
    name: str,
    body: bytes = b"<html><p>hello</p></html>",
    *,
    status: str = "200 OK",
    content_type: str = "text/html; charset=utf-8",
    headers: str = "",
    content_length: int | str | None = None,
    record_type: str = "response",
) -> bytes:
    """One uncompressed record with the id `<urn:uuid:name>` and the URL `https://site.example/name`."""
    http = f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n{headers}\r\n".encode() + body
    return record(name, http, record_type=record_type, content_length=content_length)


def record(
    name: str, content: bytes, *, record_type: str = "response", content_length: int | str | None = None
) -> bytes:
    """One uncompressed record around any content."""
    length = len(content) if content_length is None else content_length
    head = (
        f"WARC/1.0\r\nWARC-Type: {record_type}\r\nWARC-Record-ID: <urn:uuid:{name}>\r\n"
        f"WARC-Date: 2026-01-02T03:04:05Z\r\nWARC-Target-URI: https://site.example/{name}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {length}\r\n\r\n"
    )
    return head.encode() + content + b"\r\n\r\n"


def bare(one: bytes) -> bytes:
    """The record with line feeds alone in its header, as old tools write it."""
    head, _, content = one.partition(b"\r\n\r\n")
    return head.replace(b"\r\n", b"\n") + b"\n\n" + content


def compressed(*records: bytes) -> bytes:
    """One gzip member per record, as crawlers write them."""
    return b"".join(gzip.compress(one, mtime=0) for one in records)
