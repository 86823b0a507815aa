"""Shards of a job: the units of work and of resume, each finished when its record is written.

A shard writes its parts first and one record last, `<table>/shards/<name>.json`. A killed run finds the
records of finished shards and does only the others. A record counts if it was made from the same input,
config and code (configs.job.Job.shard_fingerprint) and its parts are there with their sizes.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.command import Place
from configs.contract import REJECTS, SCHEMAS, ContractError, Part
from configs.job import Job, Record, Shard, matches
from configs.reject_reasons import REJECT_REASONS


def find_records(place: Place, job: Job, shards: Iterable[Shard]) -> dict[str, Record]:
    """Records of the shards that were done from the same input, config and code and whose parts are whole."""
    if place.overwrite:
        return {}
    folder = tables.table_path(place.output, job.table)
    done = {}
    for shard in shards:
        record = _read_record(place.output, job.table, shard.name)
        if record is None or not matches(record.fingerprint, job.shard_fingerprint(shard), place.accept_code):
            continue
        faults = (
            tables.fault_of_parts(folder, record.parts),
            tables.fault_of_parts(f"{folder}_rejects", record.reject_parts),
        )
        if not any(faults):
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
