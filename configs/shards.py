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

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.command import Place
from configs.contract import REJECTS, SCHEMAS, ContractError
from configs.job import Job, Shard
from configs.reject_reasons import REJECT_REASONS
from configs.storage.shard_log import WORK_CHARS, Record, ShardLog, read_log, write_record


def find_records(place: Place, job: Job, shards: Iterable[Shard]) -> dict[str, Record]:
    """`find_log` as objects by name, for few shards."""
    return find_log(place, job, list(shards)).records()


def find_log(place: Place, job: Job, shards: Sequence[Shard]) -> ShardLog:
    """Records of the shards that were done from the same input, config and code and whose parts are whole."""
    if place.overwrite:
        return ShardLog.of({})
    log = read_log(place.output, job.table)
    at = pc.index_in(pa.array((shard.name for shard in shards), pa.string()), log.rows["name"])
    found = log.rows.take(at.drop_null())
    known = (shard for shard, is_known in zip(shards, pc.is_valid(at).to_pylist(), strict=True) if is_known)
    wanted = pa.array((job.shard_fingerprint(shard) for shard in known), pa.string())
    start = WORK_CHARS if place.accept_code else None
    is_same = pc.equal(*(pc.utf8_slice_codeunits(side, 0, start) for side in (found["fingerprint"], wanted)))
    return _whole(place.output, job.table, ShardLog(found.filter(is_same)))


def _whole(root: str, table: str, log: ShardLog) -> ShardLog:
    """The records whose parts are there with their sizes; where there are very many, all of them.

    (tables.MAX_PARTS_LISTED; reading a part finds its fault.)
    """
    if not 0 < len(log) <= tables.MAX_PARTS_LISTED:
        return log
    folder = tables.table_path(root, table)
    sizes, reject_sizes = (tables.sizes_under(path) for path in (folder, f"{folder}_rejects"))
    lists = (log.rows[name].to_pylist() for name in ("parts", "reject_parts"))
    whole = [
        all(sizes.get(part["path"]) == part["num_bytes"] for part in parts)
        and all(reject_sizes.get(part["path"]) == part["num_bytes"] for part in rejects)
        for parts, rejects in zip(*lists, strict=True)
    ]
    return ShardLog(log.rows.filter(pa.array(whole, pa.bool_())))


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
