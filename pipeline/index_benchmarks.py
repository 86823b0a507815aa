"""Make the table `benchmark_index`: hashed windows of every benchmark that is evaluated later.

No document that contains one of these problems may reach training: filter compares the web's text with the
table, synth compares its own. The table holds hashes and names, never a benchmark's text.
Runs in one process without Spark: benchmarks are small (10,000 problems are read and hashed in 2 s).
"""

import logging
import time

import pyarrow as pa

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import BENCHMARK_INDEX, Manifest, Part
from configs.job import Job, commit, make_table
from configs.loader import Config, load
from configs.storage.shard_log import Record, ShardLog
from filters.decontaminate import Index, build_index
from pipeline.reading.problems import BenchmarkConfig, read_problems

logger = logging.getLogger(__name__)

TABLE = "benchmark_index"


class BenchmarksConfig(Config):
    """`benchmarks.toml`."""

    benchmarks: tuple[BenchmarkConfig, ...]
    """What is kept out of the training text; an empty list keeps out nothing."""


def run(place: Place) -> Manifest | None:
    """Read the benchmarks and commit their index; None on a dry run. Raises ConfigError for a bad file."""
    config = load(place.preset, "benchmarks", BenchmarksConfig)
    files = [file for benchmark in config.benchmarks for file in read_problems(benchmark)]
    problems = [problem for file in files for problem in file.problems]
    settings = config.model_dump(mode="json")
    inputs = {file.origin: file.digest for file in files}
    job = Job("benchmarks", TABLE, code_hash(__name__), settings, inputs)

    def work() -> Manifest:
        started = time.monotonic()
        index = build_index(problems)
        num_short = len(problems) - len(index.names)
        logger.info("benchmarks: %d problems, %d more are too short to index", len(index.names), num_short)
        facts = {"num_problems": len(index.names), "num_too_short": num_short}
        record = Record(job.fingerprint(), write_windows(place.output, index), rows_out=len(index.hashes))
        return commit(place.output, job, ShardLog.of({"": record}), started, facts=facts)

    what = f"index {len(problems)} problems of {len(files)} files"
    return make_table(place, job, what, work)


def write_windows(root: str, index: Index) -> tuple[Part, ...]:
    """Write the index as its table's parts: none if there are no windows, else one."""
    writer = tables.PartWriter(tables.table_path(root, TABLE), BENCHMARK_INDEX)
    rows = {
        "window_hash": index.hashes,
        "problem_number": index.owners,
        "problem": pa.array(index.names, pa.string()).take(pa.array(index.owners)),
    }
    writer.write(pa.table(rows, schema=BENCHMARK_INDEX))
    return writer.close()


if __name__ == "__main__":
    main(run)
