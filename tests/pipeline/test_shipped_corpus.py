"""The shipped corpus through every data job of configs/tiny: each record is accounted for, twice the same.

The counts follow from the files under tests/data/sample-corpus and from the rules: whoever changes a rule
sees here what it costs. Takes a minute: the only test that runs the whole of the data side.
"""

import importlib
import json
from collections import Counter
from itertools import takewhile
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs.command import Place
from pipeline.inspection.compare import diff
from pipeline.inspection.summary import write_summary
from pipeline.run_all import STEPS

CORPUS = Path("tests/data/sample-corpus")
JSONL = ("neardup/docs.jsonl", "text/typed_text.jsonl")
DATA_STEPS = [step for _, step in takewhile(lambda step: step[0] != "preflight", STEPS)]

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def run_data_jobs(spark: SparkSession, root: Path, num_steps: int | None = None) -> Place:
    place = Place(Path("configs/tiny"), str(root), str(root))
    for step in DATA_STEPS[:num_steps]:
        if isinstance(step, str):
            importlib.import_module(step).run(place)
        else:
            step(spark, place)
    return place


@pytest.fixture(scope="module")
def place(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Place:
    return run_data_jobs(spark, tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="module")
def summary(place: Place) -> dict:
    write_summary(place.output)
    return json.loads((Path(place.output) / "summary.json").read_text())


def test_every_record_of_the_corpus_enters(summary: dict) -> None:
    warc_records = len((CORPUS / "manifest.jsonl").read_text().splitlines())
    files = len(list(CORPUS.glob("pdf/*.pdf"))) + len(list(CORPUS.glob("groundtruth/ipynb/*.ipynb")))
    code = [path for path in CORPUS.glob("code/**/*") if path.is_file() and path.name != "index.jsonl"]
    lines = sum(len((CORPUS / name).read_text().splitlines()) for name in JSONL)
    raw = summary["tables"]["raw"]
    assert raw["in"] == 453
    # The manifest lists pages; the WARC's own first record is none.
    assert raw["in"] == warc_records + raw["rejected"]["warc_not_a_page"] + files + len(code) + lines


def test_what_goes_in_comes_out_or_is_a_reject_with_its_reason(summary: dict) -> None:
    counts = summary["tables"]
    for table, values in counts.items():
        assert values["in"] == values["out"] + sum(values["rejected"].values()), table
    for before, after in (
        ("raw", "documents"),
        ("documents", "filtered"),
        ("filtered", "deduped"),
        ("deduped", "scored"),
    ):
        assert counts[after]["in"] == counts[before]["out"]
    assert counts["raw"]["rejected"] == {"empty_content": 1, "http_error_status": 1, "warc_not_a_page": 1}
    assert {table: values["out"] for table, values in counts.items()} == {
        "raw": 450,
        "documents": 450,
        "filtered": 310,
        "deduped": 230,
        "scored": 230,
        "synthetic": 880,
    }


def test_every_scored_document_is_tokenised_once(summary: dict) -> None:
    buckets = summary["tokens"]["buckets"]
    heldout = sum(values["documents"] for name, values in buckets.items() if name.startswith("heldout/"))
    train = sum(values["documents"] for name, values in buckets.items() if not name.startswith("heldout/"))
    counts = summary["tables"]
    assert train + heldout == counts["scored"]["out"] + counts["synthetic"]["out"]
    assert heldout > 0


def test_the_second_run_does_no_work(spark: SparkSession, place: Place, summary: dict) -> None:
    before = modified(Path(place.output))
    run_data_jobs(spark, Path(place.output))
    assert modified(Path(place.output)) == before


def test_another_run_has_the_same_content(spark: SparkSession, place: Place, tmp_path: Path) -> None:
    again = run_data_jobs(spark, tmp_path, num_steps=5)  # benchmarks, ingest, extract, filter, dedup
    compared = Counter(
        difference.is_equal for difference in diff(place.output, again.output) if not difference.fault
    )
    assert compared == {True: 8}  # four tables and their rejects


def modified(root: Path) -> dict[str, int]:
    return {
        str(path): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and path.name != "summary.json"
    }
