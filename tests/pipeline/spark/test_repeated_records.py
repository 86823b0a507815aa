"""Of a WARC record in several files the first row stays, whatever was read first or in an earlier run."""

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import Manifest
from pipeline.ingest_sources import run
from tests.pipeline.warc_files import compressed, response

pytestmark = pytest.mark.spark

PRESET = """
rows_per_part = 2
bytes_per_part = 1000000
files_per_shard = 1
max_content_bytes = 100000
max_expansion = 200

[[sources]]
name = "web"
path = "{}/*.warc.gz"
format = "warc"
"""
FILES = {
    "1": compressed(response("a"), response("b"), response("c"), response("gone", status="404 Gone")),
    "2": compressed(response("x"), response("b"), response("a"), response("y"), response("x")),
    "3": compressed(response("a"), response("y")),
}
"""Parts of two records. In 2, the first part loses b, the second loses a and keeps y; 3 loses all."""
KEPT = {"1": "abc", "2": "xy", "3": ""}
REJECTED = {"1": ["gone"], "2": ["a of 1", "b of 1", "x"], "3": ["a of 1", "y of 2"]}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "preset").mkdir()
    (tmp_path / "preset" / "ingest.toml").write_text(PRESET.format(tmp_path / "in"))
    return Place(tmp_path / "preset", "", str(tmp_path / "run"))


def ingest(spark: SparkSession, place: Place, files: str) -> Manifest:
    """Run over these files of FILES alone; a file that was there before stays as it was."""
    folder = place.preset.parent / "in"
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        if path.name[0] not in files:
            path.unlink()
    for name in files:
        path = folder / f"{name}.warc.gz"
        if not path.exists():
            path.write_bytes(FILES[name])
    manifest = run(spark, place)
    assert manifest is not None
    assert manifest.rows_in == manifest.rows_out + sum(manifest.rejected.values())
    assert manifest.rows_in == sum(FILES[name].count(b"\x1f\x8b\x08") for name in files)
    return manifest


def rows_of(place: Place, name: str) -> list[dict[str, Any]]:
    table = tables.read(tables.open_table(place.output, name))
    return table.to_pylist() if table else []


def kept(place: Place) -> dict[str, str]:
    """Names of the records in `raw`, by file."""
    found = dict.fromkeys(FILES, "")
    for row in rows_of(place, "raw"):
        found[Path(row["origin"]["file"]).name[0]] += row["url"][-1]
    return {name: "".join(sorted(names)) for name, names in found.items()}


def rejected(place: Place) -> dict[str, list[str]]:
    """Names of the rejects by file, and the file that keeps the record if it is another one."""
    found: dict[str, list[str]] = {name: [] for name in FILES}
    for row in rows_of(place, "raw_rejects"):
        name = row["url"].rpartition("/")[2]
        if row["reject_reason"] == "duplicate_doc_id":
            assert row["duplicate_of"] == row["doc_id"]
            if row["detail"]:
                name += f" of {row['detail'].removesuffix('.warc.gz stays')[-1]}"
        found[Path(row["origin"]["file"]).name[0]].append(name)
    return {file: sorted(names) for file, names in found.items()}


def digests(place: Place) -> tuple[str, str]:
    raw, rejects = (tables.open_table(place.output, name).manifest for name in ("raw", "raw_rejects"))
    assert rejects.rows_out == raw.rows_in - raw.rows_out
    return raw.digest, rejects.digest


def records(place: Place) -> dict[str, tuple[int, bytes]]:
    """Time and content of the record of every finished shard."""
    found = Path(place.output, "raw", "shards").glob("*.json")
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_the_first_row_stays_and_the_others_are_rejects(spark: SparkSession, place: Place) -> None:
    manifest = ingest(spark, place, "123")
    assert (manifest.rows_in, manifest.rows_out) == (11, 5)
    assert manifest.rejected == {"duplicate_doc_id": 5, "http_error_status": 1}
    assert (kept(place), rejected(place)) == (KEPT, REJECTED)
    assert run(spark, place) == manifest


@pytest.mark.parametrize("before", ["1", "3", "23", "13"])
def test_files_added_later_give_the_table_of_one_run(spark: SparkSession, place: Place, before: str) -> None:
    """Rows that an earlier run kept go away, and shards that it finished are not read again."""
    ingest(spark, place, before)
    finished = records(place)
    assert len(finished) == len(before)
    ingest(spark, place, "123")
    assert (kept(place), rejected(place)) == (KEPT, REJECTED)
    assert finished.items() <= records(place).items()
    resumed = digests(place)
    ingest(spark, Place(place.preset, "", place.output + "-clean"), "123")
    assert digests(Place(place.preset, "", place.output + "-clean")) == resumed


def test_rows_come_back_when_the_file_before_them_goes(spark: SparkSession, place: Place) -> None:
    ingest(spark, place, "123")
    finished = records(place)
    ingest(spark, place, "23")
    assert kept(place) == {"1": "", "2": "abxy", "3": ""}
    assert rejected(place) == {"1": [], "2": ["x"], "3": ["a of 2", "y of 2"]}
    ingest(spark, place, "3")
    assert (kept(place)["3"], rejected(place)["3"]) == ("ay", [])
    assert records(place) == finished


@pytest.mark.parametrize("step", ["reject_repeats", "commit"])
def test_a_run_that_ends_early_leaves_no_table_and_costs_no_shard(
    spark: SparkSession, place: Place, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It ends after the tasks, or after the parts with repeated rows were written again."""

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(f"pipeline.ingest_sources.{step}", killed)
        with pytest.raises(KeyboardInterrupt):
            ingest(spark, place, "123")
    assert tables.read_manifest(place.output, "raw") is None
    finished = records(place)
    assert len(finished) == 3
    ingest(spark, place, "123")
    assert (kept(place), rejected(place)) == (KEPT, REJECTED)
    assert records(place) == finished


def test_only_rewritten_parts_are_on_disk_twice(spark: SparkSession, place: Place) -> None:
    """Four parts of 1 and 2 and one of 3 were written; those of 2 and 3 lose rows, and 3 keeps none."""
    manifest = ingest(spark, place, "123")
    raw = Path(place.output, "raw")
    on_disk = {str(path.relative_to(raw)) for path in raw.glob("source=*/*")}
    in_table = {part.path for part in manifest.parts}
    assert in_table < on_disk
    assert (len(in_table), len(on_disk - in_table)) == (4, 3)
