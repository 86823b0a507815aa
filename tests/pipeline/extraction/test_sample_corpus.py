# ruff: noqa: E501 - markup is easier to read in one piece
"""The shipped corpus against its ground truth: documents rendered in nine encodings of math, and documentation pages."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType

from pipeline.extraction.html import extract_html
from pipeline.extraction.notebook import extract_notebook
from pipeline.extraction.pdf import extract_pdf
from pipeline.extraction.tex_normal import normalise_tex

CORPUS = Path(__file__).resolve().parents[2] / "data" / "sample-corpus"
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)(?<!\\)\$", re.S)
FENCED = re.compile(r"^(`{3,})[^\n]*\n.*?^\1$", re.S | re.M)


@pytest.fixture(scope="module")
def pages() -> dict[str, bytes]:
    with (CORPUS / "web.warc.gz").open("rb") as stream:
        return {
            record.headers["WARC-Target-URI"]: record.reader.read()
            for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True)
        }


def entries(tag: str) -> list[dict]:
    lines = (CORPUS / "manifest.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if tag in entry.get("tags", [])]


def test_formulas_of_nine_encodings(pages: dict[str, bytes]):
    recall: dict[str, list[float]] = {}
    for url, page in pages.items():
        match = re.fullmatch(
            r"https://([a-z-]+)\.mirror\.example/(density|partial_dependence|svm)\.html", url
        )
        if match is None:
            continue
        truth = json.loads((CORPUS / "groundtruth/math" / match[2] / "gt.json").read_text())
        prose = re.sub(r"`[^`\n]*`", "", FENCED.sub("", extract_html(page).text))
        ours = Counter(normalise_tex(display or inline) for display, inline in FORMULA.findall(prose))
        gold = Counter(normalise_tex(formula["tex"]) for formula in truth["formulas"])
        recall.setdefault(match[1], []).append((gold & ours).total() / gold.total())
        if match[1] != "katexhtml":
            assert all(ours[tex] <= count for tex, count in gold.items()), f"{url} repeats a formula"
    assert {name: len(values) for name, values in recall.items()} == dict.fromkeys(
        (
            "katex",
            "katexhtml",
            "mjchtml",
            "mjscript",
            "mjsvg",
            "pandoc-mathjax",
            "pandoc-mathml",
            "pandoc-webtex",
            "temml",
        ),
        3,
    )
    floors = {"katexhtml": 0.75, "mjchtml": 0.9, "mjsvg": 0.9}
    for name, values in recall.items():
        assert min(values) >= floors.get(name, 0.97), (name, values)


def test_documentation_keeps_every_line_of_code(pages: dict[str, bytes]):
    checked = 0
    for entry in entries("sphinx"):
        if "code" not in entry["tags"] or entry["url"] not in pages or checked == 12:
            continue
        result = extract_html(pages[entry["url"]], entry["url"])
        assert result.code_seen > 0
        assert result.code_kept == result.code_seen, entry["url"]
        checked += 1
    assert checked == 12


def test_notebooks_and_papers_are_read():
    for path in (CORPUS / "groundtruth/ipynb").glob("*.ipynb"):
        assert extract_notebook(path.read_bytes()).text.strip(), path.name
    for path in (CORPUS / "pdf").glob("*.pdf"):
        assert len(extract_pdf(path.read_bytes()).text) > 2_000, path.name
