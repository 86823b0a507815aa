"""An HTTP proxy before an object store that fails on purpose, drawn by a seed.

    with running_proxy("http://127.0.0.1:40001", rate=0.05, seed=1) as proxy:
        ...  # AWS_ENDPOINT_URL=proxy.address
        print(proxy.counts)

Each request meets one fault of FAULTS with the probability `rate`. Every fault but `delay` closes the
connection or answers 500 or 503, as stores do under load; clients are expected to ask again. Which request
meets which fault also depends on the order in which they arrive.
"""

import contextlib
import http.client
import random
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = ("internal_error", "slow_down", "lost_answer", "delay", "cut_request", "cut_answer")
"""500 or 503 before the store hears of the request; 500 after the store did it; a pause; the connection is
closed after half of the request's body, or after half of the answer's."""

CODES = {"internal_error": (500, "InternalError"), "slow_down": (503, "SlowDown")}
OWN_HEADERS = frozenset(("connection", "transfer-encoding", "content-length", "keep-alive", "expect"))
"""Headers between two neighbours, which a proxy does not pass on."""


@dataclass
class FaultProxy:
    """A running proxy: where it listens and which faults it made."""

    store: str
    """Host and port of the store."""
    rate: float
    random: random.Random
    max_delay_s: float
    address: str = ""
    counts: Counter[str] = field(default_factory=Counter)
    """Faults by name, and `requests`."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def draw(self) -> tuple[str, float]:
        """The fault of the next request, or "", and a number in [0, 1) for its extent."""
        with self.lock:
            fault = self.random.choice(FAULTS) if self.random.random() < self.rate else ""
            self.counts["requests"] += 1
            self.counts[fault] += bool(fault)
            return fault, self.random.random()


@contextlib.contextmanager
def running_proxy(store: str, rate: float, seed: int, max_delay_s: float = 2.0) -> Iterator[FaultProxy]:
    """Run a proxy before the store at this address, in threads of this process."""
    proxy = FaultProxy(urlsplit(store).netloc, rate, random.Random(seed), max_delay_s)

    class Handler(_Handler):
        pass

    Handler.proxy = proxy
    server = _Server(("127.0.0.1", 0), Handler)
    proxy.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that goes away in the middle is no news here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: FaultProxy

    def answer(self) -> None:
        """Pass one request on and its answer back, with the fault that is drawn for it."""
        fault, extent = self.proxy.draw()
        if fault == "cut_request":
            self.rfile.read(int(self.headers.get("Content-Length", 0)) // 2)
            return self.hang_up()
        body = self.body()
        if fault in CODES:
            return self.refuse(*CODES[fault])
        if fault == "delay":
            time.sleep(extent * self.proxy.max_delay_s)
        connection = http.client.HTTPConnection(self.proxy.store, timeout=120)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in OWN_HEADERS}
        connection.request(self.command, self.path, body, headers)
        reply = connection.getresponse()
        data = reply.read()
        connection.close()
        if fault == "lost_answer":
            return self.refuse(*CODES["internal_error"])
        self.send_response_only(reply.status, reply.reason)
        for name, value in reply.getheaders():
            if name.lower() not in OWN_HEADERS or (name.lower() == "content-length" and not data):
                self.send_header(name, value)
        if data:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if fault == "cut_answer":
            self.wfile.write(data[: len(data) // 2])
            return self.hang_up()
        self.wfile.write(data)
        return None

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = answer  # noqa: N815 (http.server's names)

    def body(self) -> bytes:
        """The request's body, whichever way its length is given."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def refuse(self, status: int, code: str) -> None:
        """Answer as S3 does when it fails."""
        data = f"<Error><Code>{code}</Code><Message>drawn by the proxy</Message></Error>".encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def hang_up(self) -> None:
        """Close the connection without a word."""
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
