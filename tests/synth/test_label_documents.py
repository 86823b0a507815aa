import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest

from configs import tables
from configs.command import Place
from configs.contract import DOMAINS, SCORES, ContractError
from synth import label_documents
from synth.label_documents import Labels, parse_labels

GOOD = {"domain": "science", "quality": 4, "knowledge_density": 3, "reasoning_depth": 2}
MakePlace = Callable[..., Place]


@pytest.fixture
def filtered(root: Path, write_rows: Any) -> Path:
    """A filtered table: 30 documents of one source, 3 of another."""
    rows = {
        source: [{"doc_id": f"{source}-{i}", "text": f"Text {i} of {source}. " * 3} for i in range(count)]
        for source, count in (("large", 30), ("small", 3))
    }
    write_rows(root, "filtered", rows)
    return root


def labels_of(here: Place) -> list[dict[str, Any]]:
    lines = Path(here.output, "labels", "labels.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_the_rubric_asks_for_the_contracts_domains_and_scores() -> None:
    assert get_args(Labels.model_fields["domain"].annotation) == DOMAINS
    assert tuple(Labels.model_fields) == ("domain", *SCORES)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        "good text",
        json.dumps({**GOOD, "quality": 6}),
        json.dumps({**GOOD, "quality": "4"}),
        json.dumps({**GOOD, "domain": "poetry"}),
        json.dumps({**GOOD, "comment": "x"}),
        json.dumps({"domain": "science"}),
        "[]",
    ],
)
def test_answers_outside_the_rubric_are_refused(answer: str | None) -> None:
    assert parse_labels(answer) is None


def test_a_stratified_sample_is_labelled_once(
    filtered: Path, place: MakePlace, serve: Any, answer: Any
) -> None:
    server = serve(lambda prompt, n: answer(json.dumps(GOOD)))
    here = place(
        base_url=server.base_url,
        num_documents=10,
        min_source_fraction=0.4,
        max_document_chars=12,
        num_repeated=0,
    )
    manifest = label_documents.run(here)
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (10, 10, {})
    found = labels_of(here)
    assert Counter(line["source"] for line in found)["small"] >= 2
    assert all({key: line[key] for key in GOOD} == GOOD and len(line["text"]) == 12 for line in found)
    schema = server.requests[0]["response_format"]["json_schema"]["schema"]
    assert set(schema["required"]) == set(GOOD)
    assert label_documents.run(here) == manifest
    Path(here.output, "labels", "_meta", "manifest.json").unlink()
    assert label_documents.run(here).digest == manifest.digest
    assert len(server.requests) == 10


def test_some_documents_are_judged_twice_and_the_cost_is_stated(
    filtered: Path, place: MakePlace, serve: Any, answer: Any
) -> None:
    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        # The first judgements come before the second: quality 4 and 2 in turn, then 4 throughout.
        text = json.dumps({**GOOD, "quality": 2 if n <= 4 and n % 2 else 4})
        return answer(text, usage={"prompt_tokens": 1000, "completion_tokens": 30, "total_tokens": 1030})  # type: ignore[no-any-return]

    server = serve(reply)
    here = place(
        base_url=server.base_url,
        num_documents=4,
        num_repeated=4,
        max_concurrent=1,
        price_per_million_prompt_tokens=2.0,
        price_per_million_completion_tokens=10.0,
    )
    manifest = label_documents.run(here)
    figures = manifest.facts["agreement"]
    assert (figures["num_documents"], figures["domain"], figures["reasoning_depth"]) == (4, 1.0, 1.0)
    assert figures["quality"] < 0.5
    assert manifest.facts["cost"] == {
        "requests": 8,
        "answers": 8,
        "failures": {},
        "replies_with_usage": 8,
        "prompt_tokens": 8000,
        "completion_tokens": 240,
        "price": pytest.approx(0.0184),
    }
    assert [len(line["label_sets"]) for line in labels_of(here)] == [2, 2, 2, 2]
    Path(here.output, "labels", "_meta", "manifest.json").unlink()
    label_documents.run(here)
    assert len(server.requests) == 8


def test_a_bad_answer_is_asked_again_and_then_counted(
    filtered: Path, place: MakePlace, serve: Any, answer: Any
) -> None:
    asked: Counter[str] = Counter()

    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        key = prompt[prompt.rindex("Text ") :]
        asked[key] += 1
        is_bad = "Text 1 of small" in prompt or ("of small" in prompt and asked[key] == 1)
        return answer("?" if is_bad else json.dumps(GOOD))  # type: ignore[no-any-return]

    here = place(base_url=serve(reply).base_url, num_documents=33, min_source_fraction=1.0)
    manifest = label_documents.run(here)
    assert manifest.rejected == {"unusable_label": 1}
    assert {line["id"] for line in labels_of(here)} == {f"large-{i}" for i in range(30)} | {
        "small-0",
        "small-2",
    }


@pytest.mark.usefixtures("filtered")
def test_too_many_bad_answers_stop_the_run(place: MakePlace, serve: Any, answer: Any) -> None:
    here = place(base_url=serve(lambda prompt, n: answer("?")).base_url, num_documents=5)
    with pytest.raises(ContractError, match="5 of 5 documents have no usable label"):
        label_documents.run(here)
    assert tables.read_manifest(here.output, "labels") is None
