"""An endpoint that fails in every way, and what asking it comes to.

For each kind of fault 20 prompts are asked, every second one of which meets it. Each prompt must end in its
answer or in named failures, within the time limit; no more requests than the budget and no more at once than
allowed are made, and no redirect is followed. About 1 s a kind.
"""

import gzip
import json
import os
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any
from unittest import mock

import openai

from configs.loader import ConfigError, load
from synth.config import EndpointConfig
from synth.endpoint.ask import Prompt, ask
from synth.endpoint.journal import Journal, open_journal
from synth.generate import SynthConfig
from tests.security.attempts import Attempt, Setup, peak_memory_bytes, reset_peak_memory
from tests.synth.conftest import PROXY_VARIABLES, TINY

NUM_PROMPTS = 20
MAX_CONCURRENT = 4
MAX_ATTEMPTS = 2
TIMEOUT_S = 0.5
MAX_GROWTH_BYTES = 256 << 20
NAMED = ("status ", "API", "no_choices", "empty_answer", "cut_at_max_output_tokens", "malformed_body")


def _reply(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


def _chat(choices: object) -> bytes:
    body = {"id": "1", "object": "chat.completion", "created": 0, "model": "m", "choices": choices}
    return _reply(json.dumps(body).encode())


def _content(text: object, finish_reason: object = "stop") -> bytes:
    return _chat([{"finish_reason": finish_reason, "message": {"role": "assistant", "content": text}}])


GOOD = _content("good")
REPLIES: dict[str, bytes] = {
    **{f"status {status}": _reply(b"{}", f"{status} No") for status in (400, 408, 409, 418, 422, 429)},
    **{f"status {status}": _reply(b"{}", f"{status} No") for status in (500, 502, 503, 504, 529)},
    "retry after a day": _reply(b"{}", "429 No", Retry_After="86400"),
    "redirect": _reply(b"", "302 Found", Location="http://127.0.0.1:PORT/elsewhere"),
    "redirect that keeps the method": _reply(b"", "307 No", Location="http://127.0.0.1:PORT/elsewhere"),
    "redirect to metadata": _reply(b"", "308 No", Location="http://169.254.169.254/latest"),
    "dropped": b"",
    "truncated": GOOD[:-30],
    "half a header": GOOD[:20],
    "no HTTP": b"\xff" * 999,
    "HTML": _reply(b"<html>busy</html>", Content_Type="text/html"),
    "HTML as JSON": _reply(b"<html>busy</html>"),
    "null": _reply(b"null"),
    "a list": _reply(b"[]"),
    "nothing": _reply(b""),
    "no UTF-8": _reply(b"\xff"),
    "deep": _reply(b"[" * 100_000),
    "a long number": _reply(b"9" * 100_000),
    "an error in 200": _reply(b'{"error": {}}'),
    "no choices": _chat([]),
    "choices null": _chat(None),
    "choices NaN": _chat(float("nan")),
    "choices text": _chat("a"),
    "a choice null": _chat([None]),
    "a choice NaN": _chat([float("nan")]),
    "message text": _chat([{"message": "a"}]),
    "content null": _content(None),
    "content empty": _content("  "),
    "content a list": _content(["a"]),
    "content a number": _content(float("inf")),
    "cut": _content("half", "length"),
    "50 MB": _reply(b" " * 50_000_000),
    "gzip bomb": _reply(gzip.compress(bytes(200_000_000), 1), Content_Encoding="gzip"),
}


def _hang(stream: IO[bytes]) -> None:
    time.sleep(3 * TIMEOUT_S)


def _drip(stream: IO[bytes]) -> None:
    stream.write(_reply(b"", Content_Length="1000"))
    for _ in range(40):
        stream.write(b" ")
        time.sleep(TIMEOUT_S / 5)


def _endless(stream: IO[bytes]) -> None:
    stream.write(_reply(b"", Content_Length="1000000000000"))
    for _ in range(1_000):
        stream.write(b" " * (1 << 20))


SLOW: dict[str, Callable[[IO[bytes]], None]] = {"hang": _hang, "slow drip": _drip, "endless body": _endless}


class FaultServer(socketserver.ThreadingTCPServer):
    """Answers prompts that hold `bad` by a fault, others well; counts requests, those at once, and visits."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, fault: bytes | Callable[[IO[bytes]], None]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.fault = fault
        self.requests = self.at_once = self.peak = self.strays = 0
        self.lock = threading.Lock()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news."""


class _Handler(socketserver.StreamRequestHandler):
    server: FaultServer

    def handle(self) -> None:
        """Read one request and answer it."""
        path = self.rfile.readline().split()[1]
        headers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value
        prompt = self.rfile.read(int(headers.get("content-length", 0)))
        server = self.server
        with server.lock:
            server.strays += path != b"/v1/chat/completions"
            server.requests += 1
            server.at_once += 1
            server.peak = max(server.peak, server.at_once)
        try:
            if b"bad" not in prompt:
                self.wfile.write(GOOD)
            elif callable(server.fault):
                server.fault(self.wfile)
            else:
                self.wfile.write(server.fault.replace(b"PORT", str(server.port).encode()))
        finally:
            with server.lock:
                server.at_once -= 1


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Every fault and the budget, `count` times. Broken: redirects are followed and nothing is bounded."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.dict(os.environ))
        for name in PROXY_VARIABLES:
            os.environ.pop(name, None)
        if setup.is_broken:
            careless = openai.DefaultAsyncHttpxClient
            replaced = stack.enter_context(mock.patch.object(openai, "DefaultAsyncHttpxClient"))
            replaced.side_effect = lambda **options: careless(follow_redirects=True)
        for number in range(setup.count):
            for name, fault in (REPLIES | SLOW).items():
                path = setup.folder / f"{number}-{name}.jsonl"
                yield Attempt(name, lambda f=fault, p=path: _ask(f, p), NUM_PROMPTS)
            yield Attempt("budget", lambda n=number: _budget(setup.folder / f"{n}-budget.jsonl"), NUM_PROMPTS)


def _config(server: FaultServer, **changes: Any) -> EndpointConfig:
    values = {
        "base_url": f"http://127.0.0.1:{server.port}/v1",
        "max_concurrent": MAX_CONCURRENT,
        "max_attempts": MAX_ATTEMPTS,
        "timeout_s": TIMEOUT_S,
        "backoff_s": 0.0,
        "max_requests": 1_000,
        "needs_key": False,
    }
    shipped = load(TINY, "synth", SynthConfig).endpoint
    return shipped.model_copy(update=values | changes)


def _ask(fault: bytes | Callable[[IO[bytes]], None], path: Path) -> str | None:
    prompts = [Prompt(f"{'bad' if i % 2 else 'fine'} {i}") for i in range(NUM_PROMPTS)]
    journal = open_journal(path)
    with FaultServer(fault) as server:
        started, memory = time.monotonic(), reset_peak_memory()
        answers = ask(prompts, _config(server), journal)
        spent_s = time.monotonic() - started
        server.shutdown()
    # Half of the prompts may use up their attempts' time, MAX_CONCURRENT at once, and as much for load.
    max_s = 2 * (NUM_PROMPTS / 2 * MAX_ATTEMPTS * TIMEOUT_S / MAX_CONCURRENT) + 5
    if spent_s > max_s:
        return f"took {spent_s:.1f} s, at most {max_s} allowed"
    if peak_memory_bytes() - memory > MAX_GROWTH_BYTES:
        return f"cost {(peak_memory_bytes() - memory) >> 20} MiB"
    if answers != [None if i % 2 else "good" for i in range(NUM_PROMPTS)]:
        return f"answers {answers}"
    # A slow fault is still at it when the client has given up and asks the next.
    return _accounts(server, journal, NUM_PROMPTS if callable(fault) else MAX_CONCURRENT)


def _accounts(server: FaultServer, journal: Journal, max_peak: int) -> str | None:
    """What the server saw against what the journal says. A request may fail before it is sent."""
    kinds = Counter(kind for kinds in journal.failures.values() for kind in kinds)
    if server.strays:
        return f"{server.strays} redirects followed"
    if server.requests > journal.num_sent or journal.num_sent != NUM_PROMPTS // 2 * (1 + MAX_ATTEMPTS):
        return f"{server.requests} requests, {journal.num_sent} in the journal"
    if server.peak > max_peak:
        return f"{server.peak} requests at once"
    odd = [kind for kind in kinds if not kind.startswith(NAMED)]
    return f"failures of no name: {odd}" if odd or not kinds else None


def _budget(path: Path) -> str | None:
    """Two runs that share a journal may not send more than the budget."""
    with FaultServer(REPLIES["status 503"]) as server:
        for _ in range(2):
            try:
                ask(
                    [Prompt(f"bad {i}") for i in range(NUM_PROMPTS)],
                    _config(server, max_requests=7),
                    open_journal(path),
                )
                return "the budget stopped nothing"
            except ConfigError:
                pass
        server.shutdown()
    return None if server.requests == 7 else f"{server.requests} requests of 7 allowed"
