"""Make the synthetic table: problems solved by a teacher and checked, and analyses of seed documents.

The work is cut into shards; a killed run costs one. No text that contains a problem of `benchmark_index` is
kept. The content depends on the config and the tables read (and on what an endpoint answered).
Tables: synthetic, synthetic_rejects; an endpoint's journal lies beside them.
"""

import json
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import pyarrow as pa
from tokenizers import Tokenizer

from configs import tables
from configs.benchmark_windows import read_windows
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest
from configs.job import Job, commit, make_table
from configs.loader import load
from configs.shards import find_records, write_shard
from configs.storage.shard_log import Record, ShardLog
from configs.tokens.encoding import text_encoder
from filters.decontaminate import Index, index_of_windows
from synth.analyse_seeds import analyse_shard
from synth.checks.sandbox import has_bubblewrap, require_isolation
from synth.checks.verify_math import MathVerifier
from synth.config import SynthConfig
from synth.endpoint.ask import api_key, read_prompt
from synth.endpoint.journal import journal_path, open_journal
from synth.rows import contamination_of, reject_rows, synthetic_rows
from synth.select_seeds import select_seeds
from synth.solve_problems import Solved, Workshop, solve_shard

logger = logging.getLogger(__name__)

TABLE = "synthetic"
JOURNAL = "synth-journal.jsonl"
PROMPTS = ("solve_math", "solve_code", "analyse")


@dataclass(frozen=True)
class ProblemShard:
    """Problems or analyses of an interval of indices: a unit of work and of resume."""

    name: str
    indices: range
    digest: str
    rows: int = 0


def run(place: Place) -> Manifest | None:
    """Make the table; None on a dry run. Raises ConfigError before any work if it cannot be made."""
    config = load(place.preset, "synth", SynthConfig)
    inputs = _inputs(place, config)
    job = _job(config, inputs)
    shards = _shards(config, inputs)
    if config.teacher == "endpoint":
        api_key(config.endpoint)
        journal_path(place.output, JOURNAL)
    return make_table(
        place,
        job,
        f"make {len(shards)} shards of {TABLE} in {place.output}",
        lambda: _make(place, config, job, shards),
    )


def _inputs(place: Place, config: SynthConfig) -> dict[str, str]:
    """Digests of what the result depends on: the tokenizer, benchmarks, prompts, seeds' table."""
    inputs = {
        name: tables.open_table(place.input, name).manifest.digest
        for name in ("tokenizer", "benchmark_index")
    }
    if config.teacher == "endpoint":
        inputs |= {f"prompts/{name}": tables.hash_bytes(read_prompt(name).encode()) for name in PROMPTS}
        if config.seeds is not None:
            inputs["scored"] = tables.open_table(place.input, "scored").manifest.digest
    return inputs


def _job(config: SynthConfig, inputs: dict[str, str]) -> Job:
    """A shard's fingerprint leaves out the totals: a larger run keeps the shards of a smaller one."""
    unread = {"endpoint", "seeds"} if config.teacher == "symbolic" else set()
    settings = config.model_dump(mode="json", exclude=unread)
    of_shard = json.loads(json.dumps(settings))
    of_shard["problems"].pop("num_problems")
    of_shard.pop("shard_rows")
    facts = {"teacher": config.teacher}
    return Job("synth", TABLE, code_hash(__name__), settings, inputs, facts, of_shard)


def _shards(config: SynthConfig, inputs: dict[str, str]) -> list[ProblemShard]:
    """Problems first, then analyses."""
    kinds = {"problems": config.problems.num_problems}
    if config.teacher == "endpoint" and config.seeds is not None:
        kinds["analyses"] = config.seeds.num_seeds
    digest = tables.hash_json(inputs)
    return [
        ProblemShard(f"{kind}-{start:09d}-{indices.stop:09d}", indices, digest)
        for kind, total in kinds.items()
        for start in range(0, total, config.shard_rows)
        for indices in [range(start, min(start + config.shard_rows, total))]
    ]


def _make(place: Place, config: SynthConfig, job: Job, shards: list[ProblemShard]) -> Manifest:
    """Do the shards that are not done, in order: a repeated problem is one whose text came before."""
    started = time.monotonic()
    tokenizer = text_encoder(tables.read_bytes(tables.table_path(place.input, "tokenizer"), "tokenizer.json"))
    done = find_records(place, job, shards)
    records: dict[str, Record] = {}
    seen: dict[str, str] = {}
    with MathVerifier(config.problems.math_timeout_s) as verifier:
        solve: Callable[[ProblemShard], Solved] | None = None
        for shard in shards:
            record = done.get(shard.name)
            if record is None:
                solve = solve or _solver(place, config, verifier, seen)
                record = _write(place.output, job, shard, solve(shard), tokenizer)
                logger.info("synth: shard %s done, %d documents", shard.name, record.rows_out)
            records[shard.name] = record
            seen |= record.carried
    counts: Counter[str] = Counter()
    for record in records.values():
        counts.update(record.counts)
    log = ShardLog.of(records)
    return commit(place.output, job, log, started, facts=dict(sorted(counts.items())), shard_log=log)


def _write(root: str, job: Job, shard: ProblemShard, solved: Solved, tokenizer: Tokenizer) -> Record:
    rows = synthetic_rows(solved.examples, tokenizer) if solved.examples else None
    counts = {
        "documents": len(solved.examples),
        "tokens": sum(rows["token_count"].to_pylist()) if rows is not None else 0,
        "characters": sum(len(example.text) for example in solved.examples),
        "planted_errors": solved.num_planted,
    }

    def batches() -> Iterator[pa.Table]:
        if rows is not None:
            yield rows.append_column("reject_reason", pa.nulls(rows.num_rows, pa.string()))
        if solved.rejects:
            yield reject_rows(solved.rejects)

    return write_shard(root, job, shard, batches(), counts, solved.first_seen)


def _solver(
    place: Place, config: SynthConfig, verifier: MathVerifier, seen: dict[str, str]
) -> Callable[[ProblemShard], Solved]:
    """What turns a shard into examples: sandbox probed, benchmarks loaded, journal opened."""
    isolated = has_bubblewrap()
    is_endpoint = config.teacher == "endpoint"
    if is_endpoint and config.problems.num_problems and config.problems.code_fraction > 0:
        require_isolation("model", isolated)
    benchmarks = index_of_windows(*read_windows(tables.open_table(place.input, "benchmark_index")))
    workshop = Workshop(
        config.seed,
        verifier,
        isolated,
        benchmarks,
        config.endpoint if is_endpoint else None,
        open_journal(journal_path(place.output, JOURNAL)) if is_endpoint else None,
    )
    seeds = []
    if is_endpoint and config.seeds is not None:
        seeds = select_seeds(tables.open_table(place.input, "scored"), config.seeds, config.seed)

    def solve(shard: ProblemShard) -> Solved:
        if shard.name.startswith("analyses"):
            chosen = seeds[shard.indices.start : shard.indices.stop]
            solved = analyse_shard(chosen, shard.indices.start, workshop)
        else:
            solved = solve_shard(shard.indices, config.problems, workshop, seen)
        return without_contaminated(solved, benchmarks)

    return solve


def without_contaminated(solved: Solved, benchmarks: Index) -> Solved:
    """The outcome with every example whose whole text contains a benchmark's problem moved to the rejects."""
    found = [(example, contamination_of(example, benchmarks)) for example in solved.examples]
    rejects = [*solved.rejects, *(reject for _, reject in found if reject is not None)]
    return replace(
        solved,
        examples=[example for example, reject in found if reject is None],
        rejects=sorted(rejects, key=lambda reject: reject.index),
    )


if __name__ == "__main__":
    main(run)
