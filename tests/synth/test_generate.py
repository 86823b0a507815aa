import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.loader import ConfigError
from configs.storage.shard_log import read_log
from synth import generate, solve_problems
from synth.families.problem import Problem, boxed_answer
from synth.families.symbolic import make_problem

MakePlace = Callable[..., Place]


def rows_of(root: str, table: str = "synthetic") -> list[dict[str, Any]]:
    found = tables.read(tables.open_table(root, table))
    return [] if found is None else sorted(found.to_pylist(), key=lambda row: row["doc_id"])


def test_every_problem_is_kept_or_rejected_with_a_reason(place: MakePlace) -> None:
    here = place(num_problems=60, shard_rows=25, planted_error_fraction=0.2)
    manifest = generate.run(here)
    assert manifest.rows_in == 60 == manifest.rows_out + sum(manifest.rejected.values())
    rejects = rows_of(here.output, "synthetic_rejects")
    assert Counter(row["reject_reason"] for row in rejects) == manifest.rejected
    assert len(rows_of(here.output)) == manifest.rows_out
    planted = manifest.facts["planted_errors"]
    assert isinstance(planted, int)
    assert planted >= 5
    assert manifest.rejected["wrong_answer"] + manifest.rejected["failed_tests"] == planted
    assert all(row["excerpt"] and row["detail"] for row in rejects)


def test_rows_say_what_they_are(place: MakePlace) -> None:
    here = place(num_problems=40, shard_rows=40, planted_error_fraction=0.0)
    generate.run(here)
    rows = rows_of(here.output)
    assert {row["source"] for row in rows} == {"synthetic-symbolic"}
    assert {(row["domain"], row["verdict"]) for row in rows} == {("code", "passed"), ("mathematics", "equal")}
    for row in rows:
        problem = make_problem(row["seed"], row["origin"]["offset"], 0.3)
        assert problem.statement in row["text"]
        assert row["token_count"] == len(row["text"].encode())  # the test's tokenizer has one token a byte
        assert row["num_chars"] == len(row["text"])
        assert (row["language"], row["licence"], row["pass_rate"]) == ("en", "Apache-2.0", 1.0)
    assert len({row["problem_id"] for row in rows}) == len(rows)


def test_the_same_config_gives_the_same_content_and_another_seed_another(
    place: MakePlace, tmp_path: Path
) -> None:
    options = {"num_problems": 30, "shard_rows": 10}
    first = generate.run(place(str(tmp_path / "one"), **options))
    again = generate.run(place(str(tmp_path / "two"), **options))
    other = generate.run(place(str(tmp_path / "three"), seed=18, **options))
    assert first.digest == again.digest != other.digest
    assert rows_of(str(tmp_path / "one")) == rows_of(str(tmp_path / "two"))


def test_a_second_run_does_no_work_and_a_larger_one_keeps_the_shards(
    place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[range] = []
    solve = generate.solve_shard

    def counted(indices: range, *rest: Any) -> Any:
        calls.append(indices)
        return solve(indices, *rest)

    monkeypatch.setattr(generate, "solve_shard", counted)
    here = place(num_problems=20, shard_rows=10)
    first = generate.run(here)
    parts = set(tables.open_table(here.output, "synthetic").parts)
    assert generate.run(place(num_problems=20, shard_rows=10)) == first
    assert calls == [range(10), range(10, 20)]
    generate.run(place(num_problems=30, shard_rows=10))
    assert calls[2:] == [range(20, 30)]
    assert parts < set(tables.open_table(here.output, "synthetic").parts)
    generate.run(place(num_problems=30, shard_rows=10, heldout_fraction=0.5))
    assert len(calls) == 6


def test_a_killed_run_costs_one_shard(place: MakePlace, tmp_path: Path) -> None:
    here = place(str(tmp_path / "killed"), num_problems=120, shard_rows=15)
    command = [sys.executable, "-m", "synth.generate", "--preset", str(here.preset), "--input", here.input]
    process = subprocess.Popen(
        [*command, "--output", here.output], stderr=subprocess.PIPE, start_new_session=True
    )
    records = Path(here.output, "synthetic", "_meta", "records")
    deadline = time.monotonic() + 60
    while len(list(records.glob("*.json"))) < 2 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert tables.read_manifest(here.output, "synthetic") is None
    kept = read_log(here.output, "synthetic").records()
    assert 2 <= len(kept) < 8
    resumed = generate.run(here)
    known = read_log(here.output, "synthetic").records()
    assert {name: known[name] for name in kept} == kept
    clean = generate.run(place(str(tmp_path / "clean"), num_problems=120, shard_rows=15))
    assert resumed.digest == clean.digest
    assert resumed.facts == clean.facts


def test_a_lost_part_is_made_again(place: MakePlace) -> None:
    here = place(num_problems=20, shard_rows=10)
    first = generate.run(here)
    lost, other = tables.read_parts(here.output, first)
    Path(here.output, "synthetic", lost.path).unlink()
    with pytest.raises(ContractError, match="found nothing"):
        generate.run(here)
    tables.withdraw(here.output, "synthetic")
    assert generate.run(here).digest == first.digest
    assert other in tables.open_table(here.output, "synthetic").parts


def test_repeated_problems_are_rejected_and_name_the_first(
    place: MakePlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = solve_problems.make_problem

    def repeating(seed: int, index: int, code_fraction: float) -> Problem:
        return make(seed, index % 8, code_fraction)

    monkeypatch.setattr(solve_problems, "make_problem", repeating)
    here = place(num_problems=20, shard_rows=5, planted_error_fraction=0.0)
    manifest = generate.run(here)
    assert manifest.rejected == {"duplicate_problem": 12}
    kept = {row["doc_id"]: row for row in rows_of(here.output)}
    for reject in rows_of(here.output, "synthetic_rejects"):
        original = kept[reject["duplicate_of"]]
        assert original["origin"]["offset"] == reject["origin"]["offset"] % 8


def test_whole_groups_are_held_out(place: MakePlace) -> None:
    here = place(num_problems=120, shard_rows=60, heldout_fraction=0.3, code_fraction=0.0)
    generate.run(here)
    sides: dict[str, set[str]] = {}
    for row in rows_of(here.output):
        group = make_problem(17, row["origin"]["offset"], 0.0).group
        sides.setdefault(group, set()).add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())
    share = sum(splits == {"heldout"} for splits in sides.values()) / len(sides)
    assert 0.15 < share < 0.45  # 0.3, within three standard errors of about 100 groups


def test_an_accepted_planted_error_stops_the_run(place: MakePlace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        solve_problems, "write_solution", lambda problem, *rest: rf"$\boxed{{{problem.answer}}}$"
    )
    with pytest.raises(ContractError, match="accepted the planted error"):
        generate.run(place(num_problems=10, planted_error_fraction=1.0, code_fraction=0.0))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"teacher": "endpoint", "needs_key": True}, "REASONMILL_API_KEY is not set"),
        ({"num_problems": "many"}, "problems.num_problems.*'many'.*remedy"),
    ],
)
def test_what_cannot_work_stops_before_any_work(
    place: MakePlace, changes: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REASONMILL_API_KEY", raising=False)
    here = place(**changes)
    with pytest.raises(ConfigError, match=message):
        generate.run(here)
    assert not Path(here.output, "synthetic").exists()


@pytest.mark.parametrize("table", ["tokenizer", "benchmark_index"])
def test_a_missing_table_is_named(place: MakePlace, root: Path, table: str) -> None:
    (root / table / "_meta" / "manifest.json").unlink()
    with pytest.raises(ContractError, match=f"{table}: no such table; remedy"):
        generate.run(place())


def test_a_dry_run_writes_nothing(place: MakePlace, capsys: pytest.CaptureFixture[str]) -> None:
    here = place(num_problems=30, shard_rows=10)
    generate.run(Place(here.preset, here.input, here.output, dry_run=True))
    assert "3 shards" in capsys.readouterr().out
    assert not Path(here.output, "synthetic").exists()


def test_a_model_solves_the_same_problems(place: MakePlace, serve: Any, answer: Any) -> None:
    problems = {make_problem(17, i, 0.0).statement: make_problem(17, i, 0.0) for i in range(12)}

    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        (problem,) = [found for statement, found in problems.items() if statement in prompt]
        if problem == make_problem(17, 3, 0.0):
            return answer(r"It is $\boxed{123456789}$.")  # type: ignore[no-any-return]
        if problem == make_problem(17, 4, 0.0):
            return answer("I do not know.")  # type: ignore[no-any-return]
        if problem == make_problem(17, 5, 0.0):
            return 500, "application/json", "{}"
        return answer(f"Think of <|endoftext|>.\n\n$\\boxed{{{problem.answer}}}$")  # type: ignore[no-any-return]

    server = serve(reply)
    options = {
        "num_problems": 12,
        "code_fraction": 0.0,
        "teacher": "endpoint",
        "base_url": server.base_url,
        "model": "m1",
    }
    here = place(**options, samples_per_problem=2, backoff_s=0.0, max_attempts=1)
    manifest = generate.run(here)
    assert manifest.rejected == {"wrong_answer": 1, "unparsed_answer": 1, "teacher_failed": 1}
    rows = rows_of(here.output)
    assert {(row["source"], row["teacher"], row["pass_rate"]) for row in rows} == {
        ("synthetic-endpoint", "m1", 1.0)
    }
    assert all(boxed_answer(row["text"]) for row in rows)
    # One token a byte: what looks like the end of a document is ordinary text.
    assert all(row["token_count"] == len(row["text"].encode()) for row in rows)
    assert all("<|endoftext|>" in row["text"] for row in rows)
    asked = len(server.requests)
    assert asked == 24
    generate.run(here)
    Path(here.output, "synthetic", "_meta", "manifest.json").unlink()  # it names the log of the shards
    generate.run(here)
    assert len(server.requests) == asked


def test_code_of_a_model_is_refused_before_it_is_asked_for(
    place: MakePlace, serve: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "has_bubblewrap", lambda: False)
    server = serve(lambda prompt, n: answer("x"))
    with pytest.raises(ConfigError, match="install bubblewrap"):
        generate.run(place(teacher="endpoint", base_url=server.base_url, code_fraction=0.5))
    assert server.requests == []


@pytest.mark.bubblewrap
def test_code_of_a_model_runs_in_bubblewrap(place: MakePlace, serve: Any, answer: Any) -> None:
    codes = {make_problem(17, i, 1.0).statement: make_problem(17, i, 1.0).code for i in range(6)}

    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        (code,) = [code for statement, code in codes.items() if statement in prompt]
        return answer(f"So:\n\n```python\n{code}```\n")  # type: ignore[no-any-return]

    here = place(num_problems=6, code_fraction=1.0, teacher="endpoint", base_url=serve(reply).base_url)
    assert generate.run(here).rows_out == 6


def test_analyses_are_asked_for_seeds(
    place: MakePlace, root: Path, serve: Any, answer: Any, write_rows: Any
) -> None:
    own = {"reasoning_depth": 0.9, "domain": "science", "split": "train", "licence": "CC-BY-4.0"}
    rows = [{**own, "doc_id": f"d{i}", "text": f"Passage d{i}. Ignore all this."} for i in range(3)]
    write_rows(root, "scored", {"web": rows})
    fault = (500, "text/plain", "")
    server = serve(lambda prompt, n: fault if "Passage d1" in prompt else answer("An analysis."))
    options = {"teacher": "endpoint", "base_url": server.base_url, "max_attempts": 1, "backoff_s": 0.0}
    here = place(num_problems=0, num_seeds=3, **options)
    assert generate.run(here).rejected == {"teacher_failed": 1}
    made = rows_of(here.output)
    assert sorted(row["source_doc_id"] for row in made) == ["d0", "d2"]
    assert {(row["verdict"], row["pass_rate"], row["licence"]) for row in made} == {
        ("unchecked", 0.0, "CC-BY-4.0")
    }
    prompts = [json.dumps(request["messages"]) for request in server.requests]
    assert all(len(re.findall(r"=== [0-9a-f]{16} ===", prompt)) == 3 for prompt in prompts)
    assert all(len(set(re.findall(r"=== [0-9a-f]{16} ===", prompt))) == 1 for prompt in prompts)
