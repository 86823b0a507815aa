"""Files that run code, lie about their size or make no sense, through the readers that would meet them.

Pickles of checkpoints, safetensors, indexes, tokenizers and presets here, crawl files and archives in
evil_inputs. Nothing may be executed (the canary stays absent); a file is read, rejected or refused in one
line, in bounded time and memory.
"""

import builtins
import importlib
import json
import os
import pickle
import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from unittest import mock

import torch

from configs.contract import ContractError
from configs.loader import Config, ConfigError, load
from pipeline.train_tokenizer import TokenizerConfig, _facts
from pretrain.import_hf import read_folder
from pretrain.run import safe_pickle
from tests.security.attempts import Attempt, Setup, peak_memory_bytes, reset_peak_memory
from tests.security.evil_inputs import Case, archives, crawl_files

MAX_WALL_S = 15.0
MAX_GROWTH_BYTES = 512 << 20


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
        stack.enter_context(mock.patch.object(safe_pickle, "_globals", return_value=set()))
    for round_number in range(setup.count):
        pickles = _pickles(canary, setup.rng(f"pickles {round_number}"))
        groups = (pickles, _model_folders(canary), _presets(), _tokenizers(), crawl_files(), archives(canary))
        for number, (name, try_it) in enumerate(chain(*groups)):
            folder = setup.folder / f"{round_number}-{number}"
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


def _pickles(canary: Path, rng: random.Random) -> Iterator[Case]:
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
        protocol = rng.randint(0, 5)
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


def _model_folders(canary: Path) -> Iterator[Case]:
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
    indexes = {
        "elsewhere": '{"weight_map": {"a": "../../a"}}',
        "absolute": '{"weight_map": {"a": "/etc/passwd"}}',
        "a list": "[]",
        "no JSON": "{",
        "deep": "[" * 100_000,
        "numbers": '{"weight_map": {"a": 1}}',
    }
    for name, text in indexes.items():
        yield f"index: {name}", lambda f, t=text: _folder(f, {"model.safetensors.index.json": t.encode()})


def _folder(folder: Path, files: dict[str, bytes]) -> str | None:
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return f"was read: {list(read_folder(str(folder)))}"


class _Preset(Config):
    x: int


def _presets() -> Iterator[Case]:
    texts = {
        "deep list": "x = " + "[" * 50_000,
        "deep table": "[x" + ".a" * 20_000 + "]",
        "inline": "x = " + "{a=" * 20_000,
        "long number": "x = " + "9" * 100_000,
        "infinity": "x = inf",
        "zero bytes": "x = \0",
        "code": "x = __import__('os')",
        "twice": "x = 1\nx = 2",
        "long line": "x = '" + "a" * 10_000_000 + "'",
        "unknown": "x = 1\n__class__ = 2",
    }
    for name, text in texts.items():
        yield f"TOML: {name}", lambda f, t=text: _preset(f, t.encode())
    yield "TOML: no UTF-8", lambda f: _preset(f, b"x = \xff\xfe")


def _preset(folder: Path, data: bytes) -> str | None:
    (folder / "odd.toml").write_bytes(data)
    return f"was read: {load(folder, 'odd', _Preset)}"


def _tokenizers() -> Iterator[Case]:
    texts = {
        "empty": "",
        "deep": "[" * 100_000,
        "no model": "{}",
        "null": "null",
        "code": '{"auto_map": {"AutoTokenizer": "evil.py"}}',
        "ids": '{"model": {"type": "BPE", "vocab": {"a": -1}, "merges": []}}',
        "pattern": '{"pre_tokenizer": {"type": "Split", "pattern": {"Regex": "((((("}}}',
    }
    for name, text in texts.items():
        yield f"tokenizer.json: {name}", lambda f, t=text: _tokenizer(t.encode())
    yield "tokenizer.json: no UTF-8", lambda f: _tokenizer(b"\xff" * 99)


def _tokenizer(data: bytes) -> str | None:
    _facts(data, load("configs/tiny", "tokenizer", TokenizerConfig))
    return "was taken"
