"""Verify every token file that a run draws from, in parallel processes, and remember what was verified.

1. A work unit is one .bin/.idx pair, or the spans.parquet of one bucket.
2. A unit is passed over if the last verification saw its files with the same path, size and mtime, the bucket
   named the same digests, and this code was the same.
3. Each other unit is read once: digests, then the content. Token ids lie inside the vocabulary, EOD stands at
   the end of each document and nowhere else, an index agrees with itself, spans agree with the indexes.
Cost: 1.8 GB/s per process from memory; a process holds 1 MiB of tokens and 60 bytes per document. No torch.
"""

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from configs import tables
from configs.code_closure import code_hash
from configs.contract import ContractError
from configs.text_files import read_json, write_json
from configs.tokens.blocks import (
    BLOCK_BYTES,
    BLOCKS_FILE,
    REMEDY,
    SPANS_FILE,
    FileDigests,
    is_as_written,
    read_digests,
)
from pretrain.plan.token_files import IDX_HEAD, TokenFile, damaged_block, open_token_file

logger = logging.getLogger(__name__)

MEMORY_FILE = "preflight_verified.json"
MAX_PROCESSES = 8
BYTES_PER_PROCESS = 1 << 30
"""Our choice: a process starts in about the time in which one verifies 1 GiB from memory (half a second)."""


@dataclass(frozen=True)
class Unit:
    """Files that are verified together, and what they must hold."""

    folder: str
    prefixes: tuple[str, ...]
    """One .bin/.idx pair; for spans.parquet all pairs of the bucket."""
    has_spans: bool
    digests: dict[str, FileDigests]
    """Of these files, by name."""
    facts: dict[str, int]
    """eod_id, vocab_size, num_documents and num_tokens of the bucket."""
    mark: str
    """Hash of everything beside the files that the verdict depends on."""

    def files(self) -> list[str]:
        """The files whose content this unit verifies."""
        if self.has_spans:
            return [f"{self.folder}/{SPANS_FILE}"]
        return [f"{self.folder}/{self.prefixes[0]}{ending}" for ending in (".bin", ".idx")]


def verify_tokens(root: str, names: Iterable[str], output: str, writes_memory: bool) -> None:
    """Verify the token tables of these names under `root`; the memory lies in the folder `output`.

    Raises ContractError for the first fault in the order of names.
    """
    started = time.monotonic()
    memory = read_json(f"{output}/{MEMORY_FILE}") or {}
    units = [unit for name in sorted(names) for unit in units_of(tables.open_table(root, name))]
    states = [dict(_state(path, unit.mark) for path in unit.files()) for unit in units]
    pending = [
        number
        for number, state in enumerate(states)
        if any(memory.get(path) != now for path, now in state.items())
    ]
    faults = dict(zip(pending, _verify_all([units[number] for number in pending]), strict=True))
    if writes_memory:
        verified = [state for number, state in enumerate(states) if not faults.get(number)]
        known = {path: now for state in verified for path, now in state.items()}
        if known != memory:  # a run that finds nothing to do writes nothing
            write_json(f"{output}/{MEMORY_FILE}", known)
    for fault in filter(None, faults.values()):
        raise ContractError(fault)
    num_read, num_files = sum(len(states[number]) for number in pending), sum(map(len, states))
    logger.info(
        "preflight: verified %d token files in %.1f s, %d more have not changed since they were verified",
        *(num_read, time.monotonic() - started, num_files - num_read),
    )


def _state(path: str, mark: str) -> tuple[str, dict[str, object]]:
    """A file's entry in the memory, as of now; taken before the file is read."""
    fs, local = tables.filesystem(path)
    info = fs.get_file_info(local)
    name = path if "://" in path else local
    return name, {"size": info.size, "mtime_ns": info.mtime_ns, "mark": mark}


def units_of(table: tables.Table) -> list[Unit]:
    """The work units of one bucket. Raises ContractError if it has no digests."""
    manifest = table.manifest
    digests = read_digests(table)
    facts = {name: manifest.facts[name] for name in ("eod_id", "vocab_size", "num_documents", "num_tokens")}
    mark = tables.hash_json([code_hash(__name__), table.parts.named(BLOCKS_FILE), facts])
    pairs = [(prefix,) for prefix in manifest.facts["prefixes"]]
    every = tuple(prefix for [prefix] in pairs)
    if SPANS_FILE not in digests:
        raise ContractError(f"{table.path}: {BLOCKS_FILE} has no digest of {SPANS_FILE}; {REMEDY}")
    return [
        *(Unit(table.path, pair, False, _of(digests, pair), facts, mark) for pair in pairs),
        Unit(table.path, every, True, digests, facts, mark),
    ]


def _of(digests: dict[str, FileDigests], prefixes: Sequence[str]) -> dict[str, FileDigests]:
    names = [f"{prefix}{ending}" for prefix in prefixes for ending in (".bin", ".idx")]
    return {name: digests[name] for name in names if name in digests}


def _verify_all(units: list[Unit]) -> list[str]:
    """The fault of each unit, or an empty string; the largest files first, one process per core."""
    sizes = [sum(_size(path) for path in unit.files()) for unit in units]
    num_processes = min(MAX_PROCESSES, os.cpu_count() or 1, len(units), -(-sum(sizes) // BYTES_PER_PROCESS))
    if num_processes <= 1:
        return [verify(unit) for unit in units]
    order = sorted(range(len(units)), key=lambda number: -sizes[number])
    # A forked child would hold locks of pyarrow's threads.
    with ProcessPoolExecutor(num_processes, mp_context=get_context("spawn")) as pool:
        faults = dict(zip(order, pool.map(verify, [units[number] for number in order]), strict=True))
    return [faults[number] for number in range(len(units))]


def _size(path: str) -> int:
    fs, local = tables.filesystem(path)
    return fs.get_file_info(local).size or 0  # a missing file is a fault that `verify` tells


def verify(unit: Unit) -> str:
    """The first fault of a unit, with file and remedy; empty if there is none."""
    try:
        if unit.has_spans:
            _verify_spans(unit)
        else:
            shard = open_token_file(f"{unit.folder}/{unit.prefixes[0]}", unit.digests)
            _verify_index(shard)
            _verify_bin(shard, unit)
    except ContractError as error:
        return str(error)
    return ""


def _verify_index(shard: TokenFile) -> None:
    """Offsets and boundaries of an .idx agree with its lengths, and every document has a token (its EOD)."""
    folder, _, name = shard.path.removesuffix(".bin").rpartition("/")
    count = len(shard.starts) - 1
    expected = shard.starts[:-1] * shard.tokens.itemsize, np.arange(count + 1)
    data = tables.read_bytes(folder, f"{name}.idx")
    found = np.frombuffer(data, "<i8", offset=IDX_HEAD + 4 * count)
    if not np.array_equal(found, np.concatenate(expected)) or (np.diff(shard.starts) < 1).any():
        raise ContractError(
            f"{folder}/{name}.idx: lengths, offsets and document numbers contradict each other; {REMEDY}"
        )


def _verify_bin(shard: TokenFile, unit: Unit) -> None:
    """Digests of the blocks and of the whole .bin; ids and EODs of its tokens."""
    whole, first = xxhash.xxh3_128(), 0
    for number, data in enumerate(_blocks(shard.path)):
        if not is_as_written(data, shard.blocks[number]):
            raise damaged_block(shard.path, number)
        whole.update(data)
        tokens = np.frombuffer(data, shard.tokens.dtype)
        _verify_ids(shard, tokens, first, unit.facts)
        first += len(tokens)
    if whole.digest() != unit.digests[shard.path.rpartition("/")[2]].whole:
        raise ContractError(f"{shard.path}: not what tokenize wrote; {REMEDY}")


def _blocks(path: str) -> Iterator[bytes]:
    fs, local = tables.filesystem(path)
    with fs.open_input_stream(local, compression=None) as file:
        while data := file.read(BLOCK_BYTES):
            yield data


def _verify_ids(shard: TokenFile, tokens: npt.NDArray[np.integer], first: int, facts: dict[str, int]) -> None:
    """`tokens` begin at offset `first`: all inside the vocabulary, EOD exactly where documents end."""
    is_outside = (tokens < 0) | (tokens >= facts["vocab_size"])
    if is_outside.any():
        place = int(is_outside.argmax())
        raise ContractError(
            f"{shard.path}: token {first + place} is {tokens[place]}, the vocabulary has "
            f"{facts['vocab_size']} ids; {REMEDY}"
        )
    low, high = np.searchsorted(shard.starts[1:], [first + 1, first + len(tokens) + 1])
    ends = shard.starts[1:][low:high] - 1
    eods = np.flatnonzero(tokens == facts["eod_id"]) + first
    if not np.array_equal(ends, eods):
        place = int(np.setxor1d(ends, eods)[0])
        what = "a document ends there" if place in ends else "no document ends there"
        raise ContractError(f"{shard.path}: token {place} is {tokens[place - first]}, but {what}; {REMEDY}")


def _verify_spans(unit: Unit) -> None:
    """Digest of spans.parquet; its rows against the indexes' documents, and both against the manifest."""
    path = f"{unit.folder}/{SPANS_FILE}"
    data = tables.read_bytes(unit.folder, SPANS_FILE)
    if not is_as_written(data, unit.digests[SPANS_FILE].whole):
        raise ContractError(f"{path}: not what tokenize wrote; {REMEDY}")
    lengths = [
        np.diff(open_token_file(f"{unit.folder}/{prefix}", unit.digests).starts) for prefix in unit.prefixes
    ]
    starts = np.cumsum(np.concatenate([np.zeros(1, np.int64), *lengths]))
    counts = {"num_documents": len(starts) - 1, "num_tokens": int(starts[-1])}
    for name, count in counts.items():
        if unit.facts[name] != count:
            raise ContractError(
                f"{unit.folder}: the indexes have {name} {count}, the manifest {unit.facts[name]}; {REMEDY}"
            )
    try:
        spans = pq.read_table(pa.BufferReader(data), columns=["token_start", "token_end"])
        found = [spans[name].to_numpy() for name in ("token_start", "token_end")]
    except (KeyError, OSError, ValueError) as error:  # ArrowInvalid is a ValueError
        raise ContractError(f"{path}: not readable ({error}); {REMEDY}") from None
    if not (np.array_equal(found[0], starts[:-1]) and np.array_equal(found[1], starts[1:])):
        raise ContractError(f"{path}: {len(spans)} spans that are not the documents of the .idx; {REMEDY}")
