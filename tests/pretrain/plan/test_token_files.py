"""What a plan row takes from its bucket, by hand. Damaged files: see test_preflight.py."""

from pathlib import Path

import numpy as np
import pytest

from configs import tables
from configs.contract import ContractError
from configs.tokens.blocks import BLOCK_BYTES
from pretrain.plan import token_files
from pretrain.plan.token_files import TokenFile, open_ranges, open_token_files
from tests.pretrain.small_run import EOD, write_bucket, write_plan

TEXTS = [[5, 6, EOD], [7, EOD], [8, 9, 10, EOD], [11, EOD]]
BLOCK_TOKENS = BLOCK_BYTES // 2


@pytest.fixture
def bucket(tmp_path: Path) -> tables.Table:
    """One shard of two whole blocks and a short one; token n is 1 + n % 90."""
    write_bucket(tmp_path, "b", [[*(1 + np.arange(2 * BLOCK_TOKENS + 9) % 90).tolist(), EOD]], shards=1)
    return tables.open_table(str(tmp_path), "tokens/b")


def flip(path: str, place: int) -> None:
    with Path(path).open("r+b") as file:
        file.seek(place)
        [byte] = file.read(1)
        file.seek(place)
        file.write(bytes([byte ^ 1]))


def read(shard: TokenFile, *places: int) -> list[int]:
    return shard.read(np.array(places)).tolist()


def test_a_shard_knows_where_documents_begin(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", TEXTS, shards=2)
    _, shard = open_token_files(tables.open_table(str(tmp_path), "tokens/b"))
    assert shard.starts.tolist() == [0, 4, 6]
    assert shard.tokens.tolist() == [8, 9, 10, EOD, 11, EOD]


def test_a_range_counts_over_all_shards(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", TEXTS, shards=2)
    write_bucket(tmp_path, "a", TEXTS, shards=1)
    rows = [
        {"bucket": "b", "source": "web", "weight": 0.7, "document_start": 1, "document_end": 3, "tokens": 6},
        {"bucket": "a", "source": "code", "weight": 0.3, "document_start": 0, "document_end": 1, "tokens": 3},
    ]
    write_plan(tmp_path, 1, rows)
    a, b = open_ranges(str(tmp_path), 1)
    assert (a.bucket, a.source, a.weight, a.first, a.length, len(a.shards)) == ("a", "code", 0.3, 0, 3, 1)
    assert (b.bucket, b.source, b.weight, b.first, b.length, len(b.shards)) == ("b", "web", 0.7, 3, 6, 2)
    assert (a.eod, b.eod) == (EOD, EOD)


def test_a_block_is_compared_once_when_it_is_first_read(
    bucket: tables.Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []
    honest = token_files.is_as_written
    [shard] = open_token_files(bucket)

    def counting(data: memoryview, digest: bytes) -> bool:
        compared.append(shard.blocks.index(digest))
        return honest(data, digest)

    monkeypatch.setattr(token_files, "is_as_written", counting)
    assert read(shard, 0, 1, 2) == [1, 2, 3]
    assert compared == [0]
    assert read(shard, BLOCK_TOKENS - 1, BLOCK_TOKENS) == [1 + (BLOCK_TOKENS - 1) % 90, 1 + BLOCK_TOKENS % 90]
    assert read(shard, 2 * BLOCK_TOKENS + 9, 0) == [EOD, 1]
    assert read(shard, *range(0, len(shard.tokens), 1000))[0] == 1
    assert compared == [0, 1, 2]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_block_gives_no_token_and_the_others_do(bucket: tables.Table, number: int) -> None:
    [path] = (file for file in bucket.files() if file.endswith(".bin"))
    flip(path, number * BLOCK_BYTES + 17)
    [shard] = open_token_files(bucket)
    for other in range(3):
        place = other * BLOCK_TOKENS + 3
        if other == number:
            with pytest.raises(ContractError) as caught:
                read(shard, place)
            assert str(caught.value) == (
                f"{path}: block {number} (from byte {number * BLOCK_BYTES:,}) is not what tokenize wrote; "
                "remedy: run make tokenize again with --overwrite"
            )
        else:
            assert read(shard, place) == [1 + place % 90]


@pytest.mark.parametrize("place", [40, 43, 52, 60])
def test_an_index_with_a_flipped_bit_is_refused(tmp_path: Path, place: int) -> None:
    """Lengths begin at byte 34, offsets at 42, document numbers at 58."""
    write_bucket(tmp_path, "b", TEXTS, shards=2)
    table = tables.open_table(str(tmp_path), "tokens/b")
    flip(f"{table.path}/b_00000.idx", place)
    with pytest.raises(
        ContractError, match=r"b_00000\.(idx: not what tokenize wrote|bin: .* its index names)"
    ):
        open_token_files(table)


def test_shards_that_changed_places_are_refused(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", [[5, 6, EOD], [7, 8, EOD]], shards=2)
    table = tables.open_table(str(tmp_path), "tokens/b")
    first, second = (Path(f"{table.path}/b_0000{number}.bin") for number in (0, 1))
    content = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(content)
    for shard in open_token_files(table):
        with pytest.raises(ContractError, match=r"block 0 .from byte 0. is not what tokenize wrote"):
            read(shard, 0)


def test_digests_that_do_not_name_the_files_are_refused(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", TEXTS, shards=1, prefixes=["b_00007"])
    table = tables.open_table(str(tmp_path), "tokens/b")
    for ending in ("bin", "idx"):
        Path(f"{table.path}/b_00000.{ending}").rename(f"{table.path}/b_00007.{ending}")
    with pytest.raises(ContractError, match=r"b_00007: blocks.parquet has no digest of its .bin or .idx"):
        open_token_files(table)
