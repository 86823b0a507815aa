"""Packed samples of one stage, a pure function of plan, tokens and seed.

1. A plan row gives a bucket, a range of its documents and a weight; the range is one stream of tokens, every
   document ended by EOD.
2. Sample g of the stage goes to the bucket whose share of [0, 1) holds frac(g x golden ratio): shares are met
   to within a few samples at every length, and any g is found without a list.
3. The bucket's k-th sample is the window [k L, k L + L] of its stream. Later passes shift the windows by a
   seeded offset, visit them in a seeded order and wrap at the end of the range.
Cost: a pass drops less than one window of a bucket (another one each pass); documents are cut at window
edges, at most two cuts a window. Memory: .bin files are mapped, lists are per document of the plan's buckets.
"""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from configs import tables
from configs.contract import ContractError
from pretrain.model.loss import Batch, make_batch
from pretrain.plan.schedule import Step

IDX_MAGIC = b"MMIDIDX\x00\x00"
IDX_DTYPES = {4: np.dtype("<i4"), 8: np.dtype("<u2")}  # the two that tokenize_corpus writes
GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: the most even sequence of frac(g x constant)


@dataclass(frozen=True)
class Shard:
    """One .bin/.idx pair."""

    tokens: npt.NDArray[np.integer]
    """All tokens, memory-mapped."""
    starts: npt.NDArray[np.int64]
    """Offset of each document, and the end: [documents + 1]."""


def open_shard(prefix: str) -> Shard:
    """Map `<prefix>.bin` through `<prefix>.idx` (Megatron's MMIDIDX, version 1).

    Raises ContractError if the index is not whole or does not fit the .bin.
    """
    idx, binary = Path(f"{prefix}.idx"), Path(f"{prefix}.bin")
    if not idx.is_file() or not binary.is_file():
        raise ContractError(f"{prefix}: .bin or .idx is missing; remedy: run make tokenize again")
    head = idx.read_bytes()[:34]
    broken = ContractError(
        f"{idx}: not a whole Megatron index; remedy: run make tokenize again with --overwrite"
    )
    if len(head) < 34 or head[:9] != IDX_MAGIC or head[17] not in IDX_DTYPES:
        raise broken
    num_sequences = int.from_bytes(head[18:26], "little")
    if idx.stat().st_size != 34 + num_sequences * 12 + int.from_bytes(head[26:34], "little") * 8:
        raise broken
    lengths = np.fromfile(idx, dtype="<i4", count=num_sequences, offset=34)
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    dtype = IDX_DTYPES[head[17]]
    if binary.stat().st_size != int(starts[-1]) * dtype.itemsize:
        raise ContractError(
            f"{binary}: {binary.stat().st_size} bytes, its index names {int(starts[-1]) * dtype.itemsize}; "
            "remedy: run make tokenize again with --overwrite"
        )
    mapped = np.memmap(binary, dtype=dtype, mode="r") if starts[-1] else np.empty(0, dtype)
    return Shard(mapped, starts)


@dataclass(frozen=True)
class Stream:
    """One bucket's range of documents as windows of tokens."""

    bucket: str
    source: str
    """The plan's source of this bucket (web, papers, ...)."""
    shards: tuple[Shard, ...]
    first: int
    """Offset of the range's first token in the concatenated shards."""
    length: int
    """Tokens of the range."""
    seed: int

    def window(self, number: int, sequence_length: int) -> npt.NDArray[np.int64]:
        """Tokens [sequence_length + 1] of the `number`-th sample drawn from this bucket."""
        return self._read(self.places(number, sequence_length))

    def places(self, number: int, sequence_length: int) -> npt.NDArray[np.int64]:
        """Offsets [sequence_length + 1] of that sample's tokens in the bucket."""
        per_pass = max(self.length // sequence_length, 1)
        done, position = divmod(number, per_pass)
        offset = 0
        if done:  # the first pass reads the documents as they lie: their order is already a hash's
            noise = np.random.default_rng([self.seed, done])
            offset = int(noise.integers(self.length))
            position = _shuffled(position, per_pass, noise)
        start = offset + position * sequence_length
        return self.first + (start + np.arange(sequence_length + 1)) % self.length

    def _read(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tokens at places of the concatenated shards."""
        out = np.empty(len(places), np.int64)
        before = 0
        for shard in self.shards:
            inside = (places >= before) & (places < before + len(shard.tokens))
            out[inside] = shard.tokens[places[inside] - before]
            before += len(shard.tokens)
        return out


def _shuffled(position: int, size: int, noise: np.random.Generator) -> int:
    """The image of `position` under a random affine bijection of range(size)."""
    step = int(noise.integers(size)) | 1
    while math.gcd(step, size) != 1:
        step += 2
    return (position * step + int(noise.integers(size))) % size


@dataclass(frozen=True)
class StageData:
    """All samples of one stage."""

    streams: tuple[Stream, ...]
    shares: npt.NDArray[np.uint64]
    """Upper ends of the buckets' shares of [0, 2**64), ascending; the last is 2**64 - 1."""
    phase: int
    eod: int

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the plan's sources, sorted; rows name them by their place here."""
        return tuple(sorted({stream.source for stream in self.streams}))

    def choices(self, first: int, count: int) -> npt.NDArray[np.int64]:
        """Bucket index of samples first .. first + count - 1."""
        with np.errstate(over="ignore"):
            places = np.arange(first, first + count, dtype=np.uint64) * np.uint64(GOLDEN) + np.uint64(
                self.phase
            )
        return np.searchsorted(self.shares, places, side="left").astype(np.int64)

    def drawn(self, samples: int) -> npt.NDArray[np.int64]:
        """Samples that each bucket has given when the stage has taken `samples` (25 ns a sample)."""
        counts = np.zeros(len(self.streams), np.int64)
        for first in range(0, samples, 1 << 22):
            chosen = self.choices(first, min(1 << 22, samples - first))
            counts += np.bincount(chosen, minlength=len(self.streams))
        return counts

    def sequences(self, first: int, count: int, drawn: npt.NDArray[np.int64], sequence_length: int) -> "Rows":
        """Samples first .. first + count - 1; `drawn` is moved past them."""
        tokens = np.empty((count, sequence_length + 1), np.int64)
        sources = np.empty(count, np.int64)
        names = self.sources
        for row, choice in enumerate(self.choices(first, count)):
            stream = self.streams[choice]
            tokens[row] = stream.window(int(drawn[choice]), sequence_length)
            sources[row] = names.index(stream.source)
            drawn[choice] += 1
        return Rows(tokens, sources)


@dataclass(frozen=True)
class Rows:
    """Samples as they are drawn."""

    tokens: npt.NDArray[np.int64]
    """[samples, sequence_length + 1]."""
    sources: npt.NDArray[np.int64]
    """[samples]: place of each one's source in `StageData.sources`."""


def open_stage(root: str, stage: int, seed: int) -> StageData:
    """Join `mixtures/stage<N>` with `tokens/<bucket>`. Raises ContractError if they do not fit each other."""
    plan = tables.open_table(root, f"mixtures/stage{stage}")
    rows = tables.read(plan)
    if rows is None:
        raise ContractError(f"{plan.path}: an empty plan; remedy: run make plan again")
    rows = rows.sort_by("bucket").to_pylist()
    streams, eod = [], None
    for row in rows:
        tokens = tables.open_table(root, f"tokens/{row['bucket']}")
        eod = tokens.manifest.facts["eod_id"] if eod is None else eod
        shards = tuple(open_shard(f"{tokens.path}/{name}") for name in tokens.manifest.facts["prefixes"])
        streams.append(_stream(tokens.path, row, shards, _hash_int(seed, stage, row["bucket"])))
    weights = np.array([row["weight"] for row in rows], np.float64)
    ends = [int(end * 2.0**64) for end in np.cumsum(weights) / weights.sum()]
    shares = np.array([min(end, 2**64 - 1) for end in ends[:-1]] + [2**64 - 1], np.uint64)
    return StageData(tuple(streams), shares, _hash_int(seed, stage, "phase"), int(eod))


def _stream(path: str, row: dict, shards: tuple[Shard, ...], seed: int) -> Stream:
    starts = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(shard.starts) for shard in shards]))])
    if not 0 <= row["document_start"] < row["document_end"] < len(starts):
        raise ContractError(
            f"{path}: the plan asks for documents {row['document_start']} to {row['document_end']} of "
            f"{len(starts) - 1}; remedy: run make plan and make tokenize again"
        )
    first, end = int(starts[row["document_start"]]), int(starts[row["document_end"]])
    if end - first != row["tokens"]:
        raise ContractError(
            f"{path}: the plan counts {row['tokens']} tokens, the shards hold {end - first}; "
            "remedy: run make plan and make tokenize again"
        )
    return Stream(row["bucket"], row["source"], shards, first, end - first, seed)


def _hash_int(*parts: object) -> int:
    """63 bits that depend on the parts alone."""
    return int.from_bytes(hashlib.blake2b(repr(parts).encode(), digest_size=8).digest(), "big") >> 1


def micro_batches(
    step: Step, rows: Rows, eod: int, micro_batch_size: int, rank: int, ranks: int
) -> list[Batch]:
    """This data-parallel rank's micro-batches of a step.

    Rows beyond the step's tokens are masked; the last round of micro-batches is filled up with masked rows.
    The union over ranks does not depend on the number of ranks.
    """
    tokens, labels = rows.tokens[:, :-1], rows.tokens[:, 1:]
    positions = np.arange(tokens.size).reshape(tokens.shape)
    mask = (tokens != eod) & (positions < step.tokens)
    starts = np.zeros(tokens.shape, bool)
    starts[:, 1:] = tokens[:, :-1] == eod
    missing = -len(tokens) % (micro_batch_size * ranks)
    columns = [np.pad(column, ((0, missing), (0, 0))) for column in (tokens, labels, mask, starts)]
    columns.append(np.pad(rows.sources, (0, missing)))
    mine = [
        slice(first, first + micro_batch_size)
        for first in range(rank * micro_batch_size, len(columns[0]), micro_batch_size * ranks)
    ]
    return [
        make_batch(*(torch.from_numpy(np.ascontiguousarray(column[part])) for column in columns))
        for part in mine
    ]
