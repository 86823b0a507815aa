"""Run small untrusted Python programs in a sandbox, and return the results of calls to their functions.

With bubblewrap, a program has no network, no files except /usr, its own process table and no new privileges;
a seccomp filter and rlimits bound it further, and if this process runs as root, the program runs as nobody.
Without bubblewrap, only code written by our own families runs, in a child process with rlimits, an empty
environment, a temporary folder and an isolated interpreter; code written by a model is refused. The sandbox
does not protect against faults of the kernel and side channels (for these, run the job in gVisor or a VM).
Cost: about 60 ms per sandbox and 3 ms per program in it. Each program written by a model gets its own
sandbox.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from configs.loader import ConfigError
from synth.checks.seccomp import write_filter

Author = Literal["families", "model"]
NOBODY = 65_534


@dataclass(frozen=True)
class Limits:
    """Limits of one program."""

    timeout_s: int
    """Limit of processor time, and of wall time, in seconds."""
    # Our choice: an isolated interpreter needs 30 MB of address space, and the problems' lists are tiny.
    max_memory_bytes: int = 256 << 20
    max_file_bytes: int = 1 << 20
    max_output_bytes: int = 64 << 10


@dataclass(frozen=True)
class Program:
    """Code, and the calls that are evaluated after it has run."""

    code: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """The results of a program's calls, and how the program ended."""

    values: tuple[str | None, ...]
    """Per call the repr of its value; None if it raised an exception or never ran."""
    ended: Literal["done", "timeout", "output_limit", "crashed"]


def has_bubblewrap() -> bool:
    """Return True if bubblewrap is installed and may create namespaces here (many containers forbid it)."""
    if shutil.which("bwrap") is None:
        return False
    probe: dict[str, object] = {"limits": asdict(Limits(1)), "programs": []}
    try:
        return _run_job(probe, isolated=True, timeout_s=20) == []
    except (PermissionError, FileNotFoundError):  # installed, but the user nobody may not run it
        return False


def require_isolation(author: Author, isolated: bool) -> None:
    """Raise ConfigError if code of this author may not run on this machine."""
    if author == "model" and not isolated:
        raise ConfigError(
            "sandbox: code written by a model cannot be run without bubblewrap; remedy: install bubblewrap "
            "(apt install bubblewrap) and allow user namespaces, or set teacher = 'symbolic'"
        )


def run_programs(
    programs: Sequence[Program], limits: Limits, author: Author, isolated: bool
) -> list[Outcome]:
    """Run each program once and return the outcomes in order. `isolated` is the result of has_bubblewrap().

    Raises ConfigError if a model wrote the code and there is no bubblewrap.
    """
    if programs:
        require_isolation(author, isolated)
    # Programs written by a model never share a sandbox: one could tamper with the process of another.
    size = 1 if author == "model" else max(1, len(programs))
    outcomes: list[Outcome] = []
    for start in range(0, len(programs), size):
        batch = programs[start : start + size]
        job: dict[str, object] = {
            "limits": asdict(limits),
            "programs": [asdict(program) for program in batch],
        }
        lines = _run_job(job, isolated, timeout_s=(limits.timeout_s + 1) * len(batch) + 10) or []
        outcomes += [
            _outcome(program, lines[i] if i < len(lines) else None) for i, program in enumerate(batch)
        ]
    return outcomes


def _outcome(program: Program, line: object) -> Outcome:
    """Parse the sandbox's line about one program; anything unexpected in it counts as a crash."""
    values: list[str | None] = []
    ended = "crashed"
    if isinstance(line, dict) and line.get("outcome") in ("done", "timeout", "output_limit"):
        ended = line["outcome"]
        for text in line.get("lines", []):
            try:
                reply = json.loads(text)
            except (ValueError, RecursionError):  # a program can write anything to the pipe
                continue
            value = reply.get("value") if isinstance(reply, dict) else None
            # A repr never has lone surrogates, and a table cannot store them.
            values.append(value.encode("utf-8", "replace").decode() if isinstance(value, str) else None)
    if ended == "done" and len(values) != len(program.calls):
        ended = "crashed"  # the program ended before its calls ran, or wrote more than their results
    padded = [*values[: len(program.calls)], *[None] * (len(program.calls) - len(values))]
    return Outcome(tuple(padded), ended)  # type: ignore[arg-type]


def _run_job(job: dict[str, object], isolated: bool, timeout_s: float) -> list[object] | None:
    """Start one sandbox, send it the job and return its lines; None if it did not start or was killed.

    The sandbox bounds its output to programs x max_output_bytes; the process that writes it runs our code
    only.
    """
    source = Path(__file__).with_name("sandbox_child.py").read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory(prefix="sandbox-") as folder, tempfile.TemporaryFile() as seccomp:
        if isolated:
            write_filter(seccomp)
            seccomp.seek(0)
        command = [
            *(_bubblewrap(seccomp.fileno()) if isolated else []),
            _interpreter(isolated),
            "-I",
            "-S",
            "-c",
            source,
        ]
        as_nobody = isolated and os.geteuid() == 0  # the kernel does not enforce RLIMIT_NPROC for root
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/" if isolated else folder, env={}, start_new_session=True,
            pass_fds=(seccomp.fileno(),) if isolated else (),
            user=NOBODY if as_nobody else None, group=NOBODY if as_nobody else None,
            extra_groups=[] if as_nobody else None,
        )  # fmt: skip
        try:
            output, _ = process.communicate(json.dumps(job).encode(), timeout=timeout_s)
        except subprocess.TimeoutExpired:
            output = None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
    if output is None or process.returncode != 0:
        return None
    try:
        return [json.loads(line) for line in output.splitlines()]
    except ValueError:
        return None


def _interpreter(isolated: bool) -> str:
    """Return the interpreter's path: inside bubblewrap, where only /usr exists, /usr's; else this one."""
    if not isolated:
        return sys.executable
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if found is None:
        raise ConfigError(
            "sandbox: there is no /usr/bin/python3, which bubblewrap needs; remedy: apt install python3"
        )
    return found


def _bubblewrap(seccomp_fd: int) -> list[str]:
    """Return the command line before the program: namespaces, a file system with a read-only /usr, rlimits.

    Only /tmp is writable, because / and /dev are in memory without a size limit. The sandbox's process has
    number 1, so no program can read it through /proc; if bubblewrap's own process had number 1, /proc would
    show programs the pipe of the results.
    """
    links = [part for name in ("lib", "lib64", "bin") for part in ("--symlink", f"usr/{name}", f"/{name}")]
    return [
        shutil.which("bwrap") or "bwrap",
        *("--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"),
        *("--as-pid-1", "--clearenv", "--cap-drop", "ALL", "--uid", str(NOBODY), "--gid", str(NOBODY)),
        *("--ro-bind", "/usr", "/usr", *links, "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/dev"),
        *("--size", str(64 << 20), "--tmpfs", "/tmp", "--remount-ro", "/", "--chdir", "/tmp"),
        *("--seccomp", str(seccomp_fd), "--"),
        *("/usr/bin/prlimit", "--nproc=64", "--core=0", "--"),
    ]
