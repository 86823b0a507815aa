"""A preset in a temporary folder, a root with what synth reads, a scripted endpoint, the sandbox's mark."""

import functools
import json
import os
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from configs import tables
from configs.command import Place
from pipeline import index_benchmarks
from synth.checks.sandbox import has_bubblewrap
from tests.run_tables import write_table, write_tokenizer

TINY = Path(__file__).parents[2] / "configs" / "tiny"
SEEDS = "min_reasoning_depth = 0.6\nmax_passage_chars = 6000\n"
PROXY_VARIABLES = ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY")
NO_BUBBLEWRAP = (
    "bubblewrap is not installed or may not make namespaces; "
    "remedy: apt-get install bubblewrap and allow user namespaces"
)
bubblewrap_works = functools.cache(has_bubblewrap)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `bubblewrap` are skipped where it does not work, but fail in continuous integration."""
    if item.get_closest_marker("bubblewrap") and not bubblewrap_works():
        if os.environ.get("CI") == "true":
            pytest.fail(f"CI is true and {NO_BUBBLEWRAP}", pytrace=False)
        pytest.skip(NO_BUBBLEWRAP)


def commit_tokenizer(folder: Path) -> None:
    """Commit a tokenizer of single bytes, and an end of document, to a run folder."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: i for i, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["<|endoftext|>"])
    write_tokenizer(folder, tokenizer, "<|endoftext|>")


def commit_benchmarks(folder: Path, *problems: str) -> None:
    """Commit the benchmark_index of a file bench.jsonl that holds these problems to a run folder."""
    preset, benchmark = folder / "benchmarks", folder / "benchmarks" / "bench.jsonl"
    preset.mkdir(parents=True, exist_ok=True)
    benchmark.write_text("".join(json.dumps({"problem": text}) + "\n" for text in problems))
    listed = f'[{{ path = "{benchmark}", text_fields = ["problem"] }}]' if problems else "[]"
    (preset / "benchmarks.toml").write_text(f"benchmarks = {listed}\n")
    index_benchmarks.run(Place(preset, str(folder), str(folder)))


def write_preset(preset: Path, **changes: object) -> Path:
    """A folder with tiny's synth.toml and labels.toml, some lines changed; [seeds] if num_seeds is given."""
    preset.mkdir(parents=True, exist_ok=True)
    seeds = f"[seeds]\nnum_seeds = {changes.pop('num_seeds')}\n{SEEDS}" if "num_seeds" in changes else ""
    used = set()
    for name in ("synth.toml", "labels.toml"):
        lines = []
        for line in (TINY / name).read_text(encoding="utf-8").splitlines():
            key = line.split("=")[0].strip()
            lines.append(f"{key} = {json.dumps(changes[key])}" if key in changes else line)
            used |= {key} & changes.keys()
        (preset / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert used == changes.keys(), f"no such keys: {changes.keys() - used}"
    with (preset / "synth.toml").open("a", encoding="utf-8") as stream:
        stream.write(seeds)
    return preset


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A run folder with a tokenizer of single bytes and without benchmarks."""
    folder = tmp_path / "run"
    commit_tokenizer(folder)
    commit_benchmarks(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path, root: Path) -> Callable[..., Place]:
    """Make a Place whose preset is tiny's with some lines changed: place(num_problems=40)."""

    def make(output: str = "", **changes: object) -> Place:
        return Place(write_preset(tmp_path / "preset", **changes), str(root), output or str(root))

    return make


def commit_rows(root: Path, table: str, documents: dict[str, list[dict[str, Any]]]) -> tables.Table:
    """Commit a table of rows by source, with the columns given and the others neutral."""
    rows = [{"source": source, **row} for source, of_source in documents.items() for row in of_source]
    write_table(root, table, rows)
    return tables.open_table(str(root), table)


@pytest.fixture
def write_rows() -> Callable[[Path, str, dict[str, list[dict[str, Any]]]], tables.Table]:
    """The function above, for tests."""
    return commit_rows


class Endpoint:
    """A chat endpoint on a free port: `reply(prompt, number of the request)` gives status, type, body."""

    def __init__(self, reply: Callable[[str, int], tuple[int, str, str]]) -> None:
        self.requests: list[dict[str, object]] = []
        self.headers: list[dict[str, str]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                endpoint.requests.append(request)
                endpoint.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, kind, body = reply(request["messages"][0]["content"], len(endpoint.requests))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                if status == 302:
                    self.send_header("Location", "http://169.254.169.254/latest")
                self.send_header("Content-Length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.base_url = f"http://127.0.0.1:{self._server.server_address[1]}/v1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


def chat(
    text: str | None, finish_reason: str = "stop", usage: dict[str, object] | None = None
) -> tuple[int, str, str]:
    """A well-formed completion."""
    choice = {"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    body |= {"usage": usage} if usage is not None else {}
    return 200, "application/json", json.dumps(body)


@pytest.fixture
def answer() -> Callable[..., tuple[int, str, str]]:
    """The shape of an answer, for tests to fill."""
    return chat


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Endpoint]]:
    """Start an endpoint with a reply function; all are stopped afterwards."""
    for name in PROXY_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    started: list[Endpoint] = []

    def start(reply: Callable[[str, int], tuple[int, str, str]]) -> Endpoint:
        started.append(Endpoint(reply))
        return started[-1]

    yield start
    for endpoint in started:
        endpoint.close()
