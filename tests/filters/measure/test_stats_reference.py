"""The measurements of the shipped corpus do not change unnoticed: one hash per measurement."""

import dataclasses
import hashlib
import json
from pathlib import Path

from filters.measure.stats import TextStats, measure

CORPUS = Path(__file__).parents[2] / "data/sample-corpus"
REFERENCE = Path(__file__).with_name("stats_reference.json")


def corpus_texts() -> list[str]:
    """Documentation, problems, programs and sources of formulas: prose, code and math."""
    near_duplicates = (CORPUS / "neardup/docs.jsonl").read_text().splitlines()
    tasks = (CORPUS / "problems/codeio_hq_60.jsonl").read_text().splitlines()
    files = [
        path
        for pattern in ("code/*/*.*", "groundtruth/rst/*", "groundtruth/math/*/gt.md", "pdf/*.Rnw")
        for path in sorted(CORPUS.glob(pattern))
    ]
    return [
        *(json.loads(line)["text"] for line in near_duplicates),
        *(json.loads(line)["task_description"] for line in tasks),
        *(path.read_text(errors="replace") for path in files),
    ]


def test_measurements_of_the_shipped_corpus_are_the_recorded_ones() -> None:
    measured = [measure(text) for text in corpus_texts()]
    hashes = {
        field.name: hashlib.blake2b(
            repr([getattr(stats, field.name) for stats in measured]).encode(), digest_size=8
        ).hexdigest()
        for field in dataclasses.fields(TextStats)
    }
    recorded = json.loads(REFERENCE.read_text())
    assert {name: value for name, value in hashes.items() if recorded.get(name) != value} == {}
    assert recorded.keys() == hashes.keys()
