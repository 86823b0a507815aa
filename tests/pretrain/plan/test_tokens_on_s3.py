"""Token files on an object store: read block by block, verified as on a folder."""

from pathlib import Path

import numpy as np
import pytest

from configs import tables
from configs.contract import ContractError
from configs.tokens.blocks import BLOCK_BYTES
from pretrain.plan import verify_tokens as module
from pretrain.plan.token_files import TokenFile, open_token_files
from pretrain.plan.verify_tokens import Unit, verify_tokens
from tests.pretrain.small_run import EOD, write_bucket

BLOCK_TOKENS = BLOCK_BYTES // 2
TOKENS = [*(1 + np.arange(2 * BLOCK_TOKENS + 9) % 90).tolist(), EOD]


@pytest.fixture
def root(bucket: str, tmp_path: Path) -> str:
    """A root with one token table of two whole blocks and a short one."""
    write_bucket(tmp_path, "b", [TOKENS], shards=1)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            tables.write_bytes(f"{bucket}/r", str(path.relative_to(tmp_path)), path.read_bytes())
    return f"{bucket}/r"


def damage(root: str, place: int) -> None:
    name = tables.open_table(root, "tokens/b").manifest.facts["prefixes"][0]
    data = bytearray(tables.read_bytes(f"{root}/tokens/b", f"{name}.bin"))
    data[place] ^= 1
    tables.write_bytes(f"{root}/tokens/b", f"{name}.bin", bytes(data))


def opened(root: str, monkeypatch: pytest.MonkeyPatch) -> tuple[TokenFile, list[int]]:
    """The shard, and the numbers of the blocks that it asks for."""
    [shard] = open_token_files(tables.open_table(root, "tokens/b"))
    asked: list[int] = []
    fetch = shard.fetch
    assert fetch is not None

    def noting(number: int) -> bytes:
        asked.append(number)
        return fetch(number)

    object.__setattr__(shard, "fetch", noting)
    return shard, asked


def test_a_block_is_asked_for_once_when_it_is_first_read(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shard, asked = opened(root, monkeypatch)
    last = 2 * BLOCK_TOKENS + 9
    assert shard.read(np.array([last, last - 1])).tolist() == [EOD, TOKENS[last - 1]]
    assert shard.read(np.array([last])).tolist() == [EOD]
    assert asked == [2]
    assert shard.read(np.arange(last + 1)).tolist() == TOKENS
    assert asked == [2, 0, 1]


def test_a_damaged_block_gives_no_token(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    damage(root, BLOCK_BYTES)
    shard, _ = opened(root, monkeypatch)
    assert shard.read(np.array([0])).tolist() == [1]
    with pytest.raises(ContractError, match=r"block 1 .* is not what tokenize wrote"):
        shard.read(np.array([BLOCK_TOKENS]))


def test_preflight_verifies_them_once(root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []
    honest = module.verify

    def noting(unit: Unit) -> str:
        read.extend(unit.files())
        return honest(unit)

    monkeypatch.setattr(module, "verify", noting)
    for _ in range(2):
        verify_tokens(root, ["tokens/b"], str(tmp_path), writes_memory=True)
    assert len(read) == 3
    assert all(path.startswith(f"{root}/tokens/b/") for path in read)
    damage(root, 0)
    (tmp_path / module.MEMORY_FILE).unlink()
    with pytest.raises(ContractError, match=r"block 0 .* is not what tokenize wrote"):
        verify_tokens(root, ["tokens/b"], str(tmp_path), writes_memory=True)
