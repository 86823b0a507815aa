"""The filters' gate on the shipped corpus: what must survive, what must not, and copies found."""

import json
import random
from pathlib import Path

import pytest

from filters.decontaminate import Index, build_index, contaminated_by
from filters.measure.stats import measure
from filters.presets import preset
from filters.rules import reject_reason
from tests.benchmarks.filter_junk import junk_classes
from tests.benchmarks.retypeset import retypeset

CORPUS = Path(__file__).parents[1] / "data/sample-corpus"
FIELDS = {"HumanEval": "prompt", "codeio_hq_60": "task_description"}


def kept(texts: list[str], name: str = "reasonmill", language: str = "en") -> float:
    return sum(reject_reason(measure(text), preset(name), language) is None for text in texts) / len(texts)


@pytest.fixture(scope="module")
def programs() -> list[str]:
    return [f"```\n{path.read_text()}\n```" for path in sorted(CORPUS.glob("code/*/*.*"))]


@pytest.fixture(scope="module")
def documentation() -> list[str]:
    return [json.loads(line)["text"] for line in (CORPUS / "neardup/docs.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def problems() -> list[tuple[str, str]]:
    return [
        (f"{stem}/{number}", json.loads(line)[field])
        for stem, field in FIELDS.items()
        for number, line in enumerate((CORPUS / f"problems/{stem}.jsonl").read_text().splitlines())
    ]


@pytest.fixture(scope="module")
def index(problems: list[tuple[str, str]]) -> Index:
    return build_index(problems)


def test_code_and_documentation_survive_ours(programs: list[str], documentation: list[str]) -> None:
    assert kept(programs) >= 0.95
    assert kept(programs, "fineweb") <= 0.05
    assert kept(documentation) >= 0.95


def test_pages_of_formulas_survive_ours() -> None:
    pages = [path.read_text() for path in sorted(CORPUS.glob("groundtruth/math/*/gt.md"))]
    assert kept(pages) == 1.0


@pytest.mark.parametrize("kind", sorted(junk_classes(num_documents=1)))
def test_no_more_junk_survives_than_with_fineweb(kind: str) -> None:
    junk = junk_classes(seed=2, num_documents=48)[kind]
    assert kept(junk) <= kept(junk, "fineweb")


def test_copies_are_found_inside_other_text_and_clean_text_is_clean(
    problems: list[tuple[str, str]], index: Index, programs: list[str], documentation: list[str]
) -> None:
    rng = random.Random(9)
    texts = [text for name, text in problems if name in set(index.names)]
    assert len(texts) >= 150
    context = programs[0] + "\n"
    assert all(contaminated_by(context + text + context, index) for text in texts)
    set_anew = [bool(contaminated_by(context + retypeset(text, rng), index)) for text in texts]
    assert sum(set_anew) >= 0.95 * len(texts)
    assert not any(contaminated_by(text, index) for text in (*programs, *documentation))
