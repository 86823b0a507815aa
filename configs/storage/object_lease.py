"""The lease of a root on an object store: one object that is only changed by conditional writes.

1. Take: create `<root>/_leases/<job>` (If-None-Match: *), or replace it if its owner gave it back or is dead
   (If-Match). Of several takers the store lets one win.
2. Renew: a thread writes the object again every RENEW_EVERY_S seconds (If-Match).
3. An owner is dead if its last renewal is DEAD_AFTER_S old by the clock of the store, or if it ran on this
   machine and runs no more.
4. `require_held` renews once more: after it an owner may commit, unless the process is then stopped for
   DEAD_AFTER_S.
"""

import json
import logging
import os
import socket
import threading
import uuid
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from configs.contract import ContractError
from configs.loader import ConfigError
from configs.storage.s3 import s3_client

logger = logging.getLogger(__name__)

RENEW_EVERY_S = 10.0
DEAD_AFTER_S = 60.0
"""Our choice: five renewals in a row may fail before another process takes over."""

ATTEMPTS = 5
"""Of one request, and of reading an answer that breaks off. Our choice: the product with the time limits
below, 40 s, stays under DEAD_AFTER_S.
"""
CONNECT_TIMEOUT_S, READ_TIMEOUT_S = 3, 5

LOST_RACE = (404, 409, 412)
"""HTTP status of a conditional write whose condition does not hold (S3 API: 404 if the object is gone)."""


class LeaseHeldError(ContractError):
    """Another process runs the same job on the same root. Exit code 75 (EX_TEMPFAIL): try again later."""


@dataclass(frozen=True)
class Owner:
    """The content of the lease object, as JSON."""

    host: str
    pid: int
    process: str
    """See _process."""
    token: str
    """Random, one per lease taken."""
    taken_at: str
    renewed_at: str
    num_writes: int
    released: bool


@dataclass(frozen=True)
class Found:
    """The lease object as the store has it."""

    etag: str
    age_s: float
    """Since the last renewal, by the clock of the store."""
    owner: Owner

    @property
    def is_free(self) -> bool:
        """Whether the owner gave it back or is dead."""
        # The store's times have whole seconds.
        return self.owner.released or self.age_s > DEAD_AFTER_S + 1 or _is_gone(self.owner)

    def __str__(self) -> str:
        return (
            f"process {self.owner.pid} on {self.owner.host} since {self.owner.taken_at}, "
            f"renewed {self.age_s:.0f} s ago"
        )


class ObjectLease:
    """A lease that this process holds from its construction to `release`."""

    def __init__(self, root: str, job: str, folder: str) -> None:
        """Take the lease. Raises LeaseHeldError naming the owner, ConfigError if the store refuses."""
        self._where, self._job = root, job
        bucket, _, key = f"{root.removeprefix('s3://')}/{folder}/{job}".partition("/")
        self._object = {"Bucket": bucket, "Key": key}
        self._client, self._errors = s3_client(root, ATTEMPTS, CONNECT_TIMEOUT_S, READ_TIMEOUT_S)
        self._token, self._taken_at, self._num_writes = uuid.uuid4().hex, _now(), 0
        self._etag = ""
        self._lost: str | None = None
        self._lock, self._stop = threading.Lock(), threading.Event()
        try:
            self._take()
            self._check_store()
        except self._errors as error:
            raise ConfigError(
                f"{root}: the lease of {job} cannot be taken ({error}); "
                "remedy: check that the bucket exists, the credentials, and AWS_ENDPOINT_URL"
            ) from None
        self._thread = threading.Thread(target=self._keep, name=f"lease {job}", daemon=True)
        self._thread.start()

    def require_held(self) -> None:
        """Renew now. Raises LeaseHeldError if another process took over or the store does not answer."""
        with self._lock:
            why = self._lost or self._renew()
        if why is not None:
            raise LeaseHeldError(
                f"{self._where}: {self._job}: this process cannot commit, its lease was not renewed: {why}; "
                "remedy: wait for the other process if there is one, then run the job again"
            )

    def release(self) -> None:
        """Stop renewing and give the lease back, if this process still has it."""
        self._stop.set()
        self._thread.join()
        if self._lost is not None:
            return
        try:
            self._write(released=True, IfMatch=self._etag)
        except self._errors as error:
            logger.warning("%s: lease not given back (%s); it ends in %d s", self._job, error, DEAD_AFTER_S)

    def _take(self) -> None:
        for _ in range(ATTEMPTS):
            found = self._read()
            if found is None:
                condition = {"IfNoneMatch": "*"}
            elif found.is_free:
                condition = {"IfMatch": found.etag}
            else:
                break
            if self._write(released=False, **condition):
                return
        raise LeaseHeldError(
            f"{self._where}: {self._job} is being run by {found}; remedy: wait for it, or stop it "
            f"(one that was killed on another machine counts as dead after {DEAD_AFTER_S:.0f} s)"
        )

    def _check_store(self) -> None:
        """Refuse a store that ignores conditions: creating what is there must fail."""
        try:
            self._client.put_object(**self._object, Body=self._body(released=False), IfNoneMatch="*")
        except self._errors as error:
            if _status(error) in LOST_RACE:
                return
            raise
        raise ConfigError(
            f"{self._where}: this object store ignores If-None-Match, so two runs of {self._job} cannot be "
            "kept apart; remedy: use a store with conditional writes"
        )

    def _keep(self) -> None:
        """Renew until released or lost."""
        while not self._stop.wait(RENEW_EVERY_S):
            with self._lock:
                why = self._renew()
            if why is not None:
                logger.warning("%s: lease on %s not renewed: %s", self._job, self._where, why)
            if self._lost is not None:
                return

    def _renew(self) -> str | None:
        """Why the lease could not be renewed, or None. It is lost where the store has another owner."""
        try:
            if not self._write(released=False, IfMatch=self._etag):
                found = self._read()
                self._lost = "its object was deleted" if found is None else f"it is held by {found}"
        except self._errors as error:
            return f"the store does not answer ({error})"
        return self._lost

    def _write(self, released: bool, **condition: str) -> bool:
        """Write the object under a condition; False if another process changed it before."""
        self._num_writes += 1
        for _ in range(ATTEMPTS):
            try:
                reply = self._client.put_object(**self._object, Body=self._body(released), **condition)
            except self._errors as error:
                if _status(error) not in LOST_RACE:
                    raise
            else:
                self._etag = reply["ETag"]
                return True
            # The answer to a write that succeeded may have got lost: then the object is newer than we know.
            found = self._read()
            if found is None or found.owner.token != self._token:
                return False
            self._etag = found.etag
            if found.owner.num_writes == self._num_writes:
                return True
            condition = {"IfMatch": found.etag}
        return False

    def _body(self, released: bool) -> bytes:
        owner = Owner(
            host=socket.gethostname(),
            pid=os.getpid(),
            process=_process(os.getpid()) or "",
            token=self._token,
            taken_at=self._taken_at,
            renewed_at=_now(),
            num_writes=self._num_writes,
            released=released,
        )
        return (json.dumps(asdict(owner), indent=1) + "\n").encode()

    def _read(self) -> Found | None:
        """The object, or None if there is none. An answer that breaks off is asked for again."""
        for attempt in range(ATTEMPTS):
            try:
                reply = self._client.get_object(**self._object)
                return _found(reply, reply["Body"].read())
            except self._errors as error:
                code = _response(error).get("Error", {}).get("Code")
                if code == "NoSuchKey":
                    return None
                # Without a code, or with the bare status, the answer broke off.
                if code not in (None, "404") or attempt == ATTEMPTS - 1:
                    raise
            except (ValueError, TypeError):
                raise ConfigError(
                    f"{self._where}: {self._object['Key']} is not a lease; remedy: delete that object"
                ) from None
        raise AssertionError


def _found(reply: dict[str, Any], data: bytes) -> Found:
    now = parsedate_to_datetime(reply["ResponseMetadata"]["HTTPHeaders"]["date"])
    return Found(reply["ETag"], (now - reply["LastModified"]).total_seconds(), Owner(**json.loads(data)))


def _response(error: Exception) -> dict[str, Any]:
    """A store's refusal; empty if there was no whole answer."""
    response = getattr(error, "response", None)
    return response if isinstance(response, dict) else {}


def _status(error: Exception) -> int | None:
    """The HTTP status of a store's refusal; None if there was no whole answer."""
    status: int | None = _response(error).get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _process(pid: int) -> str | None:
    """The name of a process in this start of this machine: no later process has it. None if it is gone.

    Of Linux: boot, pid namespace, pid, start time. Empty where there is no /proc.
    """
    if not Path("/proc/self/stat").exists():
        return ""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    state, *fields = stat.rpartition(")")[2].split()
    if state in "ZX":  # killed, not yet waited for
        return None
    return f"{boot} {os.readlink('/proc/self/ns/pid')} {pid} {fields[18]}"


def _is_gone(owner: Owner) -> bool:
    """Whether the owner ran on this machine, under this kernel's process ids, and runs no more."""
    machine = (_process(os.getpid()) or "").split()[:2]
    is_here = bool(machine) and owner.process.split()[:2] == machine
    return is_here and _process(owner.pid) != owner.process
