"""Compute the keys of every document once per input part and keep them: the table `signatures`.

After new parts or a killed run, only the missing parts are computed. What one part's keys depend on is the
part, the MinHash settings and the code of pipeline.dedup.keys.
"""

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place
from configs.contract import SIGNATURES
from configs.job import Job
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.keys import RANK_COLUMNS, REQUIRED_COLUMNS, keys_of
from pipeline.spark.tables import PartShard, map_shards, part_shards, read_parts

COLUMNS = (*REQUIRED_COLUMNS, "source", *RANK_COLUMNS)


def keep_signatures(
    spark: SparkSession, place: Place, shards: Sequence[PartShard], config: DedupConfig
) -> DataFrame:
    """Return SIGNATURES of every document in `shards` (at least one); compute only those that are missing."""
    settings = {"bands": config.bands, "rows_per_band": config.rows_per_band, "seed": config.minhash_seed}
    inputs = {"parts": tables.hash_json([shard.digest for shard in shards])}
    job = Job("signatures", "signatures", code_hash("pipeline.dedup.keys"), settings, inputs)

    def sign(shard: PartShard) -> Iterator[pa.Table]:
        for batch in tables.read_part(shard.path, COLUMNS):
            keys = keys_of(
                with_folders(batch, shard), config.bands, config.rows_per_band, config.minhash_seed
            )
            yield pa.Table.from_batches([keys])

    map_shards(spark, place, job, shards, sign)
    table = tables.open_table(place.output, "signatures")
    return read_parts(spark, part_shards(table), SIGNATURES)


def with_folders(batch: pa.RecordBatch, shard: PartShard) -> pa.RecordBatch:
    """The batch with the columns that the folders of its file name (source=web)."""
    for name, value in shard.folders:
        if name not in batch.schema.names:
            batch = batch.append_column(name, pa.array([value] * batch.num_rows, pa.string()))
    return batch
