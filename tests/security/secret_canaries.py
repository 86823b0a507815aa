"""A key in the environment, and every byte that runs with it leave behind.

The label and synth jobs ask a model, well answered, badly answered and refused, by a server that repeats the
key in its errors. The key must stand in no log line at any level, manifest, journal, reject, table or
message. About 2 s a run.
"""

import json
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.loader import ConfigError
from synth import generate, label_documents
from synth.endpoint import journal
from synth.endpoint.ask import KEY_VARIABLE
from tests.security.attempts import Attempt, Setup
from tests.synth.conftest import (
    PROXY_VARIABLES,
    Endpoint,
    chat,
    commit_benchmarks,
    commit_rows,
    commit_tokenizer,
    write_preset,
)

LABELS = {"domain": "science", "quality": 4, "knowledge_density": 3, "reasoning_depth": 2}
Reply = Callable[[str, int], tuple[int, str, str]]


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Every job with every server, `count` times. Broken: the journal writes the key."""
    rng = setup.rng("secrets")
    for number in range(setup.count):
        key = f"sk-canary-{rng.getrandbits(96):x}"
        echo = json.dumps({"error": {"message": f"bad key {key}", "code": key}})
        servers: dict[str, Reply] = {
            "answers": lambda prompt, n: chat(
                json.dumps(LABELS) if "rubric" in prompt else r"So $\boxed{5}$."
            ),
            "labels": lambda prompt, n: chat(json.dumps(LABELS)),
            "fails, then answers": lambda prompt, n, e=echo: (
                (500, "application/json", e) if n % 2 else chat("?")
            ),
            "refuses": lambda prompt, n, e=echo: (401, "application/json", e),
            "throttles": lambda prompt, n, e=echo: (429, "application/json", e),
            "sends HTML": lambda prompt, n, e=echo: (200, "text/html", e),
            "sends broken JSON": lambda prompt, n, e=echo: (200, "application/json", e[:-1]),
            "redirects": lambda prompt, n, e=echo: (302, "text/plain", e),
        }
        for name, reply in servers.items():
            for job, run in (("label", label_documents.run), ("synth", generate.run)):
                folder = setup.folder / f"{number}-{job}-{name}"
                yield Attempt(
                    f"{job}: the server {name}",
                    lambda r=run, p=reply, f=folder, k=key: _leak(r, p, f, k, setup.is_broken),
                )
        yield Attempt(
            "a password in base_url", lambda k=key, f=setup.folder / f"{number}-url": _password(f, k)
        )


def _leak(
    run: Callable[[Place], object], reply: Reply, folder: Path, key: str, is_broken: bool
) -> str | None:
    """Run a job with the key in the environment and look for it in all that came of it."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ, {KEY_VARIABLE: key}))
        for name in PROXY_VARIABLES:
            os.environ.pop(name, None)
        if is_broken:
            stack.enter_context(mock.patch.object(journal.Journal, "record", _careless_record))
        server = Endpoint(reply)
        stack.callback(server.close)
        place = _place(folder, server.base_url)
        stack.enter_context(_everything_logged(folder / "log.txt"))
        try:
            run(place)
        except (ConfigError, ContractError) as error:
            (folder / "message.txt").write_text(str(error))
        if not any(key in headers.get("authorization", "") for headers in server.headers):
            return "the server never got the key: nothing was tried"
    found = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and key.encode() in _bytes(path)
    ]
    return f"the key stands in {found}" if found else None


_record = journal.Journal.record


def _careless_record(
    self: journal.Journal,
    event: journal.Event,
    key: str,
    detail: str = "",
    usage: journal.Usage | None = None,
) -> None:
    _record(self, event, key, detail + os.environ[KEY_VARIABLE], usage)


def _bytes(path: Path) -> bytes:
    """A file's bytes, a Parquet file's values."""
    if path.suffix == ".parquet":
        rows = [row for batch in tables.read_part(str(path)) for row in batch.to_pylist()]
        return path.read_bytes() + repr(rows).encode()
    return path.read_bytes()


def _everything_logged(path: Path) -> ExitStack:
    """Log every level of every library into a file."""
    stack = ExitStack()
    handler = logging.FileHandler(path)
    root, level, disabled = logging.getLogger(), logging.getLogger().level, logging.root.manager.disable
    logging.disable(logging.NOTSET)
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    stack.callback(logging.disable, disabled)
    stack.callback(root.setLevel, level)
    stack.callback(handler.close)
    stack.callback(root.removeHandler, handler)
    return stack


def _place(folder: Path, base_url: str) -> Place:
    """A preset that asks `base_url`, a tokenizer of single bytes, no benchmarks and twelve documents."""
    run = folder / "run"
    commit_tokenizer(run)
    commit_benchmarks(run)
    commit_rows(run, "filtered", {"s": [{"doc_id": f"d{i}", "text": f"Text {i}."} for i in range(12)]})
    preset = write_preset(
        folder / "preset",
        base_url=base_url,
        needs_key=True,
        teacher="endpoint",
        num_problems=6,
        code_fraction=0.0,
        num_documents=8,
        max_attempts=2,
        backoff_s=0.0,
        max_requests=200,
        timeout_s=5.0,
    )
    return Place(preset, str(run), str(run))


def _password(folder: Path, key: str) -> str | None:
    """A key written into the address would be written into manifests: it must be refused."""
    for url in (f"http://user:{key}@127.0.0.1:9/v1", f"http://127.0.0.1:9/v1?api_key={key}"):
        place = _place(folder / url[-5:].replace("/", ""), url)
        try:
            with mock.patch.dict(os.environ, {KEY_VARIABLE: "other"}):
                label_documents.run(place)
        except ConfigError as error:
            if "base_url" in str(error) and key not in str(error):
                continue
            return f"refused with {error}"
        return f"{url} was taken"
    return None
