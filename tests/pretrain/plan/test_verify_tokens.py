"""Preflight reads a token file once, again when it changed, and in other processes if there is much to read.

What it finds in damaged files: tests/pretrain/test_preflight.py.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from configs.contract import ContractError
from pretrain.plan import verify_tokens as module
from pretrain.plan.verify_tokens import MEMORY_FILE, Unit, verify_tokens
from tests.pretrain.small_run import documents, write_bucket

NAMES = ("tokens/a", "tokens/b")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Bucket a has two shards, bucket b one: eight files to verify in five units."""
    write_bucket(tmp_path, "a", documents(1, 20), shards=2)
    write_bucket(tmp_path, "b", documents(2, 20), shards=1)
    return tmp_path


@pytest.fixture
def verified(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were read, as they are read."""
    honest, names = module.verify, []

    def noting(unit: Unit) -> str:
        names.extend("/".join(path.split("/")[-2:]) for path in unit.files())
        return honest(unit)

    monkeypatch.setattr(module, "verify", noting)
    return names


def run(root: Path, **options: bool) -> None:
    verify_tokens(str(root), NAMES, str(root), **{"writes_memory": True, **options})


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4] ^= 1
    path.write_bytes(data)


def test_a_second_run_reads_no_file(root: Path, verified: list[str]) -> None:
    run(root)
    assert sorted(verified) == [
        "a/a_00000.bin", "a/a_00000.idx", "a/a_00001.bin", "a/a_00001.idx", "a/spans.parquet",
        "b/b_00000.bin", "b/b_00000.idx", "b/spans.parquet",
    ]  # fmt: skip
    verified.clear()
    written = (root / MEMORY_FILE).stat().st_mtime_ns
    run(root)
    assert verified == []
    assert (root / MEMORY_FILE).stat().st_mtime_ns == written


def test_a_file_that_was_touched_is_read_again(root: Path, verified: list[str]) -> None:
    run(root)
    verified.clear()
    os.utime(root / "tokens/a/a_00001.idx")
    run(root)
    assert verified == ["a/a_00001.bin", "a/a_00001.idx"]


def test_damage_of_the_same_size_is_found_after_a_run_that_passed(root: Path, verified: list[str]) -> None:
    run(root)
    verified.clear()
    flip(root / "tokens/b/b_00000.bin")
    for _ in range(2):  # a fault is not remembered as verified
        with pytest.raises(ContractError, match=r"b_00000.bin: block 0"):
            run(root)
    assert verified == ["b/b_00000.bin", "b/b_00000.idx"] * 2


def test_a_fault_does_not_make_the_other_files_forgotten(root: Path, verified: list[str]) -> None:
    flip(root / "tokens/a/a_00000.bin")
    with pytest.raises(ContractError, match=r"a_00000.bin: block 0"):
        run(root)
    flip(root / "tokens/a/a_00000.bin")
    verified.clear()
    run(root)
    assert verified == ["a/a_00000.bin", "a/a_00000.idx"]


def test_tokens_made_again_are_read_again(root: Path, verified: list[str]) -> None:
    """Even where a file has the old size and mtime: the bucket names other digests."""
    run(root)
    verified.clear()
    times = {path: path.stat().st_mtime_ns for path in (root / "tokens/b").iterdir()}
    texts = documents(2, 20)
    texts[0][0] += 1
    write_bucket(root, "b", texts, shards=1)
    for path, mtime_ns in times.items():
        os.utime(path, ns=(mtime_ns, mtime_ns))
    run(root)
    assert sorted(verified) == ["b/b_00000.bin", "b/b_00000.idx", "b/spans.parquet"]


def every_entry(memory: dict[str, dict[str, object]], **values: object) -> str:
    return json.dumps({path: entry | values for path, entry in memory.items()})


@pytest.mark.parametrize(
    "damage",
    [
        lambda memory: "",
        lambda memory: json.dumps(memory)[:-5],
        lambda memory: "[1, 2]",
        lambda memory: json.dumps(dict.fromkeys(memory)),
        lambda memory: json.dumps(dict.fromkeys(memory, True)),
        lambda memory: every_entry(memory, mtime_ns=0),
        lambda memory: every_entry(memory, size=0),
        lambda memory: every_entry(memory, mark="of other code"),
    ],
)
def test_a_damaged_or_older_memory_is_ignored(
    root: Path, verified: list[str], damage: Callable[[dict], str]
) -> None:
    run(root)
    verified.clear()
    path = root / MEMORY_FILE
    path.write_text(damage(json.loads(path.read_text())))
    run(root)
    assert len(verified) == 8
    verified.clear()
    run(root)
    assert verified == []


def test_a_dry_run_leaves_no_memory(root: Path) -> None:
    run(root, writes_memory=False)
    assert not (root / MEMORY_FILE).exists()


def test_processes_find_what_one_process_finds(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BYTES_PER_PROCESS", 1)
    monkeypatch.setattr(module.os, "cpu_count", lambda: 2)
    flip(root / "tokens/a/a_00001.bin")
    flip(root / "tokens/b/b_00000.idx")
    with pytest.raises(ContractError, match=r"a_00001.bin: block 0"):
        run(root)
    flip(root / "tokens/a/a_00001.bin")
    with pytest.raises(ContractError, match=r"b_00000.idx: "):
        run(root)
    flip(root / "tokens/b/b_00000.idx")
    run(root)


def test_a_bucket_without_documents_passes(tmp_path: Path) -> None:
    write_bucket(tmp_path, "a", [], shards=0)
    write_bucket(tmp_path, "b", documents(2, 2), shards=1)
    run(tmp_path)
