"""The process inside the sandbox (python -I -S -c <this text>): runs programs and prints their results.

It reads one JSON job, limits and programs, from stdin. For each program it forks, limits the fork, executes
the code and evaluates the calls; then it prints one JSON line per program. It uses only the standard library.
Expected results never enter the sandbox, so a program cannot know what it should return.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn


def run_calls(code: str, calls: list[str], reply: int) -> None:
    """Execute the code, then write one JSON line per call with the repr of its value or its error."""
    namespace: dict[str, object] = {"__name__": "solution"}
    exec(compile(code, "solution.py", "exec"), namespace)
    for call in calls:
        try:
            line = {"value": repr(eval(call, namespace))}
        except Exception as error:
            line = {"error": type(error).__name__}
        os.write(reply, json.dumps(line).encode() + b"\n")


def limit(limits: dict[str, int]) -> None:
    """Limit the fork's processor seconds, memory, file sizes and open files; forbid core dumps.

    It may also start no process or thread: each would get the full memory limit again, and could outlive it.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (limits["timeout_s"], limits["timeout_s"] + 1))
    resource.setrlimit(resource.RLIMIT_AS, (limits["max_memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits["max_file_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def child(program: dict[str, Any], limits: dict[str, int], reply: int) -> NoReturn:
    """Run one program in the fork; never returns."""
    try:
        os.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(null, descriptor)
        limit(limits)
        run_calls(program["code"], program["calls"], reply)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.write(reply, json.dumps({"error": type(error).__name__}).encode() + b"\n")
    finally:
        os._exit(0)


def collect(pid: int, reply: int, limits: dict[str, int]) -> tuple[str, bytes]:
    """Read the fork's output up to the limits of bytes and wall time, then kill its whole session.

    Returns how the program ended, and the output.
    """
    deadline, data, outcome = time.monotonic() + limits["timeout_s"], b"", "done"
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([reply], [], [], left)[0]:
            outcome = "timeout"
            break
        chunk = os.read(reply, 65536)
        data += chunk
        if not chunk:
            break
        if len(data) > limits["max_output_bytes"]:
            outcome = "output_limit"
            break
    for target in (-pid, pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(target, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    if outcome == "done" and os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGXCPU:
        outcome = "timeout"
    return outcome, data


def main() -> None:
    """Run one job."""
    with contextlib.suppress(AttributeError):  # not on macOS
        ctypes.CDLL(None).prctl(4, 0)  # PR_SET_DUMPABLE: forks cannot open our pipes through /proc
    job = json.load(sys.stdin)
    for program in job["programs"]:
        reply, write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reply)
            child(program, job["limits"], write)
        os.close(write)
        outcome, data = collect(pid, reply, job["limits"])
        os.close(reply)
        line = {"outcome": outcome, "lines": data.decode("utf-8", "replace").splitlines()}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
