"""documents -> filtered: measure, then decide; what is rejected keeps its measurements.

Per document, cheap first: TextStats and language, the rules, decontamination, then masking and licence of
what is kept. One part of `documents` is one shard.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated

import pyarrow as pa
from pydantic import Field
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place, main
from configs.contract import EXCERPT_CHARS, FILTERED, REJECTS, Manifest
from configs.loader import Config, ConfigError, load
from filters.decontaminate import Index, contaminated_by
from filters.language import Language, identify, model_path
from filters.licences import licence_of
from filters.pii import mask_pii
from filters.rules import Thresholds, is_mathematical, is_mostly_code, preset, reject_reason
from filters.stats import TextStats, measure
from pipeline.index_problems import ProblemConfig, index_problems
from pipeline.session import spark_session
from pipeline.tables import Job, Shard, map_shards, part_shards

logger = logging.getLogger(__name__)

MODULES = ("pipeline.filter_documents", "pipeline.index_problems", "filters")
BATCH = pa.schema(
    [
        *(field.with_nullable(True) for field in FILTERED),
        *(field.with_nullable(True) for field in REJECTS if field.name not in FILTERED.names),
    ]
)


class FilterConfig(Config):
    """filter.toml."""

    rules: str
    """Preset of filters.rules: reasonmill, fineweb, gopher, c4, dclm-rules, dolma3, ..."""
    languages: tuple[str, ...]
    """ISO 639 codes to keep; empty: all."""
    min_language_score: Annotated[float, Field(ge=0, le=1)]
    """Below it the language counts as unknown; unknown is allowed only in what is mostly code or math."""
    problems: tuple[ProblemConfig, ...]
    """Benchmarks: documents that contain one of their problems are rejected."""


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Filter every row of `documents`; None on a dry run. Raises ConfigError for unknown rules."""
    config = load(place.preset, "filter", FilterConfig)
    try:
        thresholds = preset(config.rules)
    except ValueError as error:
        raise ConfigError(f"{place.preset}/filter.toml: rules: {error}; remedy: name one of these") from None
    documents = tables.open_table(place.input, "documents")
    index, index_digest = index_problems(config.problems)
    facts = {
        "language_model": tables.hash_bytes(model_path().read_bytes()),
        "problem_index": index_digest,
        "num_problems": len(index.names),
    }
    job = Job("filter", "filtered", config, {"documents": documents.manifest.digest}, MODULES, facts)
    done = tables.finished(place.output, job.table, job.fingerprint(job.inputs))
    if done and not place.overwrite:
        logger.info("filter: up to date, %s rows", f"{done.rows_out:,}")
        return done
    shards = part_shards(documents)
    if place.dry_run:
        print(f"filter: would filter {documents.manifest.rows_out} rows in {len(shards)} shards")
        return None
    sent = spark.sparkContext.broadcast(index)  # 16 MB and 12 bytes per window of the problems

    def transform_shard(shard: Shard) -> Iterator[pa.Table]:
        return transform(shard, config, thresholds, sent.value)

    return map_shards(spark, place.output, job, shards, transform_shard, place.overwrite)


def transform(shard: Shard, config: FilterConfig, thresholds: Thresholds, index: Index) -> Iterator[pa.Table]:
    """The kept row or the reject of every row of a documents part, in its order."""
    for batch in tables.read_part(shard.path):
        rows = [judge(row, config, thresholds, index) for row in batch.to_pylist()]
        yield pa.Table.from_pylist(rows, schema=BATCH)


def judge(
    document: dict[str, object], config: FilterConfig, thresholds: Thresholds, index: Index
) -> dict[str, object]:
    """One row of `documents` with its measurements, and with `reject_reason` if it is to go."""
    text = document["text"]
    language = identify(text)
    stats = measure(text)
    measured = {"language": language.language, "language_score": language.score} | asdict(stats)
    reason = reject_reason(stats, thresholds) or language_reason(language, stats, config)
    problem = None if reason else contaminated_by(text, index)
    if reason or problem:
        return document | {
            "reject_reason": reason or "contaminated",
            "detail": problem,
            "measurements": json.dumps(measured),
            "excerpt": mask_pii(text[: 2 * EXCERPT_CHARS]).text[:EXCERPT_CHARS],
        }
    masked = mask_pii(text)
    num_masked = masked.num_emails + masked.num_ips + masked.num_phones + masked.num_keys
    if num_masked:
        measured |= asdict(measure(masked.text))  # the columns describe the text beside them
    return (
        document
        | measured
        | {"text": masked.text, "licence": licence_of(text), "pii_masked": num_masked, "reject_reason": None}
    )


def language_reason(language: Language, stats: TextStats, config: FilterConfig) -> str | None:
    """`language` if it is surely not one of the wanted, or unknown where there is prose to know it by."""
    if not config.languages:
        return None
    if language.score >= config.min_language_score:
        return None if language.language in config.languages else "language"
    return None if is_mostly_code(stats) or is_mathematical(stats) else "language"


def job(place: Place) -> None:
    """Command line: make the session, run."""
    run(spark_session("filter"), place)


if __name__ == "__main__":
    main(job)
