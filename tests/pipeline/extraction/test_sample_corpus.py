"""The shipped corpus against its ground truth and the floors in sample_corpus_floors.json.

Documents rendered in nine encodings of math, and documentation pages beside their sources.
"""

import hashlib
import json
import re
import sys
from collections import Counter
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipeline.extraction.formats.notebook import extract_notebook
from pipeline.extraction.formats.pdf import extract_pdf
from pipeline.extraction.math.tex_normal import normalise_tex
from pipeline.extraction.web.html import extract_html

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "gates"))

from extraction_scores import documentation_scores, formulas_of

CORPUS = Path(__file__).resolve().parents[2] / "data" / "sample-corpus"
FLOORS = json.loads(Path(__file__).with_name("sample_corpus_floors.json").read_text())


@pytest.fixture(scope="module")
def pages() -> dict[str, bytes]:
    with (CORPUS / "web.warc.gz").open("rb") as stream:
        return {
            record.headers["WARC-Target-URI"]: record.reader.read()
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        }


def test_floors_are_of_this_corpus():
    found = hashlib.sha256()
    for path in sorted([CORPUS / "web.warc.gz", *(CORPUS / "groundtruth").rglob("*")]):
        if path.is_file():
            found.update(path.relative_to(CORPUS).as_posix().encode() + b"\0")
            found.update(hashlib.sha256(path.read_bytes()).digest())
    assert found.hexdigest() == FLOORS["corpus_sha256"], (
        "the corpus changed: measure again, then pin its hash"
    )


def test_formulas_of_nine_encodings(pages: dict[str, bytes]):
    recall: dict[str, list[float]] = {}
    for url, page in pages.items():
        match = re.fullmatch(
            r"https://([a-z-]+)\.mirror\.example/(density|partial_dependence|svm)\.html", url
        )
        if match is None:
            continue
        truth = json.loads((CORPUS / "groundtruth/math" / match[2] / "gt.json").read_text())
        ours = Counter(map(normalise_tex, formulas_of(extract_html(page).text)))
        gold = Counter(normalise_tex(formula["tex"]) for formula in truth["formulas"])
        recall.setdefault(match[1], []).append((gold & ours).total() / gold.total())
        if match[1] != "katexhtml":
            assert all(ours[tex] <= count for tex, count in gold.items()), f"{url} repeats a formula"
    assert recall.keys() == FLOORS["formula_recall"].keys()
    for name, floor in FLOORS["formula_recall"].items():
        assert len(recall[name]) == 3
        assert min(recall[name]) >= floor, (name, recall[name])


def test_documentation_beside_its_sources(pages: dict[str, bytes]):
    lines = (CORPUS / "manifest.jsonl").read_text().splitlines()
    sourced = [
        entry
        for entry in map(json.loads, lines)
        if (entry.get("gt") or "").endswith(".rst") and entry["url"] in pages
    ]
    scores = documentation_scores(
        (
            pages[entry["url"]],
            (CORPUS / entry["gt"]).read_text("utf-8", "replace"),
            extract_html(pages[entry["url"]]).text,
        )
        for entry in sourced
    )
    assert len(sourced) == FLOORS["documentation_pages"]
    for name, floor in FLOORS["documentation"].items():
        assert scores[name] <= floor if name.endswith("_max") else scores[name] >= floor, (name, scores[name])


def test_notebooks_and_papers_are_read():
    for path in (CORPUS / "groundtruth/ipynb").glob("*.ipynb"):
        assert extract_notebook(path.read_bytes()).text.strip(), path.name
    for path in (CORPUS / "pdf").glob("*.pdf"):
        assert len(extract_pdf(path.read_bytes()).text) > 2_000, path.name
