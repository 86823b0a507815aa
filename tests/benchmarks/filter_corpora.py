"""Texts for bench_filters.py and gate_filters.py, read from evaluation data; absent sets are left out."""

import gzip
import json
import lzma
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.extraction.web.html import extract_html

_PER_CLASS = 600
_MIN_TEXTS = 20  # fewer say nothing about a class
_PROBLEM_CLASSES = {"math", "gsm8k", "mbpp", "humaneval", "aqua", "omi2"}
_CALCULATOR = re.compile(r"<<[^<>]*>>")


def good_classes(eval_data: Path) -> dict[str, list[str]]:
    """Class -> texts a reader wants kept: problems with solutions, and what labellers thought well of."""
    classes: dict[str, list[str]] = {}
    for name, texts in (
        ("MATH", _pairs(eval_data / "problems/MATH/math_test.jsonl", "problem", "solution")),
        ("GSM8K", _pairs(eval_data / "problems/gsm8k/test.jsonl", "question", "answer")),
        ("AQuA", _aqua(eval_data / "problems/aqua-rat")),
        ("MBPP", _code(eval_data / "problems/mbpp/mbpp.jsonl", "text", "code")),
        ("HumanEval", _code(eval_data / "problems/humaneval/data/HumanEval.jsonl.gz", None, "prompt")),
        ("documentation", _documentation(eval_data / "extraction-docs")),
    ):
        found = list(texts)
        if found:
            classes[name] = found[:: max(len(found) // _PER_CLASS, 1)][:_PER_CLASS]
    for row in _rows(eval_data / "quality-labels.jsonl.xz"):
        if row["quality"] >= 3:
            classes.setdefault(f"labelled {row['source']}", []).append(_labelled_text(row))
    return {name: texts for name, texts in classes.items() if len(texts) >= _MIN_TEXTS}


def is_problem_class(name: str) -> bool:
    """Whether the class holds problems of a benchmark: it is no clean text for decontamination then."""
    return name.removeprefix("labelled ").lower() in _PROBLEM_CLASSES


def language_classes(eval_data: Path) -> dict[str, list[str]]:
    """Language -> pages of one handbook in it."""
    folder = eval_data / "lid-handbook"
    classes: dict[str, list[str]] = {}
    for row in _rows(folder / "index.jsonl"):
        classes.setdefault(row["lang"], []).append(_page(folder / row["file"]))
    return classes


def real_texts(eval_data: Path) -> list[str]:
    """Documents of any quality: labelled, web pages, documentation, a handbook, questions; sorted."""
    texts = [row["text"] for row in _rows(eval_data / "quality-labels.jsonl.xz")]
    texts += [_page(path) for path in sorted((eval_data / "extraction-maintext/html").glob("*"))]
    texts += [row["text"] for row in _rows(eval_data / "neardup-django/docs.jsonl")]
    texts += language_classes(eval_data).get("en", [])
    texts += [row["question"] for row in _rows(eval_data / "problems/gsm8k/test.jsonl")][:400]
    return sorted({text.replace("\r\n", "\n") for text in texts if text.strip()})


def benchmark_problems(eval_data: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of the questions, the answers and both of the sets that lie under `eval_data`."""
    for name, path, question, answer in (
        ("MATH", "problems/MATH/math_test.jsonl", "problem", "solution"),
        ("GSM8K", "problems/gsm8k/test.jsonl", "question", "answer"),
        ("MBPP", "problems/mbpp/mbpp.jsonl", "text", "code"),
        ("HumanEval", "problems/humaneval/data/HumanEval.jsonl.gz", "prompt", "canonical_solution"),
    ):
        for number, row in enumerate(_rows(eval_data / path)):
            yield f"{name}/{number}#question", row[question]
            yield f"{name}/{number}#answer", row[answer]
            yield f"{name}/{number}#both", row[question] + "\n" + row[answer]


def _pairs(path: Path, *fields: str) -> Iterator[str]:
    for row in _rows(path):
        yield "\n\n".join(_CALCULATOR.sub("", row[field]) for field in fields)


def _aqua(folder: Path) -> Iterator[str]:
    for name in ("test.json", "dev.json"):
        for row in _rows(folder / name):
            yield "\n\n".join((row["question"], "\n".join(row["options"]), row["rationale"]))


def _code(path: Path, prose: str | None, code: str) -> Iterator[str]:
    for row in _rows(path):
        block = f"```python\n{row[code]}\n{row.get('canonical_solution', '')}\n```"
        yield f"{row[prose]}\n\n{block}" if prose else block


def _documentation(folder: Path) -> Iterator[str]:
    for row in _rows(folder / "index.jsonl"):
        yield _page(folder / row["file"])


def _labelled_text(row: dict) -> str:
    """Code is fenced, as extraction does."""
    return f"```\n{row['text']}\n```" if row["source"] == "code" else row["text"]


def _page(path: Path) -> str:
    return extract_html(path.read_bytes()).text


def _rows(path: Path) -> Iterator[dict]:
    openers = {".gz": gzip.open, ".xz": lzma.open}
    if path.exists():
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
