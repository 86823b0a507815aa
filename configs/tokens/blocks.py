"""Digests of a bucket's token files, `tokens/<bucket>/blocks.parquet`: tokenize writes, training checks them.

One row per file (.bin, .idx, spans.parquet), and one row per block of BLOCK_BYTES of a .bin, so that a reader
checks the part that it reads. The manifest names blocks.parquet with a digest of its own.
Cost: xxh3-128 of every byte, once for the file and once for its block; 16 bytes and a name per block.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
import xxhash

from configs import tables
from configs.contract import BLOCKS, ContractError
from configs.storage.files import digest_of

BLOCKS_FILE = "blocks.parquet"
SPANS_FILE = "spans.parquet"

BLOCK_BYTES = 1 << 20
"""Our choice: half a million tokens of two bytes, hashed in 0.1 ms. A multiple of a token's bytes."""

REMEDY = "remedy: run make tokenize again with --overwrite"


@dataclass(frozen=True)
class FileDigests:
    """xxh3-128 of one file and of its blocks."""

    whole: bytes
    blocks: tuple[bytes, ...] = ()
    """Of a .bin, in order; the last block may be short."""


def digests_of(data: bytes, has_blocks: bool) -> FileDigests:
    """The digests of a file's content."""
    starts = range(0, len(data), BLOCK_BYTES) if has_blocks else ()
    view = memoryview(data)
    return FileDigests(
        xxhash.xxh3_128_digest(data),
        tuple(xxhash.xxh3_128_digest(view[start : start + BLOCK_BYTES]) for start in starts),
    )


def is_as_written(data: bytes | memoryview, digest: bytes) -> bool:
    """Whether a file or block still has the digest that tokenize computed."""
    return xxhash.xxh3_128_digest(data) == digest


def encode_digests(files: Mapping[str, FileDigests]) -> tuple[bytes, int]:
    """The content of blocks.parquet for these files by name, and its number of rows."""
    rows: list[dict[str, object]] = []
    for name, digests in files.items():
        rows.append({"file": name, "block": None, "digest": digests.whole})
        rows += [
            {"file": name, "block": number, "digest": digest} for number, digest in enumerate(digests.blocks)
        ]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=BLOCKS), sink, compression="zstd")
    return sink.getvalue(), len(rows)


def decode_digests(data: bytes) -> dict[str, FileDigests]:
    """The files' digests by name, from the content of blocks.parquet."""
    table = pq.read_table(pa.BufferReader(data), schema=BLOCKS)
    files: dict[str, FileDigests] = {}
    blocks: dict[str, list[bytes]] = {}
    for name, block, digest in zip(*(table[name].to_pylist() for name in BLOCKS.names), strict=True):
        if block is None:
            files[name] = FileDigests(digest)
        else:
            blocks.setdefault(name, []).append(digest)
    return {name: FileDigests(found.whole, tuple(blocks.get(name, ()))) for name, found in files.items()}


def read_digests(table: tables.Table) -> dict[str, FileDigests]:
    """The digests of a bucket's files by name.

    Raises ContractError if there are none, or if they are not those that the manifest names.
    """
    path = f"{table.path}/{BLOCKS_FILE}"
    part = table.parts.named(BLOCKS_FILE)
    if part is None:
        raise ContractError(f"{path}: the manifest names no digests of the token files; {REMEDY}")
    data = tables.read_bytes(table.path, BLOCKS_FILE)
    if digest_of(data) != part.digest:
        raise ContractError(f"{path}: not the file that the manifest names; {REMEDY}")
    return decode_digests(data)
