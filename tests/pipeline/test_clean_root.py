"""clean-root deletes what nothing names, and nothing else; a table whose job runs is passed over."""

from pathlib import Path

import pytest

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.lease import lease, reading
from configs.storage.shard_log import Record, write_record
from pipeline.clean_root import run
from tests.run_tables import write_files, write_table

ROW = {"doc_id": "a", "source": "web", "content": b"x"}


def place_of(root: Path, dry_run: bool = False) -> Place:
    return Place(root, str(root), str(root), dry_run=dry_run)


def files_of(root: Path) -> set[str]:
    return {
        str(path.relative_to(root))
        for path in root.rglob("*")
        if path.is_file() and not str(path.relative_to(root)).startswith("_leases/")
    }


@pytest.fixture
def orphans(tmp_path: Path) -> set[str]:
    """A root with tables, a shard that is finished but not committed, and files of dead runs."""
    write_table(
        tmp_path, "raw", [ROW], rejects=[[{"doc_id": "b", "source": "web", "reject_reason": "too_large"}]]
    )
    write_files(tmp_path, "tokens/b", {"b_00000.bin": b"x"})
    part = tables.write_bytes(f"{tmp_path}/raw", "data/part-finished.parquet", b"x")
    reject = tables.write_bytes(f"{tmp_path}/raw_rejects", "data/part-finished.parquet", b"x")
    write_record(str(tmp_path), "raw", "shard", Record("mark", (part,), (reject,)))
    unfinished = tables.write_bytes(f"{tmp_path}/documents", "data/part-unfinished.parquet", b"x")
    write_record(str(tmp_path), "documents", "other", Record("mark", ()))
    orphans = {
        "raw/data/part-dead.parquet", "raw/_meta/parts-dead.parquet", "raw_rejects/data/part-dead.parquet",
        "tokens/b/_meta/parts-dead.parquet", "_work/dedup/1/data/part-dead.parquet",
    }  # fmt: skip
    for name in orphans:
        tables.write_bytes(str(tmp_path), name, b"dead")
    tables.write_bytes(str(tmp_path), "notes/data/mine.parquet", b"the user's own")
    return orphans | {f"documents/{unfinished.path}"}


def test_only_what_nothing_names_is_deleted(
    tmp_path: Path, orphans: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(tmp_path)
    assert run(place_of(tmp_path, dry_run=True)) == len(orphans)
    assert files_of(tmp_path) == before
    assert run(place_of(tmp_path)) == len(orphans)
    assert files_of(tmp_path) == before - orphans
    assert run(place_of(tmp_path)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "clean-root: 0 files, 0 bytes deleted"
    assert tables.read(tables.open_table(str(tmp_path), "raw")) is not None


def test_a_table_that_is_written_or_read_is_passed_over(tmp_path: Path, orphans: set[str]) -> None:
    with lease(str(tmp_path), "ingest"), reading(str(tmp_path), ["tokens/b"]):
        run(place_of(tmp_path))
    left = orphans & files_of(tmp_path)
    assert {name.split("/")[0] for name in left} == {"raw", "raw_rejects", "tokens"}


def test_an_empty_root_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="no file there; remedy: name a run folder"):
        run(place_of(tmp_path / "nothing"))
