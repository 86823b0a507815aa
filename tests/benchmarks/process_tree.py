"""Run a command and measure its whole process tree from /proc (Linux): wall, CPU time, peak memory.

Memory is the sum of the resident sizes of all processes at one moment; pages that processes share (the code
of Python workers) are counted in each. CPU time of a process that lives shorter than the interval is lost.
"""

import os
import subprocess
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

INTERVAL_S = 0.2
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Usage:
    """What a command and all it started took."""

    wall_s: float
    cpu_s: float
    """User and system time of all processes."""
    peak_rss_bytes: int


class Process(NamedTuple):
    """One process as /proc/PID/stat tells of it (proc(5))."""

    pid: int
    born: int
    """In clock ticks since the machine started."""
    cpu_s: float
    reaped_s: float
    """CPU time of its ended children."""
    rss_bytes: int


def measured(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Usage:
    """Run `command` to its end, output to `log`. Raises CalledProcessError, the log's end in its output."""
    started = time.monotonic()
    cpu: dict[tuple[int, int], float] = {}
    peak = 0
    with log.open("w") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
        while process.poll() is None:
            total = 0
            for one in tree(process.pid):
                cpu[one.pid, one.born] = one.cpu_s
                total += one.rss_bytes
            peak = max(peak, total)
            time.sleep(INTERVAL_S)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, log.read_text()[-4000:])
    return Usage(time.monotonic() - started, sum(cpu.values()), peak)


def tree(root: int) -> list[Process]:
    """`root` and its descendants that live."""
    children: dict[int, list[int]] = defaultdict(list)
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        pid, parent = int(folder.name), int(fields[1])
        children[parent].append(pid)
        own, reaped = (sum(map(int, fields[first : first + 2])) / _TICKS for first in (11, 13))
        found[pid] = Process(pid, int(fields[19]), own, reaped, int(fields[21]) * _PAGE)
    living, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        waiting += children[pid]
        if pid in found:
            living.append(found[pid])
    return living
