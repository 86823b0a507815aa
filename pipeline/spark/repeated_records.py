"""Keep one row of each WARC record that lies in several files of a source; its other rows become rejects.

1. One Spark pass over the doc_ids of the sources with several shards finds those that occur more than once.
   The row that stays is the first in the order (source, origin.file, origin.offset), so that the order of
   the tasks does not matter.
2. Each part that holds one of the other rows is written a second time, with these rows as rejects. The new
   part stands in the table; the part that the shard's task wrote stays on disk beside it.
3. The records of finished shards do not change: they name the parts that the tasks wrote. Each run decides
   again from these, so that a file that is added or removed later gives the same table as one run over all.

Cost: a shuffle of one doc_id and its origin per row. A part with a repeated row is read and written once in
every run that is not up to date, and takes its space twice.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace

import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.contract import RAW, REJECTS, SCHEMAS
from configs.shards import write_batches
from configs.storage.shard_log import Record, record_of
from pipeline.spark.tables import PartShard, read_parts, run_partitions


def reject_repeats(
    spark: SparkSession, root: str, table: str, records: Mapping[str, Record], names: set[str]
) -> dict[str, Record]:
    """Return the records of all shards, by name, with the repeated rows of the shards `names` as rejects.

    In one shard, a doc_id is the id of at most one row. The given records stay on disk as they are; their
    parts must be in the shard log when the table is committed.
    """
    folder = tables.table_path(root, table)
    parts = [part for name in sorted(names) for part in records[name].parts]
    if not parts:
        return dict(records)
    shards = [
        PartShard(
            part.path, f"{folder}/{part.path}", part.digest, part.rows, part.num_bytes, (("part", part.path),)
        )
        for part in parts
    ]
    rows = read_parts(spark, shards, _PLACED)

    def rewrite(batches: Iterator[pa.RecordBatch]) -> Iterator[dict[str, object]]:
        whole = list(batches)
        if not whole:
            return
        repeats = pa.Table.from_batches(whole)  # Spark decides which columns may be null
        for name in pc.unique(repeats["part"]).to_pylist():
            of_part = repeats.filter(pc.equal(repeats["part"], name))
            yield {"part": name, "record": asdict(_rewrite_part(root, table, name, of_part))}

    # All repeats of one part in one task; some hundred bytes per repeat.
    placed = _find_repeats(rows).repartition("part")
    rewritten = {str(found["part"]): record_of(found["record"]) for found in run_partitions(placed, rewrite)}
    return {name: _with_rewritten(record, rewritten) for name, record in records.items()}


_PLACED = pa.schema(
    [RAW.field("doc_id"), RAW.field("source"), RAW.field("origin"), pa.field("part", pa.string())]
)


def _find_repeats(rows: DataFrame) -> DataFrame:
    """Return the rows that follow the first of their doc_id: doc_id, part, and where the first one lies."""
    place = F.struct("source", "origin.file", "origin.offset", "part")
    repeated = (
        rows.select("doc_id", place.alias("place"))
        .groupBy("doc_id")
        .agg(F.sort_array(F.collect_list("place")).alias("places"))
        .where(F.size("places") > 1)
    )
    first = F.col("places")[0]
    kept = F.concat(
        F.lit("the record at byte "), first["offset"], F.lit(" of "), first["file"], F.lit(" stays")
    )
    others = F.explode(F.slice("places", F.lit(2), F.size("places") - 1))
    return repeated.select("doc_id", kept.alias("detail"), others.alias("other")).select(
        "doc_id", F.col("other.part").alias("part"), "detail"
    )


def _rewrite_part(root: str, table: str, name: str, repeats: pa.Table) -> Record:
    """Write one part and its rejects again; `repeats` has the doc_ids that leave the part."""
    path = f"{tables.table_path(root, table)}/{name}"
    batches = (_with_repeats(pa.Table.from_batches([batch]), repeats) for batch in tables.read_part(path))
    return write_batches(root, table, batches, "rewritten", SCHEMAS[table])


def _with_repeats(rows: pa.Table, repeats: pa.Table) -> pa.Table:
    position = pc.index_in(rows["doc_id"], repeats["doc_id"].combine_chunks())
    is_repeat = pc.is_valid(position)
    values = {
        "reject_reason": pc.if_else(is_repeat, "duplicate_doc_id", None),
        "duplicate_of": pc.if_else(is_repeat, rows["doc_id"], None),
        "detail": pc.take(repeats["detail"], position),
    }
    for field in REJECTS:
        if field.name not in rows.schema.names:
            rows = rows.append_column(field.name, values.get(field.name, pa.nulls(rows.num_rows, field.type)))
    return rows


def _with_rewritten(record: Record, rewritten: Mapping[str, Record]) -> Record:
    """Return the record with each rewritten part in the place of the one that the task wrote."""
    replaced = [rewritten[part.path] for part in record.parts if part.path in rewritten]
    repeats = sum((Counter(new.rejected) for new in replaced), Counter())
    return replace(
        record,
        parts=tuple(
            new
            for part in record.parts
            for new in (rewritten[part.path].parts if part.path in rewritten else (part,))
        ),
        reject_parts=(*record.reject_parts, *(part for new in replaced for part in new.reject_parts)),
        rows_out=record.rows_out - repeats.total(),
        rejected=dict(sorted((Counter(record.rejected) + repeats).items())),
    )
