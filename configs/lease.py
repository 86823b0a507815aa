"""One process per job and root: a lease that names its owner, held until after the commit.

The lease is an advisory lock (flock) on `<root>/_leases/<job>`. The kernel drops it when its process ends,
however it ends, so a dead owner holds nothing. Two hosts that share a root through NFS see each other's lock.
A root on an object store has no lease yet: there the user must not start the same job twice at once.
"""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from configs.contract import ContractError

FOLDER = "_leases"


class LeaseHeldError(ContractError):
    """Another process runs the same job on the same root. Exit code 75 (EX_TEMPFAIL): try again later."""


@contextmanager
def lease(root: str, job: str) -> Iterator[None]:
    """Be the one process that runs `job` on `root`. Raises LeaseHeldError naming the owner.

    Of the ranks that torchrun starts, the first one holds the lease for all.
    """
    local = root.removeprefix("file://")
    if "://" in local or os.environ.get("RANK", "0") != "0":
        yield
        return
    path = Path(local) / FOLDER / job
    path.parent.mkdir(parents=True, exist_ok=True)
    # Child processes do not inherit the descriptor, so a worker that outlives its driver holds nothing.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.pread(descriptor, 1_000, 0).decode("utf-8", "replace") or "another process"
            raise LeaseHeldError(
                f"{root}: {job} is being run by {owner}; remedy: wait for it, or stop it"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
