"""Token files: Megatron's .bin/.idx pairs, and the ranges of them that a stage's plan names.

A plan row names a bucket and a range of its documents. The documents of a range are one run of tokens in the
bucket's concatenated shards, every document ended by EOD.
Whatever is read is compared with the digests that tokenize wrote (configs.tokens.blocks): an index when it is
opened, a block of a .bin when this process first reads it (a block of 1 MiB takes 0.1 ms).
Memory: .bin files are mapped; lists are per document of the plan's buckets. No torch.
On an object store a block is asked for when it is first read, and kept in a scratch file in TMPDIR that ends
with the process: each process asks for every block that it reads once.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow.fs as pafs

from configs import tables
from configs.contract import ContractError
from configs.recipe import NUM_STAGES
from configs.tokens.blocks import (
    BLOCK_BYTES,
    BLOCKS_FILE,
    REMEDY,
    FileDigests,
    is_as_written,
    read_digests,
)

IDX_MAGIC = b"MMIDIDX\x00\x00"
IDX_HEAD = 34  # bytes: magic, version, type code, two counts
IDX_DTYPES = {4: np.dtype("<i4"), 8: np.dtype("<u2")}  # the two that tokenize_corpus writes

GROUPS = ("math", "code", "prose")
"""The groups of held-out text; each one is a table `tokens/heldout/<group>`."""


@dataclass(frozen=True)
class TokenFile:
    """One .bin/.idx pair."""

    path: str
    """Of the .bin."""
    tokens: npt.NDArray[np.integer]
    """All tokens, memory-mapped. On an object store: of the blocks that were read."""
    starts: npt.NDArray[np.int64]
    """Offset of each document, and the end: [documents + 1]."""
    blocks: tuple[bytes, ...]
    """Digest of each block of the .bin."""
    is_checked: npt.NDArray[np.bool_]
    """[blocks]: which ones this process has compared with their digests. `read` changes it."""
    fetch: Callable[[int], bytes] | None = None
    """Gives a block of an object store."""

    def read(self, places: npt.NDArray[np.int64]) -> npt.NDArray[np.integer]:
        """Tokens at these offsets. A block is compared with its digest before its first token is returned.

        Raises ContractError if a block is not as tokenize wrote it.
        """
        numbers = places // (BLOCK_BYTES // self.tokens.itemsize)
        if not self.is_checked[numbers].all():
            for number in np.unique(numbers).tolist():
                if not self.is_checked[number]:
                    self._check(number)
        return self.tokens[places]

    def _check(self, number: int) -> None:
        block = self.tokens.view(np.uint8)[number * BLOCK_BYTES : (number + 1) * BLOCK_BYTES]
        stored = block.data if self.fetch is None else self.fetch(number)
        if not is_as_written(stored, self.blocks[number]):
            raise damaged_block(self.path, number)
        if self.fetch is not None:
            block[:] = np.frombuffer(stored, np.uint8)
        self.is_checked[number] = True


def damaged_block(path: str, number: int) -> ContractError:
    """The error for a block of a .bin that does not have its digest."""
    return ContractError(
        f"{path}: block {number} (from byte {number * BLOCK_BYTES:,}) is not what tokenize wrote; {REMEDY}"
    )


def open_token_files(table: tables.Table) -> tuple[TokenFile, ...]:
    """All shards of a bucket, in order. Raises ContractError if a digest or an index is not whole."""
    digests = read_digests(table)
    return tuple(
        open_token_file(f"{table.path}/{name}", digests) for name in table.manifest.facts["prefixes"]
    )


def open_token_file(prefix: str, digests: Mapping[str, FileDigests]) -> TokenFile:
    """Map `<prefix>.bin` through `<prefix>.idx` (Megatron's MMIDIDX, version 1).

    Raises ContractError if the index is not whole, does not fit the .bin or does not have its digest.
    """
    idx, binary = f"{prefix}.idx", f"{prefix}.bin"
    folder, _, name = prefix.rpartition("/")
    fs, base = tables.filesystem(prefix)
    idx_info, bin_info = fs.get_file_info([f"{base}.idx", f"{base}.bin"])
    if not idx_info.is_file or not bin_info.is_file:
        raise ContractError(f"{prefix}: .bin or .idx is missing; remedy: run make tokenize again")
    data = tables.read_bytes(folder, f"{name}.idx")
    broken = ContractError(f"{idx}: not a whole Megatron index; {REMEDY}")
    if len(data) < IDX_HEAD or data[:9] != IDX_MAGIC or data[17] not in IDX_DTYPES:
        raise broken
    num_sequences, num_boundaries = (int.from_bytes(data[at : at + 8], "little") for at in (18, 26))
    if len(data) != IDX_HEAD + num_sequences * 12 + num_boundaries * 8:
        raise broken
    lengths = np.frombuffer(data, "<i4", num_sequences, IDX_HEAD)
    starts = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    dtype = IDX_DTYPES[data[17]]
    num_bytes = int(starts[-1]) * dtype.itemsize
    if bin_info.size != num_bytes:
        raise ContractError(f"{binary}: {bin_info.size} bytes, its index names {num_bytes}; {REMEDY}")
    if not {f"{name}.idx", f"{name}.bin"} <= digests.keys():
        raise ContractError(f"{prefix}: {BLOCKS_FILE} has no digest of its .bin or .idx; {REMEDY}")
    blocks = digests[f"{name}.bin"].blocks
    if len(blocks) != -(-num_bytes // BLOCK_BYTES):
        raise ContractError(f"{binary}: {num_bytes} bytes, but {len(blocks)} digests of blocks; {REMEDY}")
    if not is_as_written(data, digests[f"{name}.idx"].whole):
        raise ContractError(f"{idx}: not what tokenize wrote; {REMEDY}")
    is_checked = np.zeros(len(blocks), bool)
    if not num_bytes:
        return TokenFile(binary, np.empty(0, dtype), starts, blocks, is_checked)
    if isinstance(fs, pafs.LocalFileSystem):
        return TokenFile(binary, np.memmap(f"{base}.bin", dtype, "r"), starts, blocks, is_checked)
    with tempfile.TemporaryFile() as scratch:  # mapped, it lives on without its name
        tokens = np.memmap(scratch, dtype, "w+", shape=(num_bytes // dtype.itemsize,))
    return TokenFile(binary, tokens, starts, blocks, is_checked, _fetcher(fs, f"{base}.bin"))


def _fetcher(fs: pafs.FileSystem, path: str) -> Callable[[int], bytes]:
    """Gives the blocks of a file of an object store by number."""
    file = fs.open_input_file(path)

    def fetch(number: int) -> bytes:
        block: bytes = file.read_at(BLOCK_BYTES, number * BLOCK_BYTES)
        return block

    return fetch


@dataclass(frozen=True)
class TokenRange:
    """What one row of a plan takes from its bucket."""

    bucket: str
    source: str
    """The plan's source of this bucket (web, papers, ...)."""
    weight: float
    """Share of the stage's tokens."""
    shards: tuple[TokenFile, ...]
    """All shards of the bucket."""
    first: int
    """Offset of the range's first token in the concatenated shards."""
    length: int
    """Tokens of the range."""
    eod: int
    """Token that ends every document."""


def open_ranges(root: str, stage: int) -> list[TokenRange]:
    """Join `mixtures/stage<N>` with `tokens/<bucket>`: one range per row, in the order of bucket names.

    Raises ContractError if plan and tokens do not fit each other.
    """
    plan = tables.open_table(root, f"mixtures/stage{stage}")
    rows = tables.read(plan)
    if rows is None:
        raise ContractError(f"{plan.path}: an empty plan; remedy: run make plan again")
    return [_open_range(root, row) for row in rows.sort_by("bucket").to_pylist()]


def planned_buckets(root: str) -> set[str]:
    """Names of the buckets that any stage's plan draws from."""
    opened = (tables.open_table(root, f"mixtures/stage{number}") for number in range(1, NUM_STAGES + 1))
    plans = [tables.read(plan, ["bucket"]) for plan in opened]
    return {bucket for rows in plans if rows is not None for bucket in rows["bucket"].to_pylist()}


def _open_range(root: str, row: dict) -> TokenRange:
    table = tables.open_table(root, f"tokens/{row['bucket']}")
    facts = table.manifest.facts
    shards = open_token_files(table)
    starts = np.concatenate([[0], np.cumsum(np.concatenate([np.diff(shard.starts) for shard in shards]))])
    if not 0 <= row["document_start"] < row["document_end"] < len(starts):
        raise ContractError(
            f"{table.path}: the plan asks for documents {row['document_start']} to {row['document_end']} of "
            f"{len(starts) - 1}; remedy: run make plan and make tokenize again"
        )
    first, end = int(starts[row["document_start"]]), int(starts[row["document_end"]])
    if end - first != row["tokens"]:
        raise ContractError(
            f"{table.path}: the plan counts {row['tokens']} tokens, the shards hold {end - first}; "
            "remedy: run make plan and make tokenize again"
        )
    return TokenRange(
        row["bucket"], row["source"], row["weight"], shards, first, end - first, int(facts["eod_id"])
    )
