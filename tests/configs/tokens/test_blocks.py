"""Digests of token files: one per file and per block, told apart by one bit, and read back as written."""

from pathlib import Path

import pytest
import xxhash

from configs import tables
from configs.contract import ContractError, Manifest, Part
from configs.tokens import blocks
from configs.tokens.blocks import (
    BLOCK_BYTES,
    BLOCKS_FILE,
    FileDigests,
    decode_digests,
    digests_of,
    encode_digests,
    is_as_written,
    read_digests,
)

DATA = b"ab" * (BLOCK_BYTES // 2) + b"cd" * (BLOCK_BYTES // 2) + b"the rest"


def bucket(root: Path, files: dict[str, FileDigests]) -> tables.Table:
    data, num_rows = encode_digests(files)
    part = tables.write_bytes(f"{root}/tokens/b", BLOCKS_FILE, data, num_rows)
    tables.commit(str(root), Manifest("tokens/b", "test", "", "", 0, 0), [part])
    return tables.open_table(str(root), "tokens/b")


def test_a_file_has_one_digest_and_one_for_each_mebibyte() -> None:
    found = digests_of(DATA, has_blocks=True)
    parts = (DATA[:BLOCK_BYTES], DATA[BLOCK_BYTES : 2 * BLOCK_BYTES], b"the rest")
    assert found.whole == xxhash.xxh3_128_digest(DATA)
    assert found.blocks == tuple(xxhash.xxh3_128_digest(part) for part in parts)
    assert digests_of(DATA, has_blocks=False) == FileDigests(found.whole)
    assert digests_of(b"", has_blocks=True).blocks == ()


def test_one_bit_makes_another_digest() -> None:
    digest = digests_of(DATA, has_blocks=False).whole
    assert is_as_written(memoryview(DATA), digest)
    assert not is_as_written(DATA[:-1] + bytes([DATA[-1] ^ 1]), digest)


def test_digests_are_read_as_they_were_written(tmp_path: Path) -> None:
    files = {
        "a.bin": digests_of(DATA, True),
        "a.idx": digests_of(b"i", False),
        "b.bin": digests_of(b"", True),
    }
    data, num_rows = encode_digests(files)
    assert num_rows == 6
    assert decode_digests(data) == files
    assert read_digests(bucket(tmp_path, files)) == files


def test_a_changed_blocks_file_is_refused(tmp_path: Path) -> None:
    table = bucket(tmp_path, {"a.idx": digests_of(b"i", False)})
    other, _ = encode_digests({"a.idx": digests_of(b"j", False)})
    tables.write_bytes(table.path, BLOCKS_FILE, other)
    with pytest.raises(
        ContractError, match=r"blocks.parquet: not the file that the manifest names; remedy: "
    ):
        read_digests(table)


def test_a_bucket_without_digests_is_refused(tmp_path: Path) -> None:
    manifest = Manifest("tokens/b", "test", "", "", 0, 0)
    parts = tables.PartList.of([Part("a.bin", 0, 0, "0" * 32)])
    with pytest.raises(ContractError, match="names no digests of the token files; remedy: run make tokenize"):
        read_digests(tables.Table(f"{tmp_path}/tokens/b", manifest, parts))


def test_a_block_is_whole_tokens() -> None:
    assert blocks.BLOCK_BYTES % 4 == 0
