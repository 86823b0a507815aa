"""Compare a LaTeX answer with the reference, with math-verify in a child process that can be killed.

One child compares many pairs, because starting it costs about a second. A child that crashes, or that does
not stop at its own time limit, is killed, and the next pair gets a new child. `timeout` is a separate
verdict. A comparison that runs out of memory inside sympy may give `different`; it never gives `equal`.
"""

import json
import selectors
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Literal, cast

Verdict = Literal["equal", "different", "unparsed", "timeout"]

# Our choice: the longest right answer of the families has about 80 characters; longer ones only cost time.
MAX_ANSWER_CHARS = 1_000
# Our choice: sympy, math-verify and its grammar need 0.4 GiB of address space; big integers may use the rest.
MAX_MEMORY_BYTES = 1 << 30
_START_TIMEOUT_S = 120.0
# Additional wait after the child's own alarms, for code that alarms cannot interrupt.
_GRACE_S = 2.0


class MathVerifier:
    """Owns the child process. Use it as a context manager."""

    def __init__(self, timeout_s: int, max_memory_bytes: int = MAX_MEMORY_BYTES) -> None:
        self._timeout_s = timeout_s
        self._max_memory_bytes = max_memory_bytes
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> "MathVerifier":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def verify(self, pairs: Iterable[tuple[str, str | None]]) -> list[Verdict]:
        """Return the verdicts on (reference, answer) pairs, in order.

        An answer that is missing, empty or longer than MAX_ANSWER_CHARS is `unparsed`.
        """
        return [self._verify_one(reference, answer) for reference, answer in pairs]

    def _verify_one(self, reference: str, answer: str | None) -> Verdict:
        if not answer or len(answer) > MAX_ANSWER_CHARS:
            return "unparsed"
        child = self._child or self._start()
        line = json.dumps({"reference": reference, "answer": answer})
        try:
            print(line, file=child.stdin, flush=True)
            # two parses and one comparison, each with its own alarm
            verdict = _read_line(child, 3 * self._timeout_s + _GRACE_S)
        except BrokenPipeError:
            verdict = ""
        if verdict in ("equal", "different", "unparsed"):
            return cast(Verdict, verdict)
        if verdict != "timeout":  # no answer: the child hangs, crashed, or reached its memory limit
            self._stop()
        return "timeout"

    def _start(self) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("verify_math_child.py")
        arguments = [sys.executable, str(script), str(self._max_memory_bytes), str(self._timeout_s)]
        self._child = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            bufsize=1,
        )  # fmt: skip
        if _read_line(self._child, _START_TIMEOUT_S) != "ready":
            self._stop()
            raise RuntimeError("math-verify's child process does not start; is the synth extra installed?")
        return self._child

    def _stop(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def _read_line(child: subprocess.Popen[str], timeout_s: float) -> str:
    """Return one line of the child's output, stripped; an empty string if it is late or has ended."""
    stream = cast(IO[str], child.stdout)
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        if not selector.select(timeout_s):
            return ""
    return stream.readline().strip()
