"""Extract documents in a child process that can be killed.

C parsers do not return to Python while they work, so a signal handler in the same process cannot stop them.
One child per guard does the work; the parent waits on a pipe with a deadline and kills the child when the
deadline passes. The child's address space is limited, so that a document that needs too much memory fails
alone and the machine keeps its memory. Input that one linear scan of the bytes shows to be hostile is never
parsed.
"""

import os
import re
import select
import struct
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from pipeline.extraction import guard_child
from pipeline.extraction.web.html import Extraction

# Sizes at which lxml or lexbor take quadratic time (measured: 100k attributes take over 40 s, 60k open
# elements 25 s).
MAX_HTML_BYTES = 5_000_000
MAX_TAG_ATTRIBUTES = 2_000
MAX_OPEN_ELEMENTS = 2_000
# Our choice: other formats are read by page or by cell, and a PDF with figures is often larger than 5 MB.
MAX_OTHER_BYTES = 50_000_000
# Our choice: starting Python and importing the extractors takes 1 to 2 s on an idle core; a loaded machine
# gets 30 times that.
START_TIMEOUT_S = 60.0

# Our choice: the balance of tags is summed over chunks of this many bytes. Smaller ones are slower, larger
# ones less exact.
_STRIDE = 4096
_LENGTH = struct.Struct(">I")
_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})([^<>]{0,200000})(>?)")
_ATTRIBUTE = re.compile(rb"""[^\s"'>=/]+(?:\s{0,20}=\s{0,20}(?:"[^"]*"|'[^']*'|[^\s"'>]*))?|>""")
_VOID = frozenset(b"area base br col embed hr img input link meta param source track wbr".split())
# Elements that the parser closes when the next element of their kind opens.
_SELF_CLOSING = frozenset(b"p li dt dd option tr td th tbody thead tfoot optgroup colgroup rp rt".split())


@dataclass(frozen=True)
class Failure:
    """The reason why a document has no extraction."""

    reason: str
    """timeout, out_of_memory, extractor_crashed, extractor_error, too_large or malformed_markup."""
    detail: str


class Guard:
    """One child process that extracts documents. Use it as a context manager, and from one thread only."""

    def __init__(self, timeout_s: float, max_memory_bytes: int) -> None:
        """Take the limits; the child starts with the first document.

        `timeout_s` is per document. `max_memory_bytes` is the child's address space; it needs 0.3 GB to
        start.
        """
        self.timeout_s = timeout_s
        self.max_memory_bytes = max_memory_bytes
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the child. A later `extract` starts a new one."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                # The child that would have read the rest of the buffer is gone.
                with suppress(BrokenPipeError):
                    pipe.close()

    def extract(
        self, kind: str, content: bytes, url: str | None = None, charset: str | None = None
    ) -> Extraction | Failure:
        """Extract one document of `kind`; every fault of the document is returned as a `Failure`.

        Raises ValueError for an unknown kind, and RuntimeError if no child can be started.
        """
        if kind not in guard_child.KINDS:
            raise ValueError(f"unknown kind {kind!r}: one of {', '.join(guard_child.KINDS)}")
        refused = prescan(kind, content)
        if refused is not None:
            return refused
        child = self._running_child()
        try:
            answer = self._ask(child, guard_child.pack(kind, content, url, charset))
        except (BrokenPipeError, EOFError):
            return self._after_death(child)
        if answer is None:
            self.close()
            return Failure("timeout", f"over {self.timeout_s:g} s")
        result = guard_child.unpack_answer(answer)
        if isinstance(result, Extraction):
            return result
        reason, detail = result
        if reason == "out_of_memory":
            self.close()
        return Failure(reason, detail)

    def _after_death(self, child: subprocess.Popen[bytes]) -> Failure:
        code = child.wait()
        self.close()
        if code == -9:
            return Failure("out_of_memory", "child ended by signal 9 from outside")
        return Failure("extractor_crashed", f"signal {-code}" if code < 0 else f"exit code {code}")

    def _running_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self.close()
            self._child = self._start()
        return self._child

    def _start(self) -> subprocess.Popen[bytes]:
        root = str(Path(__file__).resolve().parents[2])
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
        child = subprocess.Popen(
            [sys.executable, "-m", "pipeline.extraction.guard_child", str(self.max_memory_bytes)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )
        try:
            ready = _read_frame(child, START_TIMEOUT_S)
        except EOFError:
            ready = b""
        if ready != guard_child.READY:
            child.kill()
            code = child.wait()
            raise RuntimeError(
                f"the extraction child did not start within {START_TIMEOUT_S:g} s (exit code {code}, "
                f"max_memory_bytes {self.max_memory_bytes}): give it at least 1,000,000,000 bytes"
            )
        return child

    def _ask(self, child: subprocess.Popen[bytes], request: bytes) -> bytes | None:
        """Return the child's answer, or None if the deadline passed.

        Writing does not block for long, because the child reads the whole request first.
        """
        assert child.stdin is not None
        child.stdin.write(_LENGTH.pack(len(request)))
        child.stdin.write(request)
        child.stdin.flush()
        return _read_frame(child, self.timeout_s)


def _read_frame(child: subprocess.Popen[bytes], timeout_s: float) -> bytes | None:
    """Read one length-prefixed message; return None after `timeout_s`.

    Raises EOFError if the child is gone.
    """
    assert child.stdout is not None
    deadline = time.monotonic() + timeout_s
    handle = child.stdout.fileno()
    received = bytearray()
    wanted = _LENGTH.size
    while len(received) < wanted:
        readable, _, _ = select.select([handle], [], [], max(0.0, deadline - time.monotonic()))
        if not readable:
            return None
        part = os.read(handle, 1 << 20)
        if not part:
            raise EOFError
        received += part
        if wanted == _LENGTH.size and len(received) >= _LENGTH.size:
            wanted = _LENGTH.size + _LENGTH.unpack_from(received)[0]
    return bytes(received[_LENGTH.size :])


def prescan(kind: str, content: bytes) -> Failure | None:
    """Refuse what one linear scan shows to be hostile; return None if the content may be parsed.

    Refused are too many bytes, a tag with too many attributes, and elements nested too deeply.
    """
    limit = MAX_HTML_BYTES if kind in ("html", "thread") else MAX_OTHER_BYTES
    if len(content) > limit:
        return Failure("too_large", f"{len(content)} bytes, limit {limit}")
    if kind != "html":
        return None
    # A tag with so many attributes has at least twice as many bytes. Few tags do, and only those are read.
    for tag in content.split(b"<") if len(content) > 2 * MAX_TAG_ATTRIBUTES else ():
        if len(tag) > 2 * MAX_TAG_ATTRIBUTES and _num_attributes(tag) > MAX_TAG_ATTRIBUTES:
            return Failure("malformed_markup", f"a tag with more than {MAX_TAG_ATTRIBUTES} attributes")
    if content.count(b"<") > MAX_OPEN_ELEMENTS and _depth(content) > MAX_OPEN_ELEMENTS:
        return Failure("malformed_markup", f"more than {MAX_OPEN_ELEMENTS} open elements")
    return None


def _num_attributes(tag: bytes) -> int:
    """Count the attributes up to the first `>` that is not in quotes."""
    if not tag[:1].isalpha():
        return 0
    count = 0
    for part in _ATTRIBUTE.finditer(tag):
        if part[0] == b">":
            break
        count += 1
    return count


def _depth(content: bytes) -> int:
    """Return an upper estimate of the depth of nesting: the maximum of opening minus closing tags.

    Void and self-closing elements do not count.
    """
    if _rough_depth(content) <= MAX_OPEN_ELEMENTS:
        return 0
    depth = highest = 0
    for closing, name, _, _ in _TAG.findall(content):
        lowered = name.lower()
        if lowered in _VOID or lowered in _SELF_CLOSING:
            continue
        depth += -1 if closing else 1
        highest = max(highest, depth)
        depth = max(depth, 0)
    return highest


def _rough_depth(content: bytes) -> int:
    """Return an upper bound of the depth: void elements and elements without end tags count as open."""
    depth = highest = 0
    for start in range(0, len(content), _STRIDE):
        closing = content.count(b"</", start, start + _STRIDE + 1)
        depth += content.count(b"<", start, start + _STRIDE) - 2 * closing
        highest = max(highest, depth + closing)
    return highest
