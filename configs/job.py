"""The one mechanism of every job: what its result depends on, shards that survive a kill, and the commit.

    job = Job("filter", "filtered", code_hash(__name__), config, inputs)
    run_job(place, "filter", "filter 450 rows", partial(finished, place, job), work)

`work` writes shards (`write_shard`: parts first, then one record, `<table>/shards/<name>.json`) and ends in
`commit`. A killed run finds the records of finished shards and does only the others. A fingerprint has two
halves, "work-code": the work is job, config, inputs and facts; the code is the import closure of the job's
module. With --accept-code finished work counts although the code half differs; manifests record both hashes.
Cost: the driver holds one small record per shard, never rows.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol, TypeVar

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.command import Place
from configs.contract import CONTRACT_VERSION, REJECTS, SCHEMAS, ContractError, Manifest, Part
from configs.reject_reasons import REJECT_REASONS

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


@dataclass(frozen=True)
class Record:
    """What a finished shard wrote. On disk it is written after the shard's parts."""

    fingerprint: str
    parts: tuple[Part, ...]
    reject_parts: tuple[Part, ...] = ()
    rows_out: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """More to add up over the shards (tokens, characters)."""
    carried: Mapping[str, str] = field(default_factory=dict)
    """What later shards must know of this one."""
    seconds: float = 0.0
    peak_memory_bytes: int = 0


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
    place: Place, name: str, would: str, find: Callable[[], T | None], work: Callable[[], T]
) -> T | None:
    """Do the work, unless `find` finds it done, or this is a dry run (then None). One line says which.

    `would` completes "filter: would ..."; --overwrite does not look for finished work.
    """
    found = None if place.overwrite else find()
    if found is not None:
        logger.info("%s: up to date", name)
        return found
    if place.dry_run:
        print(f"{name}: would {would}")
        return None
    return work()


def finished(place: Place, job: Job) -> Manifest | None:
    """The job's table if it is committed, whole, and made from the same inputs, config and code."""
    manifest = tables.read_manifest(place.output, job.table)
    wanted = job.fingerprint()
    if manifest is None or not matches(manifest.fingerprint, wanted, place.accept_code):
        return None
    tables.open_table(place.output, job.table)
    if manifest.fingerprint == wanted or place.dry_run:
        return manifest
    accepted = (*manifest.accepted_code, code_half(manifest.fingerprint))
    logger.info("%s: accepted the table made by code %s", job.name, accepted[-1])
    return tables.commit(place.output, replace(manifest, fingerprint=wanted, accepted_code=accepted))


def finished_shards(place: Place, job: Job, shards: Iterable[Shard]) -> dict[str, Record]:
    """Records of the shards that were done from the same input, config and code and whose parts are whole."""
    if place.overwrite:
        return {}
    done = {}
    for shard in shards:
        record = _read_record(place.output, job.table, shard.name)
        if record is None or not matches(record.fingerprint, job.shard_fingerprint(shard), place.accept_code):
            continue
        if _are_whole(place.output, job.table, record.parts) and _are_whole(
            place.output, f"{job.table}_rejects", record.reject_parts
        ):
            done[shard.name] = record
    return done


def _read_record(root: str, table: str, name: str) -> Record | None:
    try:
        values = json.loads(tables.read_bytes(tables.table_path(root, table), f"shards/{name}.json"))
    except (FileNotFoundError, ValueError):
        return None
    return record_of(values)


def record_of(values: dict[str, object]) -> Record:
    """A record from the values of its JSON object."""
    parts = {
        key: tuple(Part(**part) for part in values[key])  # type: ignore[attr-defined]
        for key in ("parts", "reject_parts")
    }
    return Record(**(values | parts))  # type: ignore[arg-type]


def _are_whole(root: str, table: str, parts: Sequence[Part]) -> bool:
    """True if every part is there with its size."""
    fs, base = tables.filesystem(tables.table_path(root, table))
    infos = fs.get_file_info([f"{base}/{part.path}" for part in parts]) if parts else []
    return all(info.is_file and info.size == part.num_bytes for info, part in zip(infos, parts, strict=True))


def write_shard(
    root: str,
    job: Job,
    shard: Shard,
    batches: Iterable[pa.Table],
    counts: Mapping[str, int] | None = None,
    carried: Mapping[str, str] | None = None,
) -> Record:
    """Write a shard's rows and rejects, then its record.

    `batches`: tables of rows whose `reject_reason` is null (keep) or one of the closed list.
    Raises ContractError if rows are lost or a reason is not in the list.
    """
    record = replace(
        write_batches(root, job.table, batches, shard.name),
        fingerprint=job.shard_fingerprint(shard),
        counts=counts or {},
        carried=carried or {},
    )
    found = record.rows_out + sum(record.rejected.values())
    if shard.rows and found != shard.rows:
        raise ContractError(
            f"{root}/{job.table}: shard {shard.name}: {shard.rows} rows in, {found} out; "
            "remedy: a job lost rows, report it"
        )
    write_record(root, job.table, shard.name, record)
    return record


def write_record(root: str, table: str, name: str, record: Record) -> None:
    """State that a shard is finished."""
    tables.write_bytes(
        tables.table_path(root, table), f"shards/{name}.json", json.dumps(asdict(record)).encode()
    )


def write_batches(root: str, table: str, batches: Iterable[pa.Table], stem: str) -> Record:
    """Split `batches` by source and by reject_reason and write their parts; the record has no fingerprint."""
    started = time.monotonic()
    folder = tables.table_path(root, table)
    parts: list[Part] = []
    reject_parts: list[Part] = []
    rejected: Counter[str] = Counter()
    rows_out = 0
    for batch in batches:
        for source in sorted(set(batch["source"].to_pylist())):
            of_source = batch.filter(pc.equal(batch["source"], source))
            is_kept = pc.is_null(of_source["reject_reason"])
            kept, rejects = of_source.filter(is_kept), of_source.filter(pc.invert(is_kept))
            if kept.num_rows:
                parts.append(tables.write_part(folder, kept, SCHEMAS[table], source, stem))
                rows_out += kept.num_rows
            if rejects.num_rows:
                reasons = rejects["reject_reason"].to_pylist()
                _check_reasons(table, reasons)
                reject_parts.append(tables.write_part(f"{folder}_rejects", rejects, REJECTS, source, stem))
                rejected.update(reasons)
    return Record(
        "",
        tuple(parts),
        tuple(reject_parts),
        rows_out,
        dict(sorted(rejected.items())),
        seconds=time.monotonic() - started,
        peak_memory_bytes=tables.peak_memory_bytes(),
    )


def _check_reasons(table: str, reasons: list[str]) -> None:
    unknown = set(reasons) - set(REJECT_REASONS[table])
    if unknown:
        raise ContractError(
            f"{table}: reject reason {unknown.pop()!r} is not in the contract; remedy: add it there"
        )


def commit(
    root: str,
    job: Job,
    records: Sequence[Record],
    started: float,
    *,
    parts: Sequence[Part] = (),
    facts: Mapping[str, object] | None = None,
    digest: str = "",
    refusal: Callable[[Manifest], str | None] | None = None,
) -> Manifest:
    """Commit the table of these records, after its rejects: a reader who sees the table can read both.

    `parts` belong to no shard, `facts` join the job's, `digest` replaces the parts' (for a table without
    parts), `started` is time.monotonic() at the start. `refusal` says why the table may not be used, if so:
    then its rejects and shards stay, the table is withdrawn, and ContractError is raised.
    """
    rejected: Counter[str] = Counter()
    for record in records:
        rejected.update(record.rejected)
    parts = (*(part for record in records for part in record.parts), *parts)
    reject_parts = tuple(part for record in records for part in record.reject_parts)
    rows_out = sum(record.rows_out for record in records)
    manifest = Manifest(
        table=job.table,
        job=job.name,
        fingerprint=job.fingerprint(),
        digest=digest or tables.digest_of((*parts, *reject_parts)),
        parts=parts,
        rows_in=rows_out + rejected.total(),
        rows_out=rows_out,
        rejected=dict(sorted(rejected.items())),
        inputs=dict(job.inputs),
        config=dict(job.config),
        facts={**job.facts, **(facts or {})},
        accepted_code=tuple(sorted({code_half(record.fingerprint) for record in records} - {job.code, ""})),
        git_commit=tables.git_commit(),
        num_bytes=sum(part.num_bytes for part in parts),
        seconds=round(time.monotonic() - started, 3),
        peak_memory_bytes=max([record.peak_memory_bytes for record in records] or [0]),
    )
    if f"{job.table}_rejects" in SCHEMAS:
        _commit_rejects(root, manifest, reject_parts)
    why = refusal(manifest) if refusal is not None else None
    if why is not None:
        tables.withdraw(root, job.table)
        raise ContractError(
            f"{tables.table_path(root, job.table)}: {why} (rejected: {manifest.rejected or 'none'})"
        )
    logger.info(
        "%s: %s: %s of %s rows kept%s, %.1f s",
        *(job.name, job.table, f"{rows_out:,}", f"{manifest.rows_in:,}"),
        *(f", rejected {manifest.rejected}" if manifest.rejected else "", manifest.seconds),
    )
    return tables.commit(root, manifest)


def _commit_rejects(root: str, manifest: Manifest, parts: tuple[Part, ...]) -> None:
    num_rejected = sum(manifest.rejected.values())
    twin = replace(
        manifest,
        table=f"{manifest.table}_rejects",
        digest=tables.digest_of(parts),
        parts=parts,
        rows_in=num_rejected,
        rows_out=num_rejected,
        rejected={},
        num_bytes=sum(part.num_bytes for part in parts),
    )
    tables.commit(root, twin)
