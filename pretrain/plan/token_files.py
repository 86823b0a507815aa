"""Token files: Megatron's .bin/.idx pairs, and the ranges of them that a stage's plan names.

A plan row names a bucket and a range of its documents. The documents of a range are one run of tokens in the
bucket's concatenated shards, every document ended by EOD.
Memory: .bin files are mapped; lists are per document of the plan's buckets. No torch.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from configs import tables
from configs.contract import ContractError

IDX_MAGIC = b"MMIDIDX\x00\x00"
IDX_DTYPES = {4: np.dtype("<i4"), 8: np.dtype("<u2")}  # the two that tokenize_corpus writes

GROUPS = ("math", "code", "prose")
"""The groups of held-out text; each one is a table `tokens/heldout/<group>`."""


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
    with idx.open("rb") as file:
        head = file.read(34)
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
class TokenRange:
    """What one row of a plan takes from its bucket."""

    bucket: str
    source: str
    """The plan's source of this bucket (web, papers, ...)."""
    weight: float
    """Share of the stage's tokens."""
    shards: tuple[Shard, ...]
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


def _open_range(root: str, row: dict) -> TokenRange:
    table = tables.open_table(root, f"tokens/{row['bucket']}")
    facts = table.manifest.facts
    shards = tuple(open_shard(f"{table.path}/{name}") for name in facts["prefixes"])
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
