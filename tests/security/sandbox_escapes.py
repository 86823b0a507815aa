"""Programs that try to get out of the sandbox, or to take more of the machine than they are given.

Each program calls f(): an escape returns a value only if it got out; a flood returns how many MiB (or things)
it got. After each one the canaries (a file, a TCP and an abstract socket, a variable) must be untouched, no
process left over, our memory steady, and the outcome one of the four. About 0.1 s a program, 2 s where it
has to be stopped.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from synth.checks.sandbox import Limits, Outcome, Program, has_bubblewrap, run_programs
from tests.security.attempts import Attempt, Setup, peak_memory_bytes, reset_peak_memory
from tests.security.escape_programs import ESCAPES, FLOODS, LOOKS, PRELUDE

LIMITS = Limits(timeout_s=2)
# The sandbox's own allowance beyond the program's limit, and what a loaded machine may add.
MAX_WALL_S = LIMITS.timeout_s + 1 + 10 + 5
MAX_GROWTH_BYTES = 64 << 20
MARK = b"Runs inside the sandbox"
# Where the call stands: inside f, at import, in a string that is executed, in a finaliser.
FORMS = (
    "def f():\n    return ({call})\n",
    "value = ({call})\ndef f(): return value\n",
    "def f():\n    space = dict(globals())\n    exec({call!r}.join(('value = (', ')')), space)\n"
    "    return space['value']\n",
    "found = []\nclass Last:\n    def __del__(self): found.append(({call}))\ndel Last\n"
    "def f():\n    class Other:\n        def __del__(self): found.append(({call}))\n    Other()\n"
    "    return found[0]\n",
)


class Canaries:
    """A secret file, two listening sockets and a variable, none of which a program may reach."""

    def __init__(self, folder: Path, name: str, stack: ExitStack) -> None:
        self.secret = f"canary-{name}"
        self.file = folder / "canary.txt"
        self.file.write_text(self.secret)
        self.socket_name = f"reasonmill-canary-{name}"
        tcp = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        abstract = stack.enter_context(socket.socket(socket.AF_UNIX))
        abstract.bind(f"\0{self.socket_name}")
        abstract.listen()
        self.port = int(tcp.getsockname()[1])
        self.visits = 0
        for listener in (tcp, abstract):
            threading.Thread(target=self._listen, args=(listener,), daemon=True).start()
        os.environ["REASONMILL_CANARY"] = self.secret
        stack.callback(os.environ.pop, "REASONMILL_CANARY")

    def _listen(self, listener: socket.socket) -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return
            self.visits += 1

    def fault(self, outcome: Outcome) -> str | None:
        """Which canary was touched."""
        if self.file.read_text() != self.secret or len(list(self.file.parent.iterdir())) != 1:
            return "changed the canary's folder"
        if self.visits:
            self.visits = 0
            return "reached a canary socket"
        if any(self.secret in (value or "") for value in outcome.values):
            return "brought a secret back"
        return None


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Every program, in a form drawn for it. Broken: run them without namespaces and seccomp."""
    isolated = not setup.is_broken
    if isolated and not has_bubblewrap():
        yield Attempt("all of it, for want of bubblewrap (apt install bubblewrap)", lambda: None, trials=0)
        return
    rng = setup.rng("escapes")
    with ExitStack() as stack:
        canaries = Canaries(setup.folder, f"{rng.getrandbits(64):x}", stack)
        # Unprotected, only the programs that look around may run: the others would harm this machine.
        programs = {**LOOKS, **ESCAPES} if isolated else LOOKS
        for _ in range(setup.count):
            for name, call in programs.items():
                code = PRELUDE + rng.choice(FORMS).format(call=_filled(call, canaries))
                yield Attempt(name, lambda code=code: _fault(code, 0, isolated, canaries))
            for name, (code, most) in FLOODS.items() if isolated else ():
                yield Attempt(name, lambda code=code, most=most: _fault(PRELUDE + code, most, True, canaries))


def _filled(call: str, canaries: Canaries) -> str:
    return (
        call.replace("@FILE", repr(str(canaries.file)))
        .replace("@FOLDER", repr(str(canaries.file.parent)))
        .replace("@PORT", str(canaries.port))
        .replace("@SOCKET", repr(canaries.socket_name))
        .replace("@PID", str(os.getpid()))
    )


def _fault(code: str, most: int, isolated: bool, canaries: Canaries) -> str | None:
    """Run one program. `most`: the largest number that its call may return; 0 if it may not return at all."""
    started, memory = time.monotonic(), reset_peak_memory()
    [outcome] = run_programs([Program(code, ("f()",))], LIMITS, "model" if isolated else "families", isolated)
    spent_s = time.monotonic() - started
    touched = canaries.fault(outcome)
    if touched is not None:
        return touched
    [value] = outcome.values
    if value is not None and not (most and value.isdigit() and int(value) <= most):
        return f"returned {value[:200]}, at most {most} allowed"
    if outcome.ended not in ("done", "timeout", "output_limit", "crashed"):
        return f"ended as {outcome.ended!r}"
    if spent_s > MAX_WALL_S:
        return f"took {spent_s:.1f} s"
    if peak_memory_bytes() - memory > MAX_GROWTH_BYTES:
        return f"cost us {(peak_memory_bytes() - memory) >> 20} MiB"
    return f"left processes behind: {left}" if (left := _survivors()) else None


def _survivors() -> list[int]:
    """Processes of a sandbox that are still there a moment after it ended."""
    for _ in range(20):
        found = []
        for folder in Path("/proc").iterdir():
            try:
                if folder.name.isdigit() and MARK in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:
                continue
        found = [pid for pid in found if pid != os.getpid()]
        if not found:
            break
        time.sleep(0.05)
    return found
