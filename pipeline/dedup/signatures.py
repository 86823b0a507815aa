"""Compute the keys of every document once per input part and store them: `<root>/signatures/<mark>.parquet`.

After new parts or a killed run, only the missing parts are computed. The mark is the hash of the part, of the
MinHash settings and of the code. Cost: a part is one task, and its keys (about 350 bytes per document) are in
memory until they are written.
"""

import logging

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession

from configs import tables
from configs.code_closure import code_hash
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.keys import KEYS, RANK_COLUMNS, REQUIRED_COLUMNS, keys_of
from pipeline.spark.tables import PartShard, run_tasks

logger = logging.getLogger(__name__)

COLUMNS = (*REQUIRED_COLUMNS, "source", *RANK_COLUMNS)


def keep_signatures(
    spark: SparkSession, root: str, shards: list[PartShard], config: DedupConfig
) -> DataFrame:
    """Return KEYS of every document in `shards` (at least one); compute only those that `root` lacks.

    Signatures of other inputs and settings are deleted.
    """
    folder = tables.table_path(root, "signatures")
    names = [f"{_mark(shard, config)}.parquet" for shard in shards]

    def write_if_new(task: tuple[PartShard, str]) -> int:
        shard, name = task
        if _is_whole(folder, name, shard.rows):
            return 0
        tables.write_bytes(folder, name, _signatures(shard, config))
        return 1

    made = run_tasks(spark, list(zip(shards, names, strict=True)), len(shards), write_if_new)
    logger.info("signatures: %d of %d parts were new", sum(made), len(shards))
    _delete_all_but(folder, set(names))
    return spark.read.parquet(*(f"{folder}/{name}" for name in names))


def _mark(shard: PartShard, config: DedupConfig) -> str:
    settings = {"bands": config.bands, "rows_per_band": config.rows_per_band, "seed": config.minhash_seed}
    return tables.hash_json(
        ["signatures", settings, shard.source, shard.digest, code_hash("pipeline.dedup.keys")]
    )


def _is_whole(folder: str, name: str, rows: int) -> bool:
    """Whether the file is complete: the footer, which is written last, counts the rows."""
    fs, base = tables.filesystem(folder)
    try:
        with fs.open_input_file(f"{base}/{name}") as file:
            return pq.read_metadata(file).num_rows == rows
    except (FileNotFoundError, pa.ArrowInvalid):
        return False


def _signatures(shard: PartShard, config: DedupConfig) -> bytes:
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, KEYS, compression="zstd") as writer:
        for batch in tables.read_part(shard.path, COLUMNS):
            writer.write_batch(keys_of(batch, config.bands, config.rows_per_band, config.minhash_seed))
    return sink.getvalue().to_pybytes()


def _delete_all_but(folder: str, names: set[str]) -> None:
    fs, base = tables.filesystem(folder)
    for info in fs.get_file_info(pafs.FileSelector(base)):
        if info.base_name not in names:
            fs.delete_file(info.path)
