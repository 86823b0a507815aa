"""Gate of the small inputs beside web pages: `python tests/gates/gate_others.py [--eval-cases DIR] [--show]`.

DIR/other.jsonl holds one input a line, each made to show one fault: texts to mask, pairs of URLs, notebooks,
HTTP responses, WARC files, and texts that the preset of configs/mimo7b keeps or rejects. DIR is the variable
EVAL_CASES where the option is absent. The score is the fraction of inputs that come out as expected, of all
and of each group; the floor is FLOOR. Exit code 1 below it; without the file, a line says so. Cost: 2 s.
"""

import argparse
import ast
import base64
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from configs.loader import load  # noqa: E402
from filters.language import identify  # noqa: E402
from filters.measure.stats import measure  # noqa: E402
from filters.pii import mask_pii  # noqa: E402
from filters.urls import canonical_url  # noqa: E402
from pipeline.extraction.formats.notebook import extract_notebook  # noqa: E402
from pipeline.filter_documents import FilterConfig, language_reason, rule_reason  # noqa: E402
from pipeline.reading.http_body import BodyError, decode_body, parse_response  # noqa: E402
from pipeline.reading.warc import read_warc  # noqa: E402

FLOOR = 0.95
MAX_BYTES, MAX_EXPANSION = 10_000_000, 200
Case = dict[str, str]


def main() -> int:
    """Score every input; print the groups, with --show also what is wrong; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", help="ignored; every gate is given it")
    parser.add_argument("--eval-cases", type=Path, default=os.environ.get("EVAL_CASES") or None)
    parser.add_argument("--show", action="store_true")
    options = parser.parse_args()
    path = options.eval_cases and Path(options.eval_cases) / "other.jsonl"
    if not path or not path.is_file():
        print(f"skipped: {path or 'EVAL_CASES'} is not there")
        return 0
    groups: dict[str, list[bool]] = {}
    for line in path.read_text().splitlines():
        case = json.loads(line)
        found = GROUPS[case["group"]](case)
        groups.setdefault(case["group"], []).append(found is None)
        if found is not None and options.show:
            print(f"{case['name']}: {found[:2_000]}")
    outcomes = [outcome for of_group in groups.values() for outcome in of_group]
    for name, of_group in [*groups.items(), ("all", outcomes)]:
        print(f"{name:12s} {sum(of_group):3d} of {len(of_group):3d} = {sum(of_group) / len(of_group):.3f}")
    return int(sum(outcomes) < FLOOR * len(outcomes))


def data_of(case: Case) -> bytes:
    """The input's bytes."""
    if "input_base64" in case:
        return base64.b64decode(case["input_base64"])
    return case["input"].encode()


def fault_of_masking(case: Case) -> str | None:
    """What masking leaves, where that is not what it must leave."""
    masked = mask_pii(case["input"]).text
    return None if masked == case["expected"] else masked


def fault_of_urls(case: Case) -> str | None:
    """The canonical forms of two URLs that are one page, or are not, against what is expected."""
    first, second = (canonical_url(url) for url in case["input"].split("\n"))
    return None if (first == second) == (case["expected"] == "same=True") else f"{first} {second}"


def fault_of_notebook(case: Case) -> str | None:
    """The Markdown of a notebook that lacks a wanted string or holds an unwanted one."""
    if case["expected"] == "kept, without base64":
        # The input is the Markdown cell of the notebook, which ends in the picture.
        cell = {"cell_type": "markdown", "metadata": {}, "source": case["input"]}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 2}
        text = extract_notebook(json.dumps(notebook).encode()).text
        is_right = text.startswith(case["input"].split("![")[0].strip()) and "base64" not in text
        return None if is_right and "iVBOR" not in text else text
    wanted, unwanted = (
        ast.literal_eval(part) for part in case["expected"][len("contains ") :].split(", not ")
    )
    try:
        text = extract_notebook(data_of(case)).text
    except Exception as error:  # whatever a parser raises makes a reject of the notebook
        return repr(error)
    unwanted = (unwanted,) if isinstance(unwanted, str) else unwanted
    is_right = all(part in text for part in wanted) and not any(part in text for part in unwanted)
    return None if is_right else text


def fault_of_http(case: Case) -> str | None:
    """The decoded body of an HTTP response that does not begin as expected."""
    response = parse_response(data_of(case))
    if response is None:
        return "no response"
    try:
        body = decode_body(response, MAX_BYTES, MAX_EXPANSION)
    except BodyError as error:
        return f"{error.reason}: {error.detail}"
    expected = case["expected"]  # the repr of the body, or its beginning without the closing quote
    is_right = repr(body) == expected or (expected[-1] not in "'\"" and repr(body).startswith(expected))
    return None if is_right else repr(body)


def fault_of_warc(case: Case) -> str | None:
    """The URIs of a WARC's whole records, or its rows where they do not cover the file."""
    data = data_of(case)
    with tempfile.NamedTemporaryFile(suffix=".warc") as file:
        file.write(data)
        file.flush()
        records = list(read_warc(file.name, MAX_BYTES))
    uris = [record.url for record in records if record.fault is None and record.type == "response"]
    is_right = uris == ast.literal_eval(case["expected"])
    return None if is_right else str([(record.url, record.fault, record.detail) for record in records])


def fault_of_filter(case: Case) -> str | None:
    """The decision on a text that is to be kept or rejected."""
    reason = reason_of_reject(case["input"])
    is_right = (reason is None) == (case["expected"] == "kept")
    return None if is_right else reason or "kept"


def reason_of_reject(text: str) -> str | None:
    """The reason of the preset's rules and languages to reject the text."""
    config = load(ROOT / "configs/mimo7b", "filter", FilterConfig)
    language, stats = identify(text), measure(text)
    return rule_reason(language, stats, config) or language_reason(language, stats, config)


GROUPS: dict[str, Callable[[Case], str | None]] = {
    "pii": fault_of_masking,
    "url": fault_of_urls,
    "notebook": fault_of_notebook,
    "http": fault_of_http,
    "warc": fault_of_warc,
    "filter": fault_of_filter,
}


if __name__ == "__main__":
    sys.exit(main())
