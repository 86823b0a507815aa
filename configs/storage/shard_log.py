"""What finished shards wrote: one small file per shard while a job runs, one file for all after its commit.

`<table>/_meta/records/<shard>.json` is written after the shard's parts. The commit gathers the records in the
shard log, `<table>/_meta/shards-*.parquet`, and deletes the small files.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.contract import Part
from configs.storage.files import read_many
from configs.storage.part_list import PARTS, PartList

FOLDER = "_meta/records"

WORK_CHARS = 33
"""Characters of a fingerprint before its code half: a blake2b-128 in hex and a hyphen."""

_PART = pa.struct(list(PARTS))

LOG = pa.schema(
    [
        pa.field("name", pa.string(), nullable=False),
        pa.field("fingerprint", pa.string(), nullable=False),
        pa.field("parts", pa.list_(_PART), nullable=False),
        pa.field("reject_parts", pa.list_(_PART), nullable=False),
        pa.field("rows_out", pa.int64(), nullable=False),
        pa.field("rejected", pa.map_(pa.string(), pa.int64()), nullable=False),
        pa.field("counts", pa.map_(pa.string(), pa.int64()), nullable=False),
        pa.field("carried", pa.map_(pa.string(), pa.string()), nullable=False),
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("peak_memory_bytes", pa.int64(), nullable=False),
    ]
)
"""`<table>/_meta/shards-*.parquet`: a shard's name and the fields of its Record."""


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


class ShardLog:
    """Records of many shards by name, over a table of LOG: some 300 bytes each, no Python object."""

    def __init__(self, rows: pa.Table) -> None:
        self.rows = rows

    @classmethod
    def of(cls, records: Mapping[str, Record]) -> "ShardLog":
        """The log of these records."""
        return cls(pa.Table.from_pylist([_row_of(name, one) for name, one in records.items()], schema=LOG))

    @classmethod
    def joined(cls, logs: Iterable["ShardLog"]) -> "ShardLog":
        """All records of logs that have no name in common."""
        return cls(pa.concat_tables([LOG.empty_table(), *(log.rows for log in logs)]))

    def __len__(self) -> int:
        return int(self.rows.num_rows)

    def records(self) -> dict[str, Record]:
        """Every record as an object."""
        return {str(row["name"]): _record_of_row(row) for row in self.rows.to_pylist()}

    def parts(self, column: str = "parts") -> PartList:
        """All parts of all shards; `column` "reject_parts": those of their rejects."""
        flat = pa.chunked_array([chunk.flatten() for chunk in self.rows[column].chunks], _PART)
        columns = [pa.chunked_array([c.field(k) for c in flat.chunks], f.type) for k, f in enumerate(PARTS)]
        return PartList(pa.Table.from_arrays(columns, schema=PARTS))

    def rows_out(self) -> int:
        """Rows that the shards kept."""
        return pc.sum(self.rows["rows_out"]).as_py() or 0

    def rejected(self) -> dict[str, int]:
        """Rejected rows by reason, in the order of the reasons."""
        counts: Counter[str] = Counter()
        for chunk in self.rows["rejected"].chunks:
            reasons = pa.table({"reason": chunk.keys, "rows": chunk.items}).group_by("reason")
            for row in reasons.aggregate([("rows", "sum")]).to_pylist():
                counts[row["reason"]] += row["rows_sum"]
        return dict(sorted(counts.items()))

    def codes(self) -> set[str]:
        """The code halves of all fingerprints: few strings."""
        halves = pc.utf8_slice_codeunits(self.rows["fingerprint"], WORK_CHARS)
        return set(pc.unique(halves).to_pylist())

    def peak_memory_bytes(self) -> int:
        """The largest peak of a task."""
        return pc.max(self.rows["peak_memory_bytes"]).as_py() or 0


def _row_of(name: str, record: Record) -> dict[str, object]:
    values = asdict(record)
    for key in ("parts", "reject_parts"):
        values[key] = [part | {"digest": bytes.fromhex(part["digest"])} for part in values[key]]
    return {"name": name, **values}


def _record_of_row(row: dict[str, Any]) -> Record:
    values = {name: value for name, value in row.items() if name != "name"}
    for key in ("parts", "reject_parts"):
        values[key] = [part | {"digest": part["digest"].hex()} for part in values[key]]
    return record_of(values)


def record_of(values: dict[str, Any]) -> Record:
    """A record from the values of its JSON object."""
    parts = {key: tuple(Part(**part) for part in values[key]) for key in ("parts", "reject_parts")}
    counts = {key: dict(values[key]) for key in ("rejected", "counts", "carried")}
    return Record(**(values | parts | counts))


def write_record(root: str, table: str, name: str, record: Record) -> None:
    """State that a shard is finished."""
    data = json.dumps(asdict(record)).encode()
    tables.write_bytes(tables.table_path(root, table), f"{FOLDER}/{name}.json", data)


def delete_records(root: str, table: str, log: ShardLog) -> None:
    """Delete the small files of shards that a committed log holds."""
    folder = f"{tables.table_path(root, table)}/{FOLDER}"
    written = list(tables.sizes_under(folder))
    names = pa.array([name.removesuffix(".json") for name in written], pa.string())
    is_logged = pc.is_in(names, log.rows["name"]).to_pylist()
    tables.delete_files(folder, [name for name, gone in zip(written, is_logged, strict=True) if gone])


def read_log(root: str, table: str) -> ShardLog:
    """The last record of every shard: of the last commit, or written after it."""
    written = ShardLog.of(_written(root, table))
    manifest = tables.last_manifest(root, table)
    if manifest is None or manifest.shard_log is None:
        return written
    log = tables.read_shard_log(root, manifest)
    newer = pc.is_in(log["name"], written.rows["name"])
    return ShardLog.joined([ShardLog(log.filter(pc.invert(newer))), written])


def _written(root: str, table: str) -> dict[str, Record]:
    """Records that were written after the last commit; half a record is none."""
    folder = f"{tables.table_path(root, table)}/{FOLDER}"
    names = [name for name in tables.sizes_under(folder) if name.endswith(".json")]
    records = {}
    for name, data in zip(names, read_many(folder, names), strict=True):
        try:
            records[name.removesuffix(".json")] = record_of(json.loads(data))
        except ValueError:
            continue
    return records
