"""Whatever an input file holds is a row or a reject with its reason; doc_ids are stable and unique."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import KINDS, ContractError
from configs.loader import ConfigError
from configs.storage.shard_log import read_log
from pipeline.ingest_sources import SourceConfig, plan, run, transform
from pipeline.reading.content_kinds import KIND_OF_TYPE, kind_of
from tests.pipeline.ingest_presets import config_of, preset, rows_of, web
from tests.pipeline.warc_files import compressed, record, response


def reason_of(tmp_path: Path, one: bytes) -> str | None:
    [row] = rows_of(web(tmp_path / "one.warc.gz", one))
    return row["reject_reason"]


def test_a_page_becomes_a_row(tmp_path: Path) -> None:
    [row] = rows_of(web(tmp_path / "one.warc.gz", response("a", b"<p>x</p>")))
    assert row["content"] == b"<p>x</p>"
    assert (row["kind"], row["url"], row["source"]) == ("html", "https://site.example/a", "web")
    assert row["content_type"] == "text/html; charset=utf-8"
    assert row["fetched_at"].isoformat() == "2026-01-02T03:04:05+00:00"
    assert row["origin"] == {
        "file": str(tmp_path / "one.warc.gz"),
        "offset": 0,
        "length": row["origin"]["length"],
    }
    assert row["reject_reason"] is None


@pytest.mark.parametrize(
    ("one", "reason"),
    [
        (response("a", record_type="revisit"), "warc_revisit"),
        (record("a", b"GET / HTTP/1.1\r\n\r\n", record_type="request"), "warc_not_a_page"),
        (record("a", b"fetchTimeMs: 7", record_type="metadata"), "warc_not_a_page"),
        (record("a", b"software: x", record_type="warcinfo"), "warc_not_a_page"),
        (record("a", b"dns: nothing of HTTP"), "warc_not_a_page"),
        (response("a", status="404 Not Found"), "http_error_status"),
        (response("a", status="301 Moved"), "http_error_status"),
        (response("a", b"\x89PNG", content_type="image/png"), "unsupported_content_type"),
        (response("a", b" \n"), "empty_content"),
        (response("a", b"\x1f\x8bx", headers="Content-Encoding: gzip\r\n"), "undecodable_content_encoding"),
        (response("a", gzip.compress(bytes(2_000_000)), headers="Content-Encoding: gzip\r\n"), "too_large"),
        (response("a", b"x" * 100_001), "too_large"),
    ],
)  # fmt: skip
def test_what_is_no_page_has_its_reason(tmp_path: Path, one: bytes, reason: str) -> None:
    assert reason_of(tmp_path, one) == reason


def test_truncated_record_is_a_reject(tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(compressed(response("a"), response("b", b"y" * 999))[:-25])
    config = config_of(SourceConfig(name="web", path=str(tmp_path / "x.warc.gz"), format="warc"))
    assert [row["reject_reason"] for row in rows_of(config)] == [None, "warc_truncated_record"]


def test_the_same_record_twice_is_kept_once(tmp_path: Path) -> None:
    first, second = rows_of(web(tmp_path / "x.warc", response("a"), response("a"), packed=False))
    assert (first["reject_reason"], second["reject_reason"]) == (None, "duplicate_doc_id")
    assert second["duplicate_of"] == first["doc_id"] == second["doc_id"]


def test_a_reject_does_not_stand_in_the_way_of_a_whole_copy(tmp_path: Path) -> None:
    lost, whole = rows_of(web(tmp_path / "x.warc.gz", response("a", status="500 Oh"), response("a")))
    assert (lost["reject_reason"], whole["reject_reason"]) == ("http_error_status", None)
    assert lost["doc_id"] == whole["doc_id"]


def test_doc_ids_do_not_depend_on_where_the_corpus_lies(tmp_path: Path) -> None:
    ids = []
    for folder in (tmp_path / "here", tmp_path / "there"):
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "a.py").write_text("x = 1\n")
        (folder / "x.warc.gz").write_bytes(compressed(response("a")))
        config = config_of(
            SourceConfig(name="web", path=str(folder / "x.warc.gz"), format="warc"),
            SourceConfig(name="code", path=str(folder / "code"), format="code"),
        )
        ids.append([row["doc_id"] for row in rows_of(config)])
    assert ids[0] == ids[1]


def test_jsonl(tmp_path: Path) -> None:
    lines = [
        json.dumps({"body": "first", "key": "k1", "link": "https://a.example/"}),
        "{broken",
        json.dumps({"key": "k2"}),
        json.dumps(["no object"]),
        "",
        json.dumps({"body": " "}),
        json.dumps({"body": "last"}),
    ]
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    source = SourceConfig(
        name="docs", path=str(tmp_path / "x.jsonl.gz"), format="jsonl",
        text_field="body", id_field="key", url_field="link",
    )  # fmt: skip
    rows = rows_of(config_of(source))
    assert [row["reject_reason"] for row in rows] == [
        None, "malformed_line", "malformed_line", "malformed_line", "empty_content", None,
    ]  # fmt: skip
    assert (rows[0]["content"], rows[0]["url"], rows[0]["kind"]) == (b"first", "https://a.example/", "text")
    assert rows[0]["origin"]["offset"] == 0
    assert rows[1]["origin"]["offset"] == len(lines[0]) + 1
    assert rows[1]["excerpt"].strip() == "{broken"


def test_lone_surrogates_in_json_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(
        r'{"text": "a\ud800b", "id": "\udfff", "url": "https://a.example/\ud800"}'
    )
    source = SourceConfig(
        name="docs", path=str(tmp_path / "x.jsonl"), format="jsonl", id_field="id", url_field="url"
    )
    [row] = rows_of(config_of(source))
    assert (row["content"], row["url"]) == (b"a?b", "https://a.example/?")


def test_parquet(tmp_path: Path) -> None:
    pq.write_table(pa.table({"text": ["one", None], "other": [1, 2]}), tmp_path / "x.parquet")
    rows = rows_of(config_of(SourceConfig(name="t", path=str(tmp_path / "x.parquet"), format="parquet")))
    assert [(row["content"], row["reject_reason"]) for row in rows] == [
        (b"one", None),
        (None, "malformed_line"),
    ]


def test_one_file_is_one_document(tmp_path: Path) -> None:
    for name, content in (("a.py", b"x = 1"), ("b.py", b""), ("c.py", b"x" * 100_001)):
        (tmp_path / name).write_bytes(content)
    rows = rows_of(config_of(SourceConfig(name="code", path=str(tmp_path / "*.py"), format="code")))
    assert {row["origin"]["file"][-4:]: row["reject_reason"] for row in rows} == {
        "a.py": None,
        "b.py": "empty_content",
        "c.py": "too_large",
    }
    assert {row["kind"] for row in rows} == {"code"}


@pytest.mark.parametrize(("limit", "value"), [("tables.BATCH_ROWS", 3), ("BATCH_BYTES", 2 * 13 + 1)])
def test_rows_are_handed_on_in_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """Of three rows at most, or of so many rows that their bytes reach a limit: here more than two pages."""
    monkeypatch.setattr(f"pipeline.ingest_sources.{limit}", value)
    config = web(tmp_path / "x.warc.gz", *(response(f"n{n}", b"<p>a page</p>") for n in range(7)))
    [shard] = plan(config)
    assert [table.num_rows for table in transform(shard, config)] == [3, 3, 1]


@pytest.mark.parametrize(
    ("content_type", "url", "content", "kind"),
    [
        ("text/html; charset=x", None, b"<p>", "html"),
        ("text/html", None, b"%PDF-1.5", "pdf"),
        ("application/pdf", None, b"<html>", None),
        (None, None, b" <!DOCTYPE html>", "html"),
        (None, None, b"words", None),
        ("application/octet-stream", "https://a.example/x.ipynb", b"{}", "notebook"),
        ("text/plain", "https://a.example/src/x.rs?raw=1", b"fn main", "code"),
        ("text/plain", "https://a.example/readme", b"words", "text"),
        ("text/plain", "http://[broken", b"words", "text"),
        ("application/json", "https://a.example/x.json", b"{}", None),
        ("image/png", "https://a.example/x.py", b"", None),
    ],
)
def test_kind_of(content_type: str | None, url: str | None, content: bytes, kind: str | None) -> None:
    assert kind_of(content_type, url, content) == kind
    assert set(KIND_OF_TYPE.values()) <= set(KINDS)


@pytest.mark.spark
def test_run_writes_counts_and_skips_finished_work(spark: SparkSession, tmp_path: Path) -> None:
    (tmp_path / "x.warc.gz").write_bytes(
        compressed(*(response(f"n{n}") for n in range(7)), response("gone", status="404 Gone"))
    )
    place = Place(
        preset(tmp_path / "p", "web", tmp_path / "*.warc.gz"), str(tmp_path / "run"), str(tmp_path / "run")
    )
    manifest = run(spark, place)
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (8, 7, {"http_error_status": 1})
    assert tables.read(tables.open_table(place.output, "raw")).num_rows == 7
    assert manifest.num_parts == 1
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert run(spark, place) == manifest
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()
    } == written


@pytest.mark.spark
def test_bad_inputs_stop_with_nothing_half_written(spark: SparkSession, tmp_path: Path) -> None:
    place = Place(preset(tmp_path / "p", "web", tmp_path / "none" / "*.warc"), "", str(tmp_path / "run"))
    with pytest.raises(ConfigError, match=r"no file matches.*remedy"):
        run(spark, place)
    assert not (tmp_path / "run").exists()
    (tmp_path / "x.warc").write_bytes(response("a", status="500 Oh"))
    preset(tmp_path / "p", "web", tmp_path / "x.warc")
    with pytest.raises(ContractError, match=r"no document among 1 records.*remedy.*http_error_status"):
        run(spark, place)
    assert tables.read_manifest(place.output, "raw") is None


@pytest.mark.spark
@pytest.mark.slow
def test_killed_and_run_again_gives_the_same_content(spark: SparkSession, tmp_path: Path) -> None:
    for n in range(8):
        pages = (response(f"{n}-{m}", b"<p>page</p>" * 5_000) for m in range(30))
        (tmp_path / f"{n}.warc.gz").write_bytes(compressed(*pages))
    folder = preset(tmp_path / "p", "web", tmp_path / "*.warc.gz")
    clean = run(spark, Place(folder, "", str(tmp_path / "clean")))

    command = [sys.executable, "-m", "pipeline.ingest_sources", "--preset", str(folder), "--output"]
    child = subprocess.Popen([*command, str(tmp_path / "killed")], start_new_session=True)
    shards = tmp_path / "killed" / "raw" / "_meta" / "records"
    deadline = time.monotonic() + 120
    while not list(shards.glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    assert tables.read_manifest(str(tmp_path / "killed"), "raw") is None
    done = read_log(str(tmp_path / "killed"), "raw").records()
    assert 0 < len(done) < 8
    again = run(spark, Place(folder, "", str(tmp_path / "killed")))
    assert (again.rows_out, again.digest, again.fingerprint) == (240, clean.digest, clean.fingerprint)
    known = read_log(str(tmp_path / "killed"), "raw").records()
    assert {name: known[name] for name in done} == done
