"""Extraction under hostile pages: `python tests/fuzz/fuzz_extraction.py [--count N] [--seed S] [--json F]`.

Every page, poisonous or mutated, must become a document or a reject within the time limit and a second; the
job must not see an exception. The last line is `N tried, K failed, seed S`; exit code 1 when K > 0. About
8 ms a page.
"""

import argparse
import json
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from hostile_pages import mutated_pages, poison_pages, seed_pages

from configs.reject_reasons import REJECT_REASONS
from pipeline.extraction.encodings import clean
from pipeline.extraction.extract_row import extract_row
from pipeline.extraction.guard import Failure, Guard
from pipeline.extraction.result import Extraction

# Our choice: a quarter of the presets' limit, so that a page near it shows.
TIMEOUT_S = 5.0
MAX_MEMORY_BYTES = 2_000_000_000
# What a loaded machine may add to the limit.
GRACE_S = 1.0


class Extractor(Protocol):
    """What a guard does."""

    def extract(
        self, kind: str, content: bytes, url: str | None = None, charset: str | None = None
    ) -> Extraction | Failure: ...


@dataclass
class Report:
    """What became of the pages."""

    seed: int
    tried: int = 0
    documents: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    failures: list[dict[str, str]] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""

    def as_json(self) -> str:
        """Everything, for other programs."""
        return json.dumps(vars(self) | {"failed": len(self.failures)}, indent=1) + "\n"

    def line(self) -> str:
        """The closing line."""
        return f"{self.tried} tried, {len(self.failures)} failed, seed {self.seed}"


def main() -> int:
    """Run poison and mutations; print the report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000, help="mutated pages, beside the poison")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    report = Report(options.seed)
    with Guard(TIMEOUT_S, MAX_MEMORY_BYTES) as guard:
        try_pages(((name, make()) for name, make in poison_pages().items()), guard, TIMEOUT_S, report)
        try_pages(mutated_pages(seed_pages(), options.count, options.seed), guard, TIMEOUT_S, report)
    if options.json:
        options.json.write_text(report.as_json())
    for failure in report.failures:
        print(failure)
    print(f"{report.documents} documents, rejects {dict(report.rejects)}")
    print(f"slowest {report.slowest_s:.2f} s: {report.slowest}")
    print(report.line())
    return int(bool(report.failures))


def try_pages(pages: Iterable[tuple[str, bytes]], guard: Extractor, timeout_s: float, report: Report) -> None:
    """Extract every page as the job does, and note in `report` what must not happen."""
    # A child is started, untimed, before the first page and after each that was killed.
    ready = False
    for name, page in pages:
        if not ready:
            guard.extract("text", b"x")
        start = time.monotonic()
        try:
            row = extract_row(_raw(page), guard)
            fault = fault_of(row)
        except Exception as error:  # whatever reaches the job is a failure, that is what is tried
            row, fault = {}, f"raised {type(error).__name__}: {error}"
        spent_s = time.monotonic() - start
        if spent_s > timeout_s + GRACE_S:
            fault = f"took {spent_s:.1f} s, limit {timeout_s:g} s"
        if spent_s > report.slowest_s:
            report.slowest_s, report.slowest = spent_s, f"{report.tried}: {name}"
        if fault is not None:
            report.failures.append({"page": f"{report.tried}: {name}", "fault": fault})
        reason = row.get("reject_reason")
        report.tried += 1
        report.documents += reason is None and fault is None
        report.rejects.update([reason] if isinstance(reason, str) else [])
        ready = reason not in ("timeout", "out_of_memory", "extractor_crashed")


def fault_of(row: dict[str, object]) -> str | None:
    """Why a row is neither a document nor a reject, None when it is one of them."""
    reason, text = row.get("reject_reason"), row.get("text")
    if reason is not None:
        if text is not None:
            return "both document and reject"
        return None if reason in REJECT_REASONS["documents"] else f"unknown reason {reason!r}"
    if not isinstance(text, str) or not text.strip():
        return "neither document nor reject"
    if clean(text) != text or not unicodedata.is_normalized("NFC", text):
        return "text is not clean"
    return None


def _raw(page: bytes) -> dict[str, object]:
    origin = {"file": "hostile.html", "offset": 0, "length": len(page)}
    absent = dict.fromkeys(("url", "fetched_at", "content_type"))
    return {"doc_id": "a", "source": "fuzz", "kind": "html", "content": page, "origin": origin} | absent


if __name__ == "__main__":
    sys.exit(main())
