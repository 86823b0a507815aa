"""Shards of a job: the units of work and of resume, each finished when its record is written.

A shard writes its parts first and one record last (configs.storage.shard_log). A killed run finds the records
of finished shards and does only the others. A record counts if it was made from the same input, config and
code (configs.job.Job.shard_fingerprint) and its parts are there with their sizes.
Cost: finding the finished ones reads the last commit's log, one small file for every shard since, and the
listing of the table's folder.
"""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import chain

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.command import Place
from configs.contract import REJECTS, SCHEMAS, ContractError, Part
from configs.job import Job, Shard, matches
from configs.reject_reasons import REJECT_REASONS
from configs.storage.shard_log import Record, read_records, write_record


def find_records(place: Place, job: Job, shards: Iterable[Shard]) -> dict[str, Record]:
    """Records of the shards that were done from the same input, config and code and whose parts are whole.

    They stand in the order of `shards`.
    """
    if place.overwrite:
        return {}
    wanted = {shard.name: job.shard_fingerprint(shard) for shard in shards}
    found = read_records(place.output, job.table, wanted)
    same = {
        name: found[name]
        for name, fingerprint in wanted.items()
        if name in found and matches(found[name].fingerprint, fingerprint, place.accept_code)
    }
    folder = tables.table_path(place.output, job.table)
    sizes, reject_sizes = (tables.sizes_under(path) if same else {} for path in (folder, f"{folder}_rejects"))
    return {
        name: record
        for name, record in same.items()
        if all(sizes.get(part.path) == part.num_bytes for part in record.parts)
        and all(reject_sizes.get(part.path) == part.num_bytes for part in record.reject_parts)
    }


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
        write_batches(root, job.table, batches, shard.name, SCHEMAS[job.table]),
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


def write_batches(
    root: str,
    table: str,
    batches: Iterable[pa.Table],
    stem: str,
    schema: pa.Schema,
    rejects_schema: pa.Schema = REJECTS,
) -> Record:
    """Split `batches` by reject_reason and write their parts; the record has no fingerprint."""
    started = time.monotonic()
    folder = tables.table_path(root, table)
    kept = tables.PartWriter(folder, schema, stem)
    rejects = tables.PartWriter(f"{folder}_rejects", rejects_schema, stem)
    rejected: Counter[str] = Counter()
    for batch in batches:
        if "reject_reason" not in batch.schema.names:  # a job that rejects nothing
            kept.write(batch)
            continue
        is_kept = pc.is_null(batch["reject_reason"])
        stays, goes = batch.filter(is_kept), batch.filter(pc.invert(is_kept))
        if stays.num_rows:
            kept.write(stays)
        if goes.num_rows:
            reasons = goes["reject_reason"].to_pylist()
            _check_reasons(table, reasons)
            rejects.write(goes)
            rejected.update(reasons)
    parts, reject_parts = kept.close(), rejects.close()
    return Record(
        "",
        parts,
        reject_parts,
        sum(part.rows for part in parts),
        dict(sorted(rejected.items())),
        seconds=time.monotonic() - started,
        peak_memory_bytes=tables.peak_memory_bytes(),
    )


def _check_reasons(table: str, reasons: Sequence[str]) -> None:
    unknown = set(reasons) - set(REJECT_REASONS[table])
    if unknown:
        raise ContractError(
            f"{table}: reject reason {unknown.pop()!r} is not in the contract; remedy: add it there"
        )


def parts_of(records: Iterable[Record]) -> list[Part]:
    """The parts of finished shards, without their rejects."""
    return list(chain.from_iterable(record.parts for record in records))
