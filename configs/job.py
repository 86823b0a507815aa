"""The one mechanism of every job: what its result depends on, whether it is there already, and the commit.

    job = Job("filter", "filtered", code_hash(__name__), config, inputs)
    make_table(place, job, "filter 450 rows", work)

`work` ends in `commit`. It may write shards (configs.shards), so that a killed run does only what is left.
A fingerprint has two halves, "work-code": the work is job, config, inputs and facts; the code is the import
closure of the job's module (configs.code_closure). With --accept-code finished work counts although the code
half differs; manifests record both hashes.
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, TypeVar

from configs import tables
from configs.command import Place
from configs.contract import CONTRACT_VERSION, SCHEMAS, ContractError, Manifest, Part
from configs.lease import lease, reading
from configs.storage.part_list import PartList
from configs.storage.shard_log import ShardLog, delete_records

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """What makes a table, and everything that its content depends on."""

    name: str
    """The make target: filter, dedup, ..."""
    table: str
    code: str
    """`code_hash` of the job's module, computed on the driver: a worker's libraries may differ."""
    config: Mapping[str, object]
    """The resolved configuration as plain values, without what this job does not read."""
    inputs: Mapping[str, str]
    """Digest of every input, by name."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """More that the result depends on and the manifest states (model hashes)."""
    shard_config: Mapping[str, object] | None = None
    """What one shard depends on of `config`; None: all of it."""

    def fingerprint(self) -> str:
        """Fingerprint of the whole table."""
        return mark(self.code, self.name, self.table, self.config, self.facts, self.inputs)

    def shard_fingerprint(self, shard: "Shard") -> str:
        """Fingerprint of one shard: only its own input counts."""
        config = self.config if self.shard_config is None else self.shard_config
        return mark(self.code, self.name, self.table, config, self.facts, shard.name, shard.digest)


class Shard(Protocol):
    """One unit of work and of resume."""

    @property
    def name(self) -> str:
        """Unique in the job and stable across runs; part of file names."""

    @property
    def digest(self) -> str:
        """Hash of what the shard reads."""

    @property
    def rows(self) -> int:
        """Rows that must come out as rows or rejects; 0 where the input cannot say."""


def mark(code: str, *depends_on: object) -> str:
    """The fingerprint "work-code" of a result that depends on these JSON-able values and this code."""
    return f"{tables.hash_json([CONTRACT_VERSION, *depends_on])}-{code}"


def matches(found: str, wanted: str, accept_code: bool) -> bool:
    """Whether finished work of fingerprint `found` counts as `wanted`: equal, or other code is accepted."""
    if accept_code:
        return work_half(found) == work_half(wanted)
    return found == wanted


def work_half(fingerprint: str) -> str:
    """The half of a fingerprint that does not depend on the code."""
    return fingerprint.partition("-")[0]


def code_half(fingerprint: str) -> str:
    """The half of a fingerprint that is the hash of the code."""
    return fingerprint.partition("-")[2]


def run_job(
    place: Place,
    name: str,
    would: str,
    find: Callable[[], T | None],
    work: Callable[[], T | None],
    reads: Iterable[str] = (),
) -> T | None:
    """Do the work, unless `find` finds it done, or this is a dry run (then None). One line says which.

    `would` completes "filter: would ..."; --overwrite does not look for finished work. A lease keeps a second
    process from doing the same work on the same root: it raises LeaseHeldError. The tables that the work
    `reads` keep their files until it has ended.
    """
    found = None if place.overwrite else find()
    if found is not None:
        logger.info("%s: up to date", name)
        return found
    if place.dry_run:
        print(f"{name}: would {would}")
        return None
    with lease(place.output, name), reading(place.input, reads):
        found = None if place.overwrite else find()  # another process may have done it meanwhile
        return work() if found is None else found


def make_table(place: Place, job: Job, would: str, work: Callable[[], Manifest | None]) -> Manifest | None:
    """`run_job` for a job whose result is its one table."""
    return run_job(place, job.name, would, partial(find_table, place, job), work, job.inputs)


def find_table(place: Place, job: Job) -> Manifest | None:
    """The job's table if it is committed, whole, and made from the same inputs, config and code."""
    manifest = tables.read_manifest(place.output, job.table)
    wanted = job.fingerprint()
    if manifest is None or not matches(manifest.fingerprint, wanted, place.accept_code):
        return None
    tables.check_parts(place.output, manifest)
    if manifest.fingerprint == wanted or place.dry_run:
        return manifest
    accepted = (*manifest.accepted_code, code_half(manifest.fingerprint))
    logger.info("%s: accepted the table made by code %s", job.name, accepted[-1])
    manifest = replace(manifest, fingerprint=wanted, accepted_code=accepted)
    tables.write_manifest(place.output, manifest)
    return manifest


def commit(
    root: str,
    job: Job,
    log: ShardLog,
    started: float,
    *,
    parts: Iterable[Part] = (),
    facts: Mapping[str, object] | None = None,
    digest: str = "",
    refusal: Callable[[Manifest], str | None] | None = None,
    shard_log: ShardLog | None = None,
) -> Manifest:
    """Commit the table of the records in `log`, after its rejects: a reader who sees the table can read both.

    `parts` belong to no shard, `facts` join the job's, `digest` replaces the parts' (for a table without
    parts), `started` is time.monotonic() at the start. `refusal` says why the table may not be used, if so:
    then its rejects and shards stay, the table is withdrawn, and ContractError is raised. `shard_log`: what
    the tasks wrote for each shard, for the next run; their parts stay on disk.
    """
    rejected = log.rejected()
    listed = PartList.joined([log.parts(), PartList.of(parts)])
    rejects = log.parts("reject_parts")
    rows_out = log.rows_out()
    manifest = Manifest(
        table=job.table,
        job=job.name,
        fingerprint=job.fingerprint(),
        digest=digest or tables.hash_json([listed.digest(), rejects.digest()]),
        rows_in=rows_out + sum(rejected.values()),
        rows_out=rows_out,
        rejected=rejected,
        inputs=dict(job.inputs),
        config=dict(job.config),
        facts={**job.facts, **(facts or {})},
        accepted_code=tuple(sorted(log.codes() - {job.code, ""})),
        git_commit=tables.git_commit(),
        seconds=round(time.monotonic() - started, 3),
        peak_memory_bytes=log.peak_memory_bytes(),
    )
    if f"{job.table}_rejects" in SCHEMAS:
        _commit_rejects(root, manifest, rejects)
    why = refusal(manifest) if refusal is not None else None
    if why is not None:
        tables.withdraw(root, job.table)
        raise ContractError(
            f"{tables.table_path(root, job.table)}: {why} (rejected: {manifest.rejected or 'none'})"
        )
    kept = f"{rows_out:,} of {manifest.rows_in:,} rows kept, " if manifest.rows_in else ""
    lost = f"rejected {manifest.rejected}, " if manifest.rejected else ""
    if shard_log is None:
        manifest = tables.commit(root, manifest, listed)
    else:
        manifest = tables.commit(root, manifest, listed, shard_log.rows, shard_log.parts())
        delete_records(root, job.table, shard_log)
    logger.info("%s: %s committed, %s%s%.1f s", job.name, job.table, kept, lost, manifest.seconds)
    return manifest


def _commit_rejects(root: str, manifest: Manifest, parts: PartList) -> None:
    num_rejected = sum(manifest.rejected.values())
    twin = replace(
        manifest,
        table=f"{manifest.table}_rejects",
        digest=parts.digest(),
        rows_in=num_rejected,
        rows_out=num_rejected,
        rejected={},
    )
    tables.commit(root, twin, parts)
