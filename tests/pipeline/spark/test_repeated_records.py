"""Of a WARC record in several files the first row stays, whatever was read first or in an earlier run."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import RAW, Manifest
from configs.storage import parts
from configs.storage.shard_log import Record, read_log
from pipeline.ingest_sources import run
from pipeline.spark.repeated_records import reject_repeats
from tests.pipeline.warc_files import compressed, response

pytestmark = pytest.mark.spark

PRESET = """
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
"""2 loses b and a and keeps x and y; 3 loses all."""
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


def records(place: Place) -> dict[str, Record]:
    """The record of every finished shard; a shard that is done again has parts of other names."""
    return read_log(place.output, "raw").records()


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
    assert len(finished | records(place)) == len(FILES)
    assert {name: records(place)[name] for name in finished} == finished
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
    [left] = records(place).items()
    assert left in finished.items()


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
    """One part of each file was written; those of 2 and 3 lose rows, and 3 keeps none."""
    for files in ("123", "23", "123"):
        manifest = ingest(spark, place, files)
    raw = Path(place.output, "raw")
    on_disk = {str(path.relative_to(raw)) for path in raw.glob("data/*")}
    in_table = {part.path for part in tables.read_parts(place.output, manifest)}
    assert in_table < on_disk
    assert (len(in_table), len(on_disk - in_table)) == (2, 2)


def test_the_other_parts_of_a_shard_are_not_written_again(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One shard has the parts [a], [b], [c], another one has [b] and [d]: only its [b] goes."""
    monkeypatch.setattr(parts, "ROW_GROUP_BYTES", 1)
    monkeypatch.setattr(parts, "MAX_PART_BYTES", 1)
    written = {}
    for shard, names in (("1", "abc"), ("2", "bd")):
        writer = tables.PartWriter(f"{tmp_path}/raw", RAW, shard)
        for offset, name in enumerate(names):
            origin = {"file": shard, "offset": offset, "length": 1}
            row = {"doc_id": name, "source": "web", "kind": "html", "content": b"x", "origin": origin}
            writer.write(pa.Table.from_pylist([row], schema=RAW))
        written[shard] = Record("mark", writer.close(), rows_out=len(names))
    found = reject_repeats(spark, str(tmp_path), "raw", written, {"1", "2"})
    assert found["1"] == written["1"]
    assert found["2"].parts == written["2"].parts[1:]
    assert (found["2"].rows_out, found["2"].rejected) == (1, {"duplicate_doc_id": 1})
    [reject] = found["2"].reject_parts
    assert reject.rows == 1
