"""Packed samples of one stage, a pure function of plan, tokens and seed.

1. A plan row gives a bucket, a range of its documents and a weight; the range is one stream of tokens, every
   document ended by EOD.
2. Sample g of the stage goes to the bucket whose share of [0, 1) holds frac(g x golden ratio): shares are met
   to within a few samples at every length, and any g is found without a list.
3. The bucket's k-th sample is the window [k L, k L + L] of its stream. Later passes shift the windows by a
   seeded offset, visit them in a seeded order and wrap at the end of the range.
Cost: a pass drops less than one window of a bucket (another one each pass); documents are cut at window
edges, at most two cuts per window. token_files.py opens the buckets.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from pretrain.model.batch import Batch, make_batch
from pretrain.plan.schedule import Step
from pretrain.plan.token_files import TokenRange, open_ranges

GOLDEN = 0x9E3779B97F4A7C15  # 2**64 / golden ratio: the most even sequence of frac(g x constant)


@dataclass(frozen=True)
class Stream:
    """One bucket's range of documents as windows of tokens."""

    taken: TokenRange
    seed: int
    """Of the order of the later passes."""

    def window(self, number: int, sequence_length: int) -> npt.NDArray[np.int64]:
        """Tokens [sequence_length + 1] of the `number`-th sample drawn from this bucket."""
        return self._read(self.places(number, sequence_length))

    def places(self, number: int, sequence_length: int) -> npt.NDArray[np.int64]:
        """Offsets [sequence_length + 1] of that sample's tokens in the bucket."""
        length = self.taken.length
        per_pass = max(length // sequence_length, 1)
        done, position = divmod(number, per_pass)
        offset = 0
        if done:  # the first pass reads the documents as they lie: their order is already a hash's
            noise = np.random.default_rng([self.seed, done])
            offset = int(noise.integers(length))
            position = _shuffled(position, per_pass, noise)
        start = offset + position * sequence_length
        return self.taken.first + (start + np.arange(sequence_length + 1)) % length

    def _read(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Tokens at places of the concatenated shards. Raises ContractError if their blocks are damaged."""
        out = np.empty(len(places), np.int64)
        before = 0
        for shard in self.taken.shards:
            inside = (places >= before) & (places < before + len(shard.tokens))
            out[inside] = shard.read(places[inside] - before)
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
        return tuple(sorted({stream.taken.source for stream in self.streams}))

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
            sources[row] = names.index(stream.taken.source)
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
    """All samples of a stage's plan. Raises ContractError if plan and tokens do not fit each other."""
    ranges = open_ranges(root, stage)
    streams = tuple(Stream(taken, _hash_int(seed, stage, taken.bucket)) for taken in ranges)
    weights = np.array([taken.weight for taken in ranges], np.float64)
    ends = [int(end * 2.0**64) for end in np.cumsum(weights) / weights.sum()]
    shares = np.array([min(end, 2**64 - 1) for end in ends[:-1]] + [2**64 - 1], np.uint64)
    return StageData(streams, shares, _hash_int(seed, stage, "phase"), ranges[0].eod)


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
