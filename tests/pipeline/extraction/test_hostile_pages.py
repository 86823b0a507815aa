"""A few dozen of the hostile pages that `tests/fuzz/fuzz_extraction.py` makes, and guards that fail it."""

import json
import sys
import time
from pathlib import Path

import pytest

from pipeline.extraction.guard import Failure, Guard
from pipeline.extraction.result import Extraction

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "fuzz"))

from fuzz_extraction import MAX_MEMORY_BYTES, Report, try_pages
from hostile_pages import mutated_pages, poison_pages, seed_pages

# A machine that runs other things beside the tests gets more time than the fuzzer gives.
PATIENT_S = 30.0


@pytest.fixture(scope="module")
def pages() -> list[bytes]:
    return seed_pages(20)


def test_hostile_pages_become_documents_or_rejects(pages: list[bytes]):
    report = Report(seed=11)
    poison = [(name, make()) for name, make in poison_pages().items()]
    small = [(name, page) for name, page in poison if len(page) < 200_000]
    with Guard(PATIENT_S, MAX_MEMORY_BYTES) as guard:
        try_pages(small, guard, PATIENT_S, report)
        try_pages(mutated_pages(pages, 40, seed=11), guard, PATIENT_S, report)
    assert report.failures == []
    assert report.line() == f"{len(small) + 40} tried, 0 failed, seed 11"
    assert report.documents > 20
    assert json.loads(report.as_json())["rejects"] == dict(report.rejects)


def test_mutations_depend_on_seed_and_number_alone(pages: list[bytes]):
    first = list(mutated_pages(pages, 6, seed=3))
    assert list(mutated_pages(pages, 8, seed=3))[:6] == first
    assert list(mutated_pages(pages, 6, seed=4)) != first


class BrokenGuard:
    """Extracts as it is told, unguarded."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def extract(self, kind: str, content: bytes, url: str | None = None, charset: str | None = None):
        if kind != "html":
            return Extraction("x", "", 0, 0, 0, 0, "text")
        if self.fault == "raises":
            raise RecursionError("too deep")
        if self.fault == "hangs":
            time.sleep(1.1)
        if self.fault == "names no known reason":
            return Failure("bad_luck", "")
        text = {"leaves surrogates": "a\ud800", "leaves controls": "a\x01"}.get(self.fault, "a")
        return Extraction(text, "", 0, 0, 0, 0, "maintext")


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("raises", "raised RecursionError: too deep"),
        ("hangs", "took 1.1 s, limit 0.01 s"),
        ("names no known reason", "unknown reason 'bad_luck'"),
        ("leaves surrogates", "text is not clean"),
        ("leaves controls", "text is not clean"),
    ],
)
def test_a_broken_guard_is_caught(fault: str, seen: str):
    report = Report(seed=0)
    try_pages([("a page", b"<p>x</p>")], BrokenGuard(fault), 0.01, report)
    assert report.failures == [{"page": "0: a page", "fault": seen}]
    assert report.line() == "1 tried, 1 failed, seed 0"
    assert json.loads(report.as_json())["failed"] == 1
