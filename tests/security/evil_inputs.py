"""Crawl files and archives that are bombs, cut, or make no sense, as ingest and extraction read them."""

import gzip
import io
import os
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import brotli
import pyarrow as pa

from pipeline.extraction.guard import Failure, Guard
from pipeline.reading.files import read_file
from pipeline.reading.list_inputs import InputFile
from pipeline.reading.raw_row import BATCH

Case = tuple[str, Callable[[Path], str | None]]
"""A name, and what to try in an empty folder: it says what went wrong."""

LIMITS = SimpleNamespace(max_content_bytes=4 << 20, max_expansion=200)
SOURCE = SimpleNamespace(text_field="text", id_field="id", url_field="url")
BOMB_BYTES = 1 << 30


def crawl_files() -> Iterator[Case]:
    """JSONL, Parquet and WARC as ingest reads them; each gives rows that the table takes, or rejects."""
    lines = {
        "deep": b"[" * 3_000_000,
        "surrogates": rb'{"text": "\ud800", "id": "\ud800", "url": "http://a/\ud800"}',
        "long number": b'{"text": "a", "id": ' + b"9" * 100_000 + b"}",
        "no end": b'{"text": "' + b"a" * 40_000_000,
        "NaN": b'{"text": NaN, "id": Infinity}',
        "no UTF-8": b'{"text": "\xff"}',
        "zero": b"\0" * 9,
        "shapes": b'[]\n1\nnull\n{"text": []}\n{"text": {"a": 1}}\n{"text": "a", "url": {}, "id": []}',
        "many lists": b'{"a": [' + b"[]," * 1_000_000 + b"[]]}",
    }
    for name, data in lines.items():
        yield f"JSONL: {name}", lambda f, d=data: _ingested(f / "a.jsonl", d)
    yield "JSONL: gzip bomb", lambda f: _ingested(f / "a.jsonl.gz", _gzip_bomb())
    yield "JSONL: cut gzip", lambda f: _ingested(f / "a.jsonl.gz", gzip.compress(os.urandom(9_999))[:999])
    for name, data in {"none": b"PAR1PAR1", "empty": b"", "noise": b"PAR1" + b"\xff" * 999 + b"PAR1"}.items():
        yield f"Parquet: {name}", lambda f, d=data: _ingested(f / "a.parquet", d)
    yield "WARC: gzip bomb as a member", lambda f: _ingested(f / "a.warc.gz", _gzip_bomb())
    bodies = {
        "gzip": _gzip_bomb(),
        "br": brotli.compress(bytes(256 << 20), quality=1),
        "gzip, gzip": gzip.compress(_gzip_bomb()),
        "x" * 9_999: b"a",
        "deflate": b"\x78\x9c" + b"\xff" * 99,
    }
    for encoding, body in bodies.items():
        record = _record(encoding, body)
        yield f"WARC: body in {encoding[:12]}", lambda f, r=record: _ingested(f / "a.warc", r)
    yield "WARC: length of 2^60", lambda f: _ingested(f / "a.warc", _record("", b"a", length=1 << 60))


def _record(encoding: str, body: bytes, length: int | None = None) -> bytes:
    page = (
        f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Encoding: {encoding}\r\n\r\n".encode() + body
    )
    size = len(page) if length is None else length
    head = f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: http://a/\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + page + b"\r\n\r\n"


def _gzip_bomb() -> bytes:
    """1 GiB of one letter in 5 MB, made in pieces."""
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        for _ in range(BOMB_BYTES >> 24):
            file.write(b"a" * (1 << 24))
    return packed.getvalue()


def _ingested(path: Path, data: bytes) -> str | None:
    path.write_bytes(data)
    source = SimpleNamespace(**vars(SOURCE), format=path.name.split(".")[1])
    for row in read_file(InputFile(str(path), path.name, path.name), source, LIMITS):
        pa.Table.from_pylist([row.values("s")], schema=BATCH)
    return None


def archives(canary: Path) -> Iterator[Case]:
    """Repositories as the guarded extractor reads them."""

    def zipped(name: str, data: bytes) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, data)
        return packed.getvalue()

    def tarred(name: str, link: str = "", size: int = 1, mode: str = "w:gz") -> bytes:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode=mode) as archive:
            member = tarfile.TarInfo(name)
            member.size, member.linkname = (0, link) if link else (size, "")
            member.type = tarfile.SYMTYPE if link else tarfile.REGTYPE
            archive.addfile(member, None if link else io.BytesIO(b"a" * size))
        return packed.getvalue()

    size = 64 << 20
    bomb = zipped("a.py", b"a" * size)
    files = {
        "zip: bomb": bomb,
        "zip: a bomb that lies about its size": bomb.replace(size.to_bytes(4, "little"), b"\1\0\0\0"),
        "zip: bomb in a bomb": zipped("a.zip", bomb),
        "zip: climbs out": zipped(f"../../../../..{canary}", b"x"),
        "zip: absolute": zipped(str(canary), b"x"),
        "zip: cut": bomb[:-30],
        "zip: 100,000 files": _many_files(),
        "tar: climbs out": tarred(f"../../../../..{canary}"),
        "tar: link": tarred("a.py", "/etc/passwd"),
        "tar: bomb": tarred("a.py", size=64 << 20),
        "tar: xz bomb": tarred("a.py", size=64 << 20, mode="w:xz"),
        "gzip: bomb": _gzip_bomb(),
        "JSON: deep": b'{"files": ' + b"[" * 1_000_000,
        "JSON: shapes": b'{"files": [1, null, {"path": []}]}',
    }
    with Guard(5.0, 2_000_000_000) as guard:
        for name, data in files.items():
            yield name, lambda f, d=data: _extracted(guard, d)


def _many_files() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"{number}.py", b"")
    return packed.getvalue()


def _extracted(guard: Guard, data: bytes) -> str | None:
    found = guard.extract("repository", data)
    if isinstance(found, Failure) or len(found.text) < 50_000_000:
        return None
    return f"gave {len(found.text)} characters"
