"""No synthetic document that contains a benchmark's problem is written, whoever wrote it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs import tables
from configs.benchmark_windows import read_windows
from configs.command import Place
from filters.decontaminate import contaminated_by, index_of_windows
from synth import generate
from synth.families.problem import Problem
from synth.families.symbolic import make_problem, write_solution
from tests.synth.conftest import commit_benchmarks

MakePlace = Callable[..., Place]

BENCHMARK = (
    "A cistern is filled by two pipes in nine and in twelve hours and emptied by a third one in six. "
    "Both are opened at noon and the third one at two. At what time is the cistern full?"
)


def rows_of(root: str, table: str = "synthetic") -> list[dict[str, Any]]:
    found = tables.read(tables.open_table(root, table))
    return [] if found is None else sorted(found.to_pylist(), key=lambda row: row["origin"]["offset"])


def assert_clean(root: str) -> None:
    """No kept document contains a benchmark's problem; every reject as contaminated does."""
    index = index_of_windows(*read_windows(tables.open_table(root, "benchmark_index")))
    assert {contaminated_by(row["text"], index) for row in rows_of(root)} <= {None}
    for reject in rows_of(root, "synthetic_rejects"):
        if reject["reject_reason"] == "contaminated":
            assert contaminated_by(reject["excerpt"], index) == reject["detail"]


def longest(num_problems: int, code_fraction: float) -> tuple[int, Problem]:
    problems = [(i, make_problem(17, i, code_fraction)) for i in range(num_problems)]
    return max(problems, key=lambda found: len(found[1].statement))


@pytest.mark.parametrize("code_fraction", [0.0, 1.0], ids=["mathematics", "code"])
def test_a_problem_of_a_benchmark_is_rejected(place: MakePlace, root: Path, code_fraction: float) -> None:
    index, problem = longest(10, code_fraction)
    commit_benchmarks(root, BENCHMARK, problem.statement)
    here = place(num_problems=10, planted_error_fraction=0.0, code_fraction=code_fraction)
    assert generate.run(here).rejected == {"contaminated": 1}
    (reject,) = rows_of(here.output, "synthetic_rejects")
    assert (reject["origin"]["offset"], reject["detail"]) == (index, "bench/2")
    assert reject["excerpt"] == problem.statement
    assert_clean(here.output)


@pytest.mark.parametrize("code_fraction", [0.0, 1.0], ids=["mathematics", "code"])
def test_a_solution_that_a_benchmark_holds_is_rejected(
    place: MakePlace, root: Path, code_fraction: float
) -> None:
    index, problem = longest(10, code_fraction)
    commit_benchmarks(root, write_solution(problem, 17, index, False))
    here = place(num_problems=10, planted_error_fraction=0.0, code_fraction=code_fraction)
    manifest = generate.run(here)
    rejects = {row["origin"]["offset"]: row for row in rows_of(here.output, "synthetic_rejects")}
    assert {row["reject_reason"] for row in rejects.values()} == {"contaminated"}
    assert rejects[index]["detail"] == "bench/1"
    assert problem.statement in rejects[index]["excerpt"]
    assert manifest.facts["documents"] == manifest.rows_out == 10 - len(rejects) == len(rows_of(here.output))
    assert_clean(here.output)


def test_a_models_answer_and_a_benchmarks_problem_are_rejected(
    place: MakePlace, root: Path, serve: Any, answer: Any
) -> None:
    problems = [make_problem(17, i, 0.0) for i in range(6)]
    known = max(range(6), key=lambda i: len(problems[i].statement))
    quoted = (known + 1) % 6
    commit_benchmarks(root, BENCHMARK, problems[known].statement)

    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        (number,) = [i for i, problem in enumerate(problems) if problem.statement in prompt]
        quote = f"It reminds me of this one: {BENCHMARK}\n\n" if number == quoted else ""
        return answer(f"{quote}So it is $\\boxed{{{problems[number].answer}}}$.")  # type: ignore[no-any-return]

    server = serve(reply)
    options = {"teacher": "endpoint", "base_url": server.base_url, "model": "m1"}
    here = place(num_problems=6, code_fraction=0.0, samples_per_problem=1, **options)
    assert generate.run(here).rejected == {"contaminated": 2}
    details = {row["origin"]["offset"]: row["detail"] for row in rows_of(here.output, "synthetic_rejects")}
    assert details == {known: "bench/2", quoted: "bench/1"}
    assert len(server.requests) == 5  # nobody pays for the solution of a benchmark's problem
    assert_clean(here.output)


def test_an_analysis_that_quotes_a_benchmark_is_rejected(
    place: MakePlace, root: Path, serve: Any, answer: Any, write_rows: Any
) -> None:
    commit_benchmarks(root, BENCHMARK)
    own = {"reasoning_depth": 0.9, "domain": "science", "split": "train"}
    write_rows(
        root, "scored", {"web": [{**own, "doc_id": f"d{i}", "text": f"Passage d{i}."} for i in range(3)]}
    )
    server = serve(lambda prompt, n: answer(BENCHMARK if "Passage d1." in prompt else "An analysis."))
    here = place(num_problems=0, num_seeds=3, teacher="endpoint", base_url=server.base_url)
    assert generate.run(here).rejected == {"contaminated": 1}
    (reject,) = rows_of(here.output, "synthetic_rejects")
    assert (reject["source"], reject["detail"]) == ("synthetic-analysis", "bench/1")
    assert sorted(row["source_doc_id"] for row in rows_of(here.output)) == ["d0", "d2"]
    assert_clean(here.output)


def test_another_benchmark_makes_the_shards_anew(place: MakePlace, root: Path) -> None:
    here = place(num_problems=10, planted_error_fraction=0.0)
    assert generate.run(here).rejected == {}
    commit_benchmarks(root, longest(10, 0.3)[1].statement)
    assert generate.run(here).rejected == {"contaminated": 1}
