"""A bad input file is a reject and the others are read; a WARC source that keeps nothing is refused."""

import gzip
import os
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from pipeline.ingest_sources import SourceConfig, plan, run, transform
from tests.pipeline.ingest_presets import config_of, preset, rows_of, web
from tests.pipeline.warc_files import compressed, record, response


def test_unreadable_files_cost_only_themselves(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"not parquet")
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(b'{"text": "kept"}\n' + b"x" * 9999)[:-40])
    sources = [
        SourceConfig(name="a", path=str(tmp_path / "a.parquet"), format="parquet"),
        SourceConfig(name="b", path=str(tmp_path / "b.jsonl.gz"), format="jsonl"),
    ]
    reasons = [row["reject_reason"] for row in rows_of(config_of(*sources))]
    assert reasons.count("file_unreadable") == 2


def rows_and_rejects(root: str) -> list[tuple[str, int, str | None]]:
    """(file name, offset, reject reason) of every row of `raw` and its rejects, sorted."""
    found = []
    for name in ("raw", "raw_rejects"):
        table = tables.read(tables.open_table(root, name))
        for row in table.to_pylist() if table else []:
            origin = row["origin"]
            found.append((Path(origin["file"]).name, origin["offset"], row.get("reject_reason")))
    return sorted(found)


@pytest.mark.spark
def test_bad_warcs_are_rejects_and_the_others_are_read(spark: SparkSession, tmp_path: Path) -> None:
    files = {
        "empty.warc.gz": b"",
        "good.warc.gz": compressed(response("a")),
        "text.warc": b"a text file with a wrong name\n",
        "zeroed.warc": bytes(300) + response("b") + response("c"),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    place = Place(preset(tmp_path / "p", "web", tmp_path / "*.warc*"), "", str(tmp_path / "run"))
    manifest = run(spark, place)
    assert (manifest.rows_in, manifest.rows_out) == (6, 3)
    assert manifest.rejected == {"warc_malformed_record": 1, "warc_unreadable": 2}
    assert rows_and_rejects(place.output) == [
        ("empty.warc.gz", 0, "warc_unreadable"),
        ("good.warc.gz", 0, None),
        ("text.warc", 0, "warc_unreadable"),
        ("zeroed.warc", 0, "warc_malformed_record"),
        ("zeroed.warc", 300, None),
        ("zeroed.warc", 300 + len(response("b")), None),
    ]


@pytest.mark.parametrize("obstacle", ["no file", "a folder", "no permission"])
def test_a_warc_that_cannot_be_opened_is_a_reject(tmp_path: Path, obstacle: str) -> None:
    path = tmp_path / "x.warc.gz"
    config = web(path, response("a"))
    [shard] = plan(config)
    if obstacle == "no permission":
        path.chmod(0)
        if os.access(path, os.R_OK):
            pytest.skip("root may read every file")
    else:
        path.unlink()
    if obstacle == "a folder":
        path.mkdir()
    [row] = [row for table in transform(shard, config) for row in table.to_pylist()]
    assert row["reject_reason"] == "file_unreadable"
    assert row["origin"] == {"file": str(path), "offset": 0, "length": 0}
    assert "x.warc.gz" in row["detail"]


def test_planning_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = web(tmp_path / "x.warc.gz", response("a"))
    monkeypatch.setattr("pipeline.reading.stored.filesystem", lambda path: pytest.fail(f"opened {path}"))
    assert len(plan(config)) == 1


@pytest.mark.spark
def test_a_warc_source_without_any_row_is_refused(spark: SparkSession, tmp_path: Path) -> None:
    """Another source keeps rows, so that the table is not empty."""
    (tmp_path / "a.warc").write_bytes(record("a", b"software: x", record_type="warcinfo"))
    (tmp_path / "b.warc").write_bytes(b"a text")
    (tmp_path / "c.warc").write_bytes(b"")
    (tmp_path / "x.py").write_text("x = 1")
    folder = preset(tmp_path / "p", "web", tmp_path / "*.warc")
    with (folder / "ingest.toml").open("a") as stream:
        stream.write(f'[[sources]]\nname = "code"\npath = "{tmp_path / "x.py"}"\nformat = "code"\n')
    place = Place(folder, "", str(tmp_path / "run"))
    expected = (
        r"source 'web': no document among 3 records, the first fault: warc_unreadable at byte 0 "
        r"of \S+/b\.warc \(the file does not start as a WARC does\); remedy: correct its path"
    )
    with pytest.raises(ContractError, match=expected):
        run(spark, place)
    assert tables.read_manifest(place.output, "raw") is None
