"""One process per job and root: a lease that names its owner, held until after the commit.

On a folder the lease is an advisory lock (flock) on `<root>/_leases/<job>`. The kernel drops it when its
process ends, however it ends, so a dead owner holds nothing. Two hosts that share a root through NFS see each
other's lock. On s3:// it is an object (configs.storage.object_lease). On other URIs (hdfs://) there is none,
since pyarrow offers no conditional write there: the user must not start the same job twice at once.
"""

import fcntl
import logging
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from configs.storage.manifest import MANIFEST
from configs.storage.object_lease import LeaseHeldError, ObjectLease

__all__ = ["FOLDER", "LeaseHeldError", "lease", "may_be_read", "reading", "require_held"]

logger = logging.getLogger(__name__)

FOLDER = "_leases"

_held: dict[str, list[ObjectLease]] = {}
"""Leases of this process by root; on folders the kernel keeps them."""


@contextmanager
def lease(root: str, job: str) -> Iterator[None]:
    """Be the one process that runs `job` on `root`. Raises LeaseHeldError naming the owner.

    Of the ranks that torchrun starts, the first one holds the lease for all.
    """
    root = root.rstrip("/")
    local = root.removeprefix("file://")
    if os.environ.get("RANK", "0") != "0":
        yield
    elif root.startswith("s3://"):
        with _object_lease(root, job):
            yield
    elif "://" in local:
        logger.warning("%s: no lease there: do not start %s a second time while it runs", root, job)
        yield
    else:
        with _lock(Path(local) / FOLDER / job, root, job):
            yield


def require_held(root: str) -> None:
    """Raise LeaseHeldError if this process had a lease on `root` and another one has taken it over.

    Call it right before a manifest is written. On a folder a lease cannot be lost. A process that took no
    lease (a Spark worker) passes: its driver asks before the job's own commit.
    """
    for held in _held.get(root.rstrip("/"), ()):
        held.require_held()


@contextmanager
def reading(root: str, names: Iterable[str]) -> Iterator[None]:
    """Keep the files of these tables while this process reads them: a commit deletes none of them.

    Only on folders. Names that are no tables of the root are passed over.
    """
    local = root.removeprefix("file://")
    held = [] if "://" in local else [name for name in names if Path(local, name, MANIFEST).is_file()]
    with ExitStack() as stack:
        for name in held:
            descriptor = os.open(_readers(local, name), os.O_RDWR | os.O_CREAT, 0o644)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield


def may_be_read(root: str, name: str) -> bool:
    """Whether a process may be reading this table; always so where readers leave no lock (object stores)."""
    local = root.removeprefix("file://")
    if "://" in local:
        return True
    descriptor = os.open(_readers(local, name), os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _readers(local: str, name: str) -> Path:
    path = Path(local) / FOLDER / "readers" / name.replace("/", ".")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextmanager
def _object_lease(root: str, job: str) -> Iterator[None]:
    held = ObjectLease(root, job, FOLDER)
    _held.setdefault(root, []).append(held)
    try:
        yield
    finally:
        _held[root].remove(held)
        held.release()


@contextmanager
def _lock(path: Path, root: str, job: str) -> Iterator[None]:
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
        since = datetime.now(UTC).isoformat(timespec="seconds")
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"process {os.getpid()} on {socket.gethostname()} since {since}".encode(), 0)
        yield
    finally:
        os.close(descriptor)
