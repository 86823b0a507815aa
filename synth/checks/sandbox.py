"""Run small Python programs that nobody has read, and bring back what their calls returned.

Full isolation: bubblewrap (no network, no files but /usr, own process table, no new privileges) + a seccomp
filter + rlimits, as nobody where we are root. Without bubblewrap only code written by our own families runs:
in a child with rlimits, an empty environment, a temporary folder and an isolated interpreter; model-written
code is refused. Not covered: faults of the kernel, side channels (run the job in gVisor or a VM).
Cost: about 60 ms for a sandbox and 3 ms for each program in it. Model-written programs get one each.
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
    """Bounds of one program."""

    timeout_s: int
    """Processor and wall seconds."""
    # Ours: an isolated interpreter needs 30 MB of address space; the tasks' lists are tiny.
    max_memory_bytes: int = 256 << 20
    max_file_bytes: int = 1 << 20
    max_output_bytes: int = 64 << 10


@dataclass(frozen=True)
class Program:
    """Code and the calls to evaluate after it."""

    code: str
    calls: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """What came back: per call a repr or None (it raised, or was not reached), and how the program ended."""

    values: tuple[str | None, ...]
    ended: Literal["done", "timeout", "output_limit", "crashed"]


def has_bubblewrap() -> bool:
    """True if bubblewrap is installed and may make its namespaces here (many containers forbid it)."""
    if shutil.which("bwrap") is None:
        return False
    probe: dict[str, object] = {"limits": asdict(Limits(1)), "programs": []}
    try:
        return _run_job(probe, isolated=True, timeout_s=20) == []
    except (PermissionError, FileNotFoundError):  # there, but not for the user that we become
        return False


def require_isolation(author: Author, isolated: bool) -> None:
    """Raise ConfigError if code of this author may not run here."""
    if author == "model" and not isolated:
        raise ConfigError(
            "sandbox: code written by a model cannot be run without bubblewrap; remedy: install bubblewrap "
            "(apt install bubblewrap) and allow user namespaces, or set teacher = 'symbolic'"
        )


def run_programs(
    programs: Sequence[Program], limits: Limits, author: Author, isolated: bool
) -> list[Outcome]:
    """Run each program once; the outcomes are in order. `isolated`: what has_bubblewrap() said.

    Raises ConfigError if the code is a model's and there is no bubblewrap.
    """
    if programs:
        require_isolation(author, isolated)
    # A model's program must not sit beside another one: they could tamper with each other's process.
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
    """Read what the sandbox printed about one program; anything unexpected in it is a crash."""
    values: list[str | None] = []
    ended = "crashed"
    if isinstance(line, dict) and line.get("outcome") in ("done", "timeout", "output_limit"):
        ended = line["outcome"]
        for text in line.get("lines", []):
            try:
                reply = json.loads(text)
            except (ValueError, RecursionError):  # a program can write what it likes to the pipe itself
                continue
            value = reply.get("value") if isinstance(reply, dict) else None
            # No repr has lone surrogates, and no table takes them.
            values.append(value.encode("utf-8", "replace").decode() if isinstance(value, str) else None)
    if ended == "done" and len(values) != len(program.calls):
        ended = "crashed"  # it left before its calls were made, or wrote more than their results
    padded = [*values[: len(program.calls)], *[None] * (len(program.calls) - len(values))]
    return Outcome(tuple(padded), ended)  # type: ignore[arg-type]


def _run_job(job: dict[str, object], isolated: bool, timeout_s: float) -> list[object] | None:
    """Start one sandbox, give it the job, return its lines; None if it could not start or was killed.

    The output is bounded by the child: programs x max_output_bytes, from a process that runs our text only.
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
        as_nobody = isolated and os.geteuid() == 0  # as root rlimits on processes do not bind
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
    """Only /usr exists inside bubblewrap: its Python there, ours otherwise."""
    if not isolated:
        return sys.executable
    found = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if found is None:
        raise ConfigError(
            "sandbox: no /usr/bin/python3 to run inside bubblewrap; remedy: apt install python3"
        )
    return found


def _bubblewrap(seccomp_fd: int) -> list[str]:
    """The command line up to the program: namespaces, an empty file system with a read-only /usr, rlimits.

    Only /tmp can be written: / and /dev are memory without a bound of their own. The child is process 1, into
    which no program can look; bubblewrap's own would show the pipe of our results in /proc.
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
