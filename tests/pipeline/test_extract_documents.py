"""Every raw row becomes one document or one reject; what fails or hangs costs only itself."""

import json
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import RAW, ContractError
from pipeline.extract_documents import ExtractConfig, run, transform
from pipeline.extraction.extract_row import extract_row
from pipeline.extraction.guard import Failure
from pipeline.extraction.result import Extraction
from pipeline.spark.tables import part_shards
from tests.run_tables import write_table

PAGE = b"<html><head><title>Sums</title></head><body><article><h1>Sums</h1><p>" + (
    b"The sum of two even numbers is even, and so is their product. " * 6
    + b"</p><pre><code>def double(x):\n    return 2 * x</code></pre></article></body></html>"
)


def raw_row(doc_id: str, content: bytes, kind: str = "html", **columns: object) -> dict[str, object]:
    origin = {"file": "src/sums.py", "offset": 0, "length": len(content)}
    row = dict.fromkeys(RAW.names) | {"source": "web", "origin": origin}
    return row | {"doc_id": doc_id, "kind": kind, "content": content} | columns


class FakeGuard:
    """Answers what it is told, and remembers the question."""

    def __init__(self, answer: Extraction | Failure) -> None:
        self.answer = answer
        self.asked: tuple[object, ...] = ()

    def extract(self, *question: object) -> Extraction | Failure:
        self.asked = question
        return self.answer


def test_charset_and_name_reach_the_extractor() -> None:
    guard = FakeGuard(Extraction("text", "title", 2, 1, 4, 3, "maintext"))
    row = extract_row(
        raw_row("a", b"x", url="https://a.example", content_type='text/html; Charset="KOI8-R"'), guard
    )
    assert guard.asked == ("html", b"x", "https://a.example", "KOI8-R")
    assert (row["title"], row["code_seen"], row["code_kept"]) == ("title", 2, 1)
    assert (row["math_seen"], row["math_kept"], row["engine"]) == (4, 3, "maintext")
    assert row.get("reject_reason") is None
    extract_row(raw_row("a", b"x", kind="code"), guard)
    assert guard.asked == ("code", b"x", "src/sums.py", None)


def test_failures_and_empty_texts_are_rejects() -> None:
    failed = extract_row(raw_row("a", "Käse".encode() * 999), FakeGuard(Failure("timeout", "over 5 s")))
    assert (failed["reject_reason"], failed["detail"], len(failed["excerpt"])) == (
        "timeout",
        "over 5 s",
        2000,
    )
    empty = extract_row(raw_row("a", b"<p>"), FakeGuard(Extraction(" \n", "", 1, 0, 0, 0, "maintext")))
    assert (empty["reject_reason"], empty["detail"]) == ("empty_text", "engine maintext")
    assert json.loads(empty["measurements"])["code_seen"] == 1


def test_transform_extracts_for_real(tmp_path: Path) -> None:
    rows = [
        raw_row("page", PAGE),
        raw_row("empty", b"<html></html>"),
        raw_row("code", b"x = 1\n", kind="code"),
    ]
    write_table(str(tmp_path), "raw", rows)
    [shard] = part_shards(tables.open_table(str(tmp_path), "raw"))
    config = ExtractConfig(timeout_s=20.0, max_memory_bytes=2_000_000_000, max_error_fraction=0.0)
    page, empty, code = (row for table in transform(shard, config) for row in table.to_pylist())
    assert [page["doc_id"], empty["doc_id"], code["doc_id"]] == ["page", "empty", "code"]
    assert "even, and so is their product" in page["text"]
    assert "def double(x):\n    return 2 * x" in page["text"]
    assert (page["source"], page["reject_reason"], empty["reject_reason"]) == ("web", None, "empty_text")
    assert "x = 1" in code["text"]


@pytest.mark.spark
def test_run_and_the_refusal_of_too_many_failures(spark: SparkSession, tmp_path: Path) -> None:
    root = str(tmp_path)
    wide = b"<html><p " + b"a=1 " * 3_000 + b">x</p>"
    write_table(
        root,
        "raw",
        [raw_row("page", PAGE), raw_row("wide", wide), raw_row("broken", b"%PDF-1.4 nothing", kind="pdf")],
    )
    preset = tmp_path / "p"
    preset.mkdir()
    settings = "timeout_s = 20.0\nmax_memory_bytes = 2000000000\nmax_error_fraction = "
    (preset / "extract.toml").write_text(settings + "0.5\n")
    manifest = run(spark, Place(preset, root, root))
    assert (manifest.rows_in, manifest.rows_out) == (3, 1)
    assert manifest.rejected.keys() == {"malformed_markup", "extractor_error"}
    assert run(spark, Place(preset, root, root)) == manifest

    (preset / "extract.toml").write_text(settings + "0.1\n")
    with pytest.raises(ContractError, match="1 of 3 documents failed; remedy"):
        run(spark, Place(preset, root, root))
    assert tables.read_manifest(root, "documents") is None
