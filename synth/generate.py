"""Make the synthetic table: problems solved by a teacher and checked, and analyses of seed documents.

The work is cut into shards; a killed run costs one. The content depends on the config alone (and on what an
endpoint answered). Tables: synthetic, synthetic_rejects; an endpoint's journal lies beside them.
"""

import json
import logging
import time
from collections.abc import Callable
from pathlib import Path

from tokenizers import Tokenizer

from configs import tables
from configs.command import Place, main
from configs.contract import Manifest
from configs.loader import ConfigError, load
from filters.decontaminate import load_index
from synth.analyse_seeds import analyse_shard
from synth.checks.sandbox import has_bubblewrap, require_isolation
from synth.checks.verify_math import MathVerifier
from synth.config import SynthConfig
from synth.endpoint.ask import api_key, read_prompt
from synth.endpoint.journal import open_journal
from synth.select_seeds import select_seeds
from synth.shards import TABLE, Progress, Shard, finished_shard, write_shard
from synth.solve_problems import Solved, Workshop, solve_shard

logger = logging.getLogger(__name__)

PROMPTS = ("solve_math", "solve_code", "analyse")
MODULES = (
    *(
        "synth",
        "filters.decontaminate",
        "filters.measure.stats",
        "filters.measure.spans",
        "filters.measure.words",
    ),
    *(
        "filters.measure.composition",
        "filters.measure.lines",
        "filters.measure.repetition",
        "filters.measure.word_stats",
    ),
)


def run(place: Place) -> Manifest:
    """Make the table, or find it made. Raises ConfigError before any work if it cannot be."""
    started = time.monotonic()
    config = load(place.preset, "synth", SynthConfig)
    inputs = _inputs(place, config)
    settings = _settings(config)
    mark = tables.fingerprint("synth", settings, inputs, MODULES)
    done = None if place.overwrite else tables.finished(place.output, TABLE, mark)
    if done is not None:
        logger.info("synth: %s is finished, nothing to do", tables.table_path(place.output, TABLE))
        return done
    shards = _shards(config, inputs)
    if config.teacher == "endpoint":
        api_key(config.endpoint)
        if "://" in place.output:
            raise ConfigError(
                f"{place.output}: the journal of an endpoint needs a local folder; remedy: pass --output DIR"
            )
    if place.dry_run:
        print(f"synth: would make {len(shards)} shards of {TABLE} in {place.output}")
        return _manifest(mark, config, inputs, Progress(), 0.0)
    progress = _run_shards(place, config, shards)
    rejects = _rejects_of(
        manifest := _manifest(mark, config, inputs, progress, time.monotonic() - started), progress
    )
    tables.commit(place.output, rejects)
    logger.info(
        "synth: %s of %s documents kept, %s tokens, rejected %s, %.1f s",
        f"{manifest.rows_out:,}",
        f"{manifest.rows_in:,}",
        f"{progress.counts['tokens']:,}",
        manifest.rejected,
        manifest.seconds,
    )
    return tables.commit(place.output, manifest)


def _inputs(place: Place, config: SynthConfig) -> dict[str, str]:
    """Digests of what the result depends on: the tokenizer, prompts, seeds' table, benchmarks."""
    inputs = {"tokenizer": tables.open_table(place.input, "tokenizer").manifest.digest}
    if config.teacher == "endpoint":
        inputs |= {f"prompts/{name}": tables.hash_bytes(read_prompt(name).encode()) for name in PROMPTS}
        if config.seeds.num_seeds:
            inputs["scored"] = tables.open_table(place.input, "scored").manifest.digest
    for name in config.contamination_indexes:
        try:
            inputs[name] = tables.hash_bytes(Path(place.input, name).read_bytes())
        except OSError as error:
            raise ConfigError(
                f"synth.toml: contamination_indexes names {name}, which cannot be read ({error.strerror}); "
                "remedy: build it first"
            ) from None
    return inputs


def _settings(config: SynthConfig) -> dict[str, object]:
    """The config without what this job, or this teacher, does not read."""
    unread = {"labels"} | ({"endpoint", "seeds"} if config.teacher == "symbolic" else set())
    return config.model_dump(mode="json", exclude=unread)


def _shards(config: SynthConfig, inputs: dict[str, str]) -> list[Shard]:
    """Problems first, then analyses. A shard's mark leaves out the totals: a larger run keeps old shards."""
    settings = json.loads(json.dumps(_settings(config)))
    settings["problems"].pop("num_problems")
    settings.pop("shard_rows")
    kinds = {
        "problems": config.problems.num_problems,
        "analyses": config.seeds.num_seeds if config.teacher == "endpoint" else 0,
    }
    if config.teacher == "endpoint":
        settings["seeds"] = config.seeds.model_dump(
            mode="json"
        )  # another number of seeds is another choice of them
    shards = []
    for kind, total in kinds.items():
        for start in range(0, total, config.shard_rows):
            indices = range(start, min(start + config.shard_rows, total))
            name = f"{kind}-{start:09d}-{indices.stop:09d}"
            shards.append(
                Shard(name, indices, tables.fingerprint(f"synth/{name}", settings, inputs, MODULES))
            )
    return shards


def _run_shards(place: Place, config: SynthConfig, shards: list[Shard]) -> Progress:
    """Do the shards that are not done, in order: a repeated problem is one whose text came before."""
    progress = Progress()
    tokenizer = Tokenizer.from_str(
        tables.read_bytes(tables.table_path(place.input, "tokenizer"), "tokenizer.json").decode()
    )
    with MathVerifier(config.problems.math_timeout_s) as verifier:
        solve: Callable[[Shard], Solved] | None = None
        for shard in shards:
            record = None if place.overwrite else finished_shard(place.output, shard)
            if record is None:
                solve = solve or _solver(place, config, verifier, progress)
                record = write_shard(place.output, shard, solve(shard), tokenizer)
                logger.info("synth: shard %s done, %d documents", shard.name, record["counts"]["documents"])  # type: ignore[index]
            progress.add(record)
    return progress


def _solver(
    place: Place, config: SynthConfig, verifier: MathVerifier, progress: Progress
) -> Callable[[Shard], Solved]:
    """What turns a shard into examples: probes the sandbox, loads the indexes, opens the journal."""
    isolated = has_bubblewrap()
    is_endpoint = config.teacher == "endpoint"
    if is_endpoint and config.problems.num_problems and config.problems.code_fraction > 0:
        require_isolation("model", isolated)
    try:
        indexes = tuple(load_index(Path(place.input, name)) for name in config.contamination_indexes)
    except ValueError as error:
        raise ConfigError(f"synth.toml: contamination_indexes: {error}") from None
    workshop = Workshop(
        config.seed,
        verifier,
        isolated,
        indexes,
        config.endpoint if is_endpoint else None,
        open_journal(Path(place.output, "synth-journal.jsonl")) if is_endpoint else None,
    )
    is_analysing = is_endpoint and config.seeds.num_seeds > 0
    seeds = (
        select_seeds(tables.open_table(place.input, "scored"), config.seeds, config.seed)
        if is_analysing
        else []
    )

    def solve(shard: Shard) -> Solved:
        if shard.name.startswith("analyses"):
            return analyse_shard(
                seeds[shard.indices.start : shard.indices.stop], shard.indices.start, workshop
            )
        return solve_shard(shard.indices, config.problems, workshop, progress.seen)

    return solve


def _manifest(
    mark: str, config: SynthConfig, inputs: dict[str, str], progress: Progress, seconds: float
) -> Manifest:
    rows_out = progress.counts["documents"]
    return Manifest(
        table=TABLE,
        job="synth",
        fingerprint=mark,
        digest=tables.digest_of((*progress.parts, *progress.reject_parts)),
        parts=tuple(progress.parts),
        rows_in=rows_out + progress.rejected.total(),
        rows_out=rows_out,
        rejected=dict(sorted(progress.rejected.items())),
        inputs=inputs,
        config=_settings(config),
        facts={"teacher": config.teacher, **dict(sorted(progress.counts.items()))},
        git_commit=tables.git_commit(),
        num_bytes=sum(part.num_bytes for part in progress.parts),
        seconds=round(seconds, 3),
        peak_memory_bytes=tables.peak_memory_bytes(),
    )


def _rejects_of(manifest: Manifest, progress: Progress) -> Manifest:
    """The rejects' manifest; committed first, so that whoever sees the table can read both."""
    total = progress.rejected.total()
    changed = {
        "table": f"{TABLE}_rejects",
        "digest": tables.digest_of(progress.reject_parts),
        "parts": tuple(progress.reject_parts),
        "rows_in": total,
        "rows_out": total,
        "rejected": {},
        "num_bytes": sum(part.num_bytes for part in progress.reject_parts),
    }
    return Manifest(**{**vars(manifest), **changed})


def job(place: Place) -> None:
    """Command line entry."""
    run(place)


if __name__ == "__main__":
    main(job)
