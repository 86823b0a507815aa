"""What finished shards wrote: one small file per shard while a job runs, one file for all after its commit.

`<table>/_meta/records/<shard>.json` is written after the shard's parts. The commit gathers the records in the
shard log, `<table>/_meta/shards-*.parquet`, and deletes the small files.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from configs import tables
from configs.contract import Part
from configs.storage.files import read_many
from configs.storage.part_list import PARTS

FOLDER = "_meta/records"

_PART = pa.struct([(field.name, pa.string() if field.name == "digest" else field.type) for field in PARTS])

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


def log_of(records: Mapping[str, Record]) -> pa.Table:
    """The records by name as rows of LOG."""
    return pa.Table.from_pylist([{"name": name, **asdict(r)} for name, r in records.items()], schema=LOG)


def record_of(values: dict[str, object]) -> Record:
    """A record from the values of its JSON object or of its row in the log."""
    parts = {key: tuple(Part(**part) for part in values[key]) for key in ("parts", "reject_parts")}  # type: ignore[attr-defined]
    counts = {key: dict(values[key]) for key in ("rejected", "counts", "carried")}  # type: ignore[call-overload]
    return Record(**(values | parts | counts))  # type: ignore[arg-type]


def write_record(root: str, table: str, name: str, record: Record) -> None:
    """State that a shard is finished."""
    data = json.dumps(asdict(record)).encode()
    tables.write_bytes(tables.table_path(root, table), f"{FOLDER}/{name}.json", data)


def delete_records(root: str, table: str, names: Iterable[str]) -> None:
    """Delete the records of shards that the committed log holds."""
    folder = f"{tables.table_path(root, table)}/{FOLDER}"
    written = tables.sizes_under(folder)
    tables.delete_files(folder, [f"{name}.json" for name in names if f"{name}.json" in written])


def read_records(root: str, table: str, names: Iterable[str] | None = None) -> dict[str, Record]:
    """The last record of each of these shards (absent: of all), of the last commit or written after it."""
    wanted = None if names is None else set(names)
    return _logged(root, table, wanted) | _written(root, table, wanted)


def _logged(root: str, table: str, wanted: set[str] | None) -> dict[str, Record]:
    """Records of the last commit."""
    manifest = tables.last_manifest(root, table)
    if manifest is None or manifest.shard_log is None:
        return {}
    log = tables.read_shard_log(root, manifest)
    if wanted is not None:
        log = log.filter(pc.is_in(log["name"], pa.array(wanted, pa.string())))
    return {str(row.pop("name")): record_of(row) for row in log.to_pylist()}


def _written(root: str, table: str, wanted: set[str] | None) -> dict[str, Record]:
    """Records that were written after the last commit; half a record is none."""
    folder = f"{tables.table_path(root, table)}/{FOLDER}"
    there = [name.removesuffix(".json") for name in tables.sizes_under(folder) if name.endswith(".json")]
    names = [name for name in there if wanted is None or name in wanted]
    records = {}
    for name, data in zip(names, read_many(folder, [f"{name}.json" for name in names]), strict=True):
        try:
            records[name] = record_of(json.loads(data))
        except ValueError:
            continue
    return records
