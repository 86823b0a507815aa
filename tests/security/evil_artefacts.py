"""Files that run code, lie about their size or make no sense, through the readers that would meet them.

Pickles of checkpoints, safetensors, indexes, tokenizers, presets, crawl files and archives. Nothing may be
executed (the canary stays absent); a file is read, rejected or refused in one line, in bounded time and memory.
"""

import builtins
import gzip
import importlib
import io
import json
import os
import pickle
import subprocess
import tarfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import brotli
import pyarrow as pa
import torch

from configs.contract import ContractError
from configs.loader import Config, ConfigError, load
from pipeline.extraction.guard import Failure, Guard
from pipeline.list_inputs import InputFile
from pipeline.raw_rows import BATCH
from pipeline.read_files import read_file
from pipeline.train_tokenizer import Job, TokenizerConfig, _facts
from pretrain import safe_pickle
from pretrain.import_hf import read_folder
from tests.security.attempts import Attempt, Setup, peak_memory_bytes, reset_peak_memory

MAX_WALL_S = 15.0
MAX_GROWTH_BYTES = 512 << 20
LIMITS = SimpleNamespace(max_content_bytes=4 << 20, max_expansion=200)
SOURCE = SimpleNamespace(text_field="text", id_field="id", url_field="url")
BOMB_BYTES = 1 << 30


class Evil:
    """Calls `function(*arguments)` when it is loaded."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return self.call


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Every artefact, `count` times. Broken: pickles are loaded without reading what they name."""
    with ExitStack() as stack:
        yield from _attempts(setup, stack)


def _attempts(setup: Setup, stack: ExitStack) -> Iterator[Attempt]:
    canary = setup.folder / "canary"
    if setup.is_broken:
        stack.enter_context(mock.patch.object(safe_pickle, "_globals", lambda pickled: set()))
    for round_number in range(setup.count):
        for group in (_pickles, _model_folders, _presets, _tokenizers, _crawl_files, _archives):
            for number, (name, try_it) in enumerate(group(setup, canary)):
                folder = setup.folder / f"{group.__name__}-{round_number}-{number}"
                folder.mkdir()
                yield Attempt(name, lambda t=try_it, f=folder: _bounded(t, f, canary))


def _bounded(try_it: Callable[[Path], str | None], folder: Path, canary: Path) -> str | None:
    started, memory = time.monotonic(), reset_peak_memory()
    try:
        fault = try_it(folder)
    except (ConfigError, ContractError):
        fault = None
    if canary.exists():
        canary.unlink()
        return "was executed"
    if time.monotonic() - started > MAX_WALL_S:
        return f"took {time.monotonic() - started:.1f} s"
    grown = peak_memory_bytes() - memory
    return f"cost {grown >> 20} MiB" if grown > MAX_GROWTH_BYTES else fault


Case = tuple[str, Callable[[Path], str | None]]


def _pickles(setup: Setup, canary: Path) -> Iterator[Case]:
    """`.metadata` and common.pt of a checkpoint that call something when they are loaded."""
    write = f"open({str(canary)!r}, 'w').close()"
    payloads = {
        "os.system": Evil(os.system, f"touch {canary}"),
        "eval": Evil(eval, write),
        "exec": Evil(exec, write),
        "open": Evil(open, str(canary), "w"),
        "subprocess": Evil(subprocess.run, ["touch", str(canary)]),
        "getattr": Evil(Evil(getattr, os, "system").call[0], Evil(importlib.import_module, "os"), "system"),
        "nested": [{"a": (Evil(os.system, f"touch {canary}"), {1})}],
        "as a key": {"a": {Evil(os.system, f"touch {canary}"): torch.Size([1])}},
        "torch.load": Evil(torch.load, str(canary)),
        "compile": Evil(exec, Evil(compile, write, "x", "exec")),
        "map": Evil(list, Evil(map, builtins.eval, [write])),
        "pathlib": Evil(Path.touch, Path(canary)),
    }
    for name, payload in payloads.items():
        protocol = setup.rng(name).randint(0, 5)
        yield f".metadata: {name}, protocol {protocol}", lambda f, p=payload, n=protocol: _checkpoint(f, p, n)
        yield f"common.pt: {name}", lambda f, p=payload: _checkpoint(f, {}, 2, common=p)
    yield "common.pt: a pickle before the archive", lambda f: _checkpoint(f, {}, 2, before=payloads["exec"])


def _checkpoint(
    folder: Path, metadata: object, protocol: int, common: object = (), before: object = None
) -> str | None:
    """Load a checkpoint's pickles as Megatron does, if the check lets us."""
    (folder / safe_pickle.METADATA).write_bytes(pickle.dumps(metadata, protocol))
    torch.save(common, folder / safe_pickle.COMMON)
    if before is not None:
        packed = (folder / safe_pickle.COMMON).read_bytes()
        (folder / safe_pickle.COMMON).write_bytes(pickle.dumps(before) + packed)
    if safe_pickle.forbidden_globals(folder):
        return None
    with (folder / safe_pickle.METADATA).open("rb") as file:
        pickle.load(file)
    torch.load(folder / safe_pickle.COMMON, weights_only=False)
    return "was let through"


def _model_folders(setup: Setup, canary: Path) -> Iterator[Case]:
    """safetensors whose header lies, and indexes that point elsewhere."""

    def header(content: bytes, size: int | None = None, data: bytes = b"") -> bytes:
        return (len(content) if size is None else size).to_bytes(8, "little") + content + data

    tensor = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    files = {
        "empty": b"",
        "a header of 2^63 bytes": header(b"{}", 1 << 63),
        "a header longer than the file": header(b"{}", 1 << 20),
        "a header that is no JSON": header(b"{"),
        "a deep header": header(b'{"a":' * 20_000),
        "a tensor past the end": header(json.dumps({"a": tensor | {"data_offsets": [0, 1 << 40]}}).encode()),
        "a shape that overflows": header(
            json.dumps({"a": tensor | {"shape": [1 << 40, 1 << 40]}}).encode(), None, bytes(4)
        ),
        "negative offsets": header(json.dumps({"a": tensor | {"data_offsets": [-4, 0]}}).encode()),
        "overlapping tensors": header(json.dumps({"a": tensor, "b": tensor}).encode(), None, bytes(4)),
        "an unknown type": header(json.dumps({"a": tensor | {"dtype": "PY"}}).encode(), None, bytes(4)),
        "a pickle": pickle.dumps(Evil(os.system, f"touch {canary}")),
    }
    for name, data in files.items():
        yield f"safetensors: {name}", lambda f, d=data: _folder(f, {"model.safetensors": d})
    for name, text in {"elsewhere": '{"weight_map": {"a": "../../a"}}', "absolute": '{"weight_map": {"a": "/etc/passwd"}}',
                       "a list": "[]", "no JSON": "{", "deep": "[" * 100_000, "numbers": '{"weight_map": {"a": 1}}'}.items():  # fmt: skip
        yield f"index: {name}", lambda f, t=text: _folder(f, {"model.safetensors.index.json": t.encode()})


def _folder(folder: Path, files: dict[str, bytes]) -> str | None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return f"was read: {list(read_folder(str(folder)))}"


class _Preset(Config):
    x: int


def _presets(setup: Setup, canary: Path) -> Iterator[Case]:
    texts = {
        "deep list": "x = " + "[" * 50_000, "deep table": "[x" + ".a" * 20_000 + "]", "inline": "x = " + "{a=" * 20_000,
        "long number": "x = " + "9" * 100_000, "infinity": "x = inf", "zero bytes": "x = \0", "code": "x = __import__('os')",
        "twice": "x = 1\nx = 2", "long line": "x = '" + "a" * 10_000_000 + "'", "unknown": "x = 1\n__class__ = 2",
    }  # fmt: skip
    for name, text in texts.items():
        yield f"TOML: {name}", lambda f, t=text: _preset(f, t.encode())
    yield "TOML: no UTF-8", lambda f: _preset(f, b"x = \xff\xfe")


def _preset(folder: Path, data: bytes) -> str | None:
    (folder / "odd.toml").write_bytes(data)
    return f"was read: {load(folder, 'odd', _Preset)}"


def _tokenizers(setup: Setup, canary: Path) -> Iterator[Case]:
    texts = {"empty": "", "deep": "[" * 100_000, "no model": "{}", "null": "null", "code": '{"auto_map": {"AutoTokenizer": "evil.py"}}',
             "ids": '{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}',
             "pattern": '{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "((((("}}}'}  # fmt: skip
    for name, text in texts.items():
        yield f"tokenizer.json: {name}", lambda f, t=text: _tokenizer(t.encode())
    yield "tokenizer.json: no UTF-8", lambda f: _tokenizer(b"\xff" * 99)


def _tokenizer(data: bytes) -> str | None:
    config = load("configs/tiny", "tokenizer", TokenizerConfig)
    _facts(data, Job("tokenizer", "tokenizer", config, {}, ()))
    return "was taken"


def _crawl_files(setup: Setup, canary: Path) -> Iterator[Case]:
    """JSONL, Parquet and WARC as ingest reads them; every file gives rows that the table takes, or rejects."""
    lines = {
        "deep": b"[" * 3_000_000, "surrogates": rb'{"text": "\ud800", "id": "\ud800", "url": "http://a/\ud800"}',
        "long number": b'{"text": "a", "id": ' + b"9" * 100_000 + b"}", "no end": b'{"text": "' + b"a" * 40_000_000,
        "NaN": b'{"text": NaN, "id": Infinity}', "no UTF-8": b'{"text": "\xff"}', "zero": b"\0" * 9,
        "shapes": b'[]\n1\nnull\n{"text": []}\n{"text": {"a": 1}}\n{"text": "a", "url": {}, "id": []}',
        "many lists": b'{"a": [' + b"[]," * 1_000_000 + b"[]]}",
    }  # fmt: skip
    for name, data in lines.items():
        yield f"JSONL: {name}", lambda f, d=data: _ingested(f / "a.jsonl", d)
    yield "JSONL: gzip bomb", lambda f: _ingested(f / "a.jsonl.gz", _gzip_bomb())
    yield "JSONL: cut gzip", lambda f: _ingested(f / "a.jsonl.gz", gzip.compress(os.urandom(9_999))[:999])
    for name, data in {"none": b"PAR1PAR1", "empty": b"", "noise": b"PAR1" + b"\xff" * 999 + b"PAR1"}.items():
        yield f"Parquet: {name}", lambda f, d=data: _ingested(f / "a.parquet", d)
    yield "WARC: gzip bomb as a member", lambda f: _ingested(f / "a.warc.gz", _gzip_bomb())
    for encoding, body in {"gzip": _gzip_bomb(), "br": brotli.compress(bytes(256 << 20), quality=1),
                           "gzip, gzip": gzip.compress(_gzip_bomb()), "x" * 9_999: b"a", "deflate": b"\x78\x9c" + b"\xff" * 99}.items():  # fmt: skip
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


def _archives(setup: Setup, canary: Path) -> Iterator[Case]:
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

    bomb = zipped("a.py", b"a" * (64 << 20))
    files = {
        "zip: bomb": bomb, "zip: a bomb that lies about its size": bomb.replace((64 << 20).to_bytes(4, "little"), b"\1\0\0\0"),
        "zip: bomb in a bomb": zipped("a.zip", bomb), "zip: climbs out": zipped(f"../../../../..{canary}", b"x"),
        "zip: absolute": zipped(str(canary), b"x"), "zip: cut": bomb[:-30], "zip: 100,000 files": _many_files(),
        "tar: climbs out": tarred(f"../../../../..{canary}"), "tar: link": tarred("a.py", "/etc/passwd"),
        "tar: device": tarred("a.py", size=1), "tar: bomb": tarred("a.py", size=64 << 20), "tar: xz bomb": tarred("a.py", size=64 << 20, mode="w:xz"),
        "gzip: bomb": _gzip_bomb(), "JSON: deep": b'{"files": ' + b"[" * 1_000_000, "JSON: shapes": b'{"files": [1, null, {"path": []}]}',
    }  # fmt: skip
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
