import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from configs.loader import ConfigError, load
from synth.config import EndpointConfig
from synth.endpoint.ask import KEY_VARIABLE, Prompt, ask
from synth.endpoint.journal import Usage, open_journal
from synth.families.problem import boxed_answer, fenced_code
from synth.families.symbolic import make_problem, write_solution
from synth.generate import SynthConfig


def endpoint(base_url: str, **changes: Any) -> EndpointConfig:
    values: dict[str, Any] = {
        "base_url": base_url,
        "model": "m",
        "needs_key": False,
        "max_concurrent": 4,
        "requests_per_minute": 60_000.0,
        "timeout_s": 5.0,
        "max_attempts": 3,
        "backoff_s": 0.0,
        "max_requests": 100,
        "price_per_million_prompt_tokens": 0.0,
        "price_per_million_completion_tokens": 0.0,
        "max_output_tokens": 64,
        "temperature": 0.5,
        "samples_per_problem": 1,
    }
    return EndpointConfig(**{**values, **changes})


def test_the_symbolic_teacher_depends_on_seed_and_index_only() -> None:
    backwards = [make_problem(7, index, 0.3) for index in reversed(range(40))]
    assert backwards[::-1] == [make_problem(7, index, 0.3) for index in range(40)]
    assert make_problem(7, 3, 0.3) != make_problem(8, 3, 0.3)
    assert [make_problem(7, i, 1.0).is_code for i in range(20)] == [True] * 20
    assert [make_problem(7, i, 0.0).is_code for i in range(20)] == [False] * 20


def test_a_solution_ends_with_its_answer_or_holds_its_code() -> None:
    for index in range(60):
        problem = make_problem(1, index, 0.5)
        right, wrong = (write_solution(problem, 1, index, is_flawed) for is_flawed in (False, True))
        if problem.is_code:
            assert (fenced_code(right), fenced_code(wrong)) == (problem.code, problem.flawed_code)
        else:
            assert boxed_answer(right) == problem.answer
            assert boxed_answer(wrong) != problem.answer
            assert all(step in right for step in problem.steps)


def test_answers_come_in_order_and_are_not_asked_twice(serve: Any, answer: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: answer(f"re: {prompt}"))
    config, path = endpoint(server.base_url), tmp_path / "j.jsonl"
    prompts = [Prompt(f"p{i}") for i in range(10)]
    assert ask(prompts[:6], config, open_journal(path)) == [f"re: p{i}" for i in range(6)]
    assert ask(prompts, config, open_journal(path)) == [f"re: p{i}" for i in range(10)]
    assert len(server.requests) == 10
    assert {request["max_tokens"] for request in server.requests} == {64}


def test_samples_and_other_settings_are_other_requests(serve: Any, answer: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: answer(str(n)))
    journal = open_journal(tmp_path / "j.jsonl")
    ask([Prompt("p"), Prompt("p", 1)], endpoint(server.base_url), journal)
    ask([Prompt("p")], endpoint(server.base_url, temperature=0.9), journal)
    assert sorted((request["seed"], request["temperature"]) for request in server.requests) == [
        (0, 0.5),
        (0, 0.9),
        (1, 0.5),
    ]


FAULTS: dict[str, Callable[[Any], tuple[int, str, str]]] = {
    "status 500": lambda answer: (500, "application/json", "{}"),
    "status 429": lambda answer: (429, "application/json", "{}"),
    "status 302": lambda answer: (302, "text/plain", ""),
    "no_choices": lambda answer: (200, "text/html", "<html>busy</html>"),
    "empty_answer": lambda answer: answer(None),
    "cut_at_max_output_tokens": lambda answer: answer("half", "length"),
    "malformed_body": lambda answer: (200, "application/json", '{"choices": ['),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_and_tried_again(fault: str, serve: Any, answer: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: FAULTS[fault](answer) if n < 3 else answer("good"))
    journal = open_journal(tmp_path / "j.jsonl")
    assert ask([Prompt("p")], endpoint(server.base_url), journal) == ["good"]
    assert list(journal.failures.values()) == [[fault, fault]]


@pytest.mark.parametrize(
    ("choices", "fault"),
    [
        ("NaN", "no_choices"),
        ("[NaN]", "no_choices"),
        ("[null]", "no_choices"),
        ('"text"', "no_choices"),
        ('{"0": {}}', "no_choices"),
        ('[{"message": "text"}]', "empty_answer"),
        ('[{"message": {"content": ["text"]}}]', "empty_answer"),
        pytest.param("[" * 100_000, "malformed_body", id="deep"),
        pytest.param("[]" + " " * (4 << 20), "APIConnectionError", id="long"),
    ],
)
def test_json_of_any_shape_is_a_named_fault(choices: str, fault: str, serve: Any, tmp_path: Path) -> None:
    body = f'{{"object": "chat.completion", "choices": {choices}}}'
    server = serve(lambda prompt, n: (200, "application/json", body))
    journal = open_journal(tmp_path / "j.jsonl")
    assert ask([Prompt("p")], endpoint(server.base_url, max_attempts=1), journal) == [None]
    assert list(journal.failures.values()) == [[fault]]


def test_a_body_that_never_ends_is_a_time_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                while True:
                    connection.sendall(b" ")
                    time.sleep(0.1)

        threading.Thread(target=drip, daemon=True).start()
        config = endpoint(f"http://127.0.0.1:{listener.getsockname()[1]}/v1", timeout_s=0.5, max_attempts=1)
        journal = open_journal(tmp_path / "j.jsonl")
        assert ask([Prompt("p")], config, journal) == [None]
    assert list(journal.failures.values()) == [["APITimeoutError"]]


def test_lone_surrogates_in_answers_are_replaced(serve: Any, answer: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: answer("a\ud800b"))
    assert ask([Prompt("p")], endpoint(server.base_url), open_journal(tmp_path / "j.jsonl")) == ["a?b"]


def test_attempts_are_counted_over_runs(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: (503, "application/json", "{}"))
    for _ in range(2):
        assert ask([Prompt("p")], endpoint(server.base_url), open_journal(tmp_path / "j.jsonl")) == [None]
    assert len(server.requests) == 3
    lines = [json.loads(line) for line in (tmp_path / "j.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["sent", "failed"] * 3


def test_requests_leave_no_faster_than_allowed(serve: Any, answer: Any, tmp_path: Path) -> None:
    arrivals: list[float] = []

    def reply(prompt: str, n: int) -> tuple[int, str, str]:
        arrivals.append(time.monotonic())
        return answer("good")  # type: ignore[no-any-return]

    config = endpoint(serve(reply).base_url, requests_per_minute=1200.0, max_concurrent=2)
    ask([Prompt(f"p{i}") for i in range(8)], config, open_journal(tmp_path / "j.jsonl"))
    # Two at once, then one every 0.05 s: the eighth leaves 0.3 s after the first, which itself travels.
    assert arrivals[-1] - arrivals[0] > 0.25


def test_tokens_are_counted_over_runs_also_of_failures(serve: Any, answer: Any, tmp_path: Path) -> None:
    used = {"prompt_tokens": 100, "completion_tokens": 7, "total_tokens": 107}
    replies = [
        answer("half", "length", used),
        answer("good", usage=used),
        answer("good"),
        answer("good", usage={"prompt_tokens": "many"}),
    ]
    server = serve(lambda prompt, n: replies[n - 1])
    for prompt in ("a", "b", "c"):
        journal = open_journal(tmp_path / "j.jsonl")
        assert ask([Prompt(prompt)], endpoint(server.base_url), journal) == ["good"]
    again = open_journal(tmp_path / "j.jsonl")
    assert (again.num_sent, again.num_reported, again.used) == (4, 2, Usage(200, 14))


def test_a_refused_key_ends_the_run(serve: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: (401, "application/json", "{}"))
    with pytest.raises(ConfigError, match=f"status 401.*{KEY_VARIABLE}"):
        ask([Prompt("p")], endpoint(server.base_url), open_journal(tmp_path / "j.jsonl"))


def test_the_budget_holds_over_runs(serve: Any, answer: Any, tmp_path: Path) -> None:
    server = serve(lambda prompt, n: answer("good"))
    config = endpoint(server.base_url, max_requests=3)
    ask([Prompt("a"), Prompt("b")], config, open_journal(tmp_path / "j.jsonl"))
    with pytest.raises(ConfigError, match="budget of 3 requests"):
        ask([Prompt("c"), Prompt("d"), Prompt("e")], config, open_journal(tmp_path / "j.jsonl"))
    assert len(server.requests) == 3


def test_the_key_comes_from_the_environment_and_is_not_written(
    serve: Any, answer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve(lambda prompt, n: answer("good") if n > 1 else (500, "application/json", "{}"))
    config = endpoint(server.base_url, needs_key=True)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match="not set; remedy: export it"):
        ask([Prompt("p")], config, open_journal(tmp_path / "j.jsonl"))
    monkeypatch.setenv(KEY_VARIABLE, "canary-key")
    ask([Prompt("p")], config, open_journal(tmp_path / "j.jsonl"))
    assert server.headers[0]["authorization"] == "Bearer canary-key"
    assert "canary-key" not in (tmp_path / "j.jsonl").read_text()


@pytest.mark.parametrize(
    "url", ["ftp://host/v1", "localhost:8000", "http://169.254.169.254/v1", "http://[fe80::1]/v1"]
)
def test_addresses_that_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        endpoint(url)


@pytest.mark.parametrize("url", ["http://user:canary@host/v1", "https://host/v1?key=canary"])
def test_a_secret_in_the_address_is_refused_and_not_repeated(url: str, place: Any) -> None:
    with pytest.raises(ConfigError, match=r"endpoint\.base_url: must not hold a user") as refusal:
        load(place(base_url=url).preset, "synth", SynthConfig)
    assert "canary" not in str(refusal.value)
