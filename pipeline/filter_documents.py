"""documents -> filtered: measure, then decide; rejects keep their measurements.

Per document, cheap first: the lists of URLs, then TextStats, language and toxicity, the rules,
decontamination, and masking and licence of what is kept. One part of `documents` is one shard.
Of a document whose owner opted out nothing is kept but its id and URL.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated

import pyarrow as pa
from annotated_types import MinLen
from pyspark.sql import SparkSession

from configs import tables
from configs.benchmark_windows import read_windows
from configs.bounds import Fraction
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import EXCERPT_CHARS, FILTERED, REJECTS, Manifest, excerpt
from configs.job import Job, make_table
from configs.loader import Config, ConfigError, load
from filters.decontaminate import Index, contaminated_by, index_of_windows
from filters.language import Language, identify, model_path
from filters.licences import licence_of
from filters.measure.stats import TextStats, measure
from filters.pii import mask_pii
from filters.presets import preset
from filters.rules import is_brief, is_mathematical, is_mostly_code, reject_reason
from filters.toxicity import WordList, toxicity
from filters.url_lists import UrlList, listed_by
from pipeline.reading.lists import read_url_lists, read_words
from pipeline.spark.session import spark_session
from pipeline.spark.tables import PartShard, map_shards, part_shards

BATCH = pa.schema(
    [
        *(field.with_nullable(True) for field in FILTERED),
        *(field.with_nullable(True) for field in REJECTS if field.name not in FILTERED.names),
    ]
)


class FilterConfig(Config):
    """filter.toml."""

    rules: str
    """Preset of filters.presets: reasonmill, fineweb, gopher, c4, dclm-rules, dolma3, ..."""
    languages: Annotated[tuple[str, ...], MinLen(1)] | None = None
    """ISO 639 codes to keep; absent: all."""
    min_language_score: Fraction
    """What the probabilities of the languages to keep must sum to. Below it the language counts as unknown,
    which is allowed only in what is mostly code or math or brief; another language of that score is rejected
    at once.
    """
    max_toxicity: Fraction | None = None
    """Largest share of listed words; absent: toxicity is only measured."""
    toxic_words: Annotated[tuple[str, ...], MinLen(1)] | None = None
    """Files, folders or globs of words, one per line; absent: the short list of filters.toxicity."""
    blocked_urls: tuple[str, ...]
    """Files, folders (UT1's categories) or globs of domains and URLs that are rejected."""
    opt_outs: tuple[str, ...]
    """The same for pages whose owners asked to be left out; see pipeline.inspection forget."""


@dataclass(frozen=True)
class Judge:
    """Everything a decision depends on, loaded once per run and sent to every worker once."""

    config: FilterConfig
    problems: Index
    words: WordList
    blocked: UrlList
    opted_out: UrlList


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Filter every row of `documents`; None on a dry run. Raises ConfigError for unknown rules."""
    config = load(place.preset, "filter", FilterConfig)
    try:
        preset(config.rules)
    except ValueError as error:
        raise ConfigError(f"{place.preset}/filter.toml: rules: {error}; remedy: name one of these") from None
    documents = tables.open_table(place.input, "documents")
    benchmarks = tables.open_table(place.input, "benchmark_index")
    words, words_digest = read_words("toxic_words", config.toxic_words or ())
    blocked, blocked_digest = read_url_lists("blocked_urls", config.blocked_urls)
    opted_out, opted_out_digest = read_url_lists("opt_outs", config.opt_outs)
    facts = {  # what the result of one shard depends on: its fingerprint leaves out the inputs
        "language_model": tables.hash_bytes(model_path().read_bytes()),
        "benchmark_index": benchmarks.manifest.digest,
        "toxic_words": words_digest,
        "blocked_urls": blocked_digest,
        "num_blocked_urls": len(blocked.hashes),
        "opt_outs": opted_out_digest,
        "num_opt_outs": len(opted_out.hashes),
    }
    inputs = {"documents": documents.manifest.digest, "benchmark_index": benchmarks.manifest.digest}
    job = Job("filter", "filtered", code_hash(__name__), config.model_dump(mode="json"), inputs, facts)
    shards = part_shards(documents)

    def work() -> Manifest:
        index = index_of_windows(*read_windows(benchmarks))
        judge = Judge(config, index, words, blocked, opted_out)
        # 16 MB, 12 bytes per window of the problems and per listed URL
        sent = spark.sparkContext.broadcast(judge)

        def transform_shard(shard: PartShard) -> Iterator[pa.Table]:
            return transform(shard, sent.value)

        return map_shards(spark, place, job, shards, transform_shard)

    what = f"filter {documents.manifest.rows_out} rows in {len(shards)} shards"
    return make_table(place, job, what, work)


def transform(shard: PartShard, judge: Judge) -> Iterator[pa.Table]:
    """The kept row or the reject of every row of a documents part, in its order."""
    for batch in tables.read_part(shard.path):
        rows = [decide(row, judge) for row in batch.to_pylist()]
        yield pa.Table.from_pylist(rows, schema=BATCH)


def decide(document: dict[str, object], judge: Judge) -> dict[str, object]:
    """One row of `documents` with its measurements, and with `reject_reason` if it is to go."""
    url, text = document["url"], document["text"]
    entry = listed_by(url, judge.opted_out)
    if entry is not None:
        return document | {"reject_reason": "opted_out", "detail": entry}
    entry = listed_by(url, judge.blocked)
    if entry is not None:
        return document | {"reject_reason": "blocked_url", "detail": entry, "excerpt": _masked_excerpt(text)}
    language, stats = identify(text), measure(text)
    measured = {
        "language": language.language,
        "language_score": language.score,
        **asdict(stats),
        "toxicity": toxicity(text, judge.words),
    }
    fault = language_reason(language, stats, judge.config)
    reason = fault if fault == "language" else rule_reason(language, stats, judge.config) or fault
    max_toxicity = judge.config.max_toxicity
    if reason is None and max_toxicity is not None and measured["toxicity"] > max_toxicity:
        reason = "too_toxic"
    problem = None if reason else contaminated_by(text, judge.problems)
    if reason or problem:
        return document | {
            "reject_reason": reason or "contaminated",
            "detail": problem if reason is None else _language_detail(reason, language),
            "measurements": json.dumps(measured),
            "excerpt": _masked_excerpt(text),
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


def _masked_excerpt(text: str) -> str:
    return excerpt(mask_pii(text[: 2 * EXCERPT_CHARS]).text)


def language_reason(language: Language, stats: TextStats, config: FilterConfig) -> str | None:
    """Return `language` for a text in another language, `unknown_language` for prose of an uncertain one."""
    if config.languages is None:
        return None
    found = ((language.language, language.score), (language.second, language.second_score))
    wanted_score = sum(score for name, score in found if name in config.languages)
    if wanted_score >= config.min_language_score:
        return None
    is_code = is_mostly_code(stats)
    if is_code and not stats.num_code_blocks:
        return None  # what was read as prose is code without a fence
    if language.score >= config.min_language_score:
        return "language"
    return None if is_code or is_mathematical(stats) or is_brief(stats) else "unknown_language"


def rule_reason(language: Language, stats: TextStats, config: FilterConfig) -> str | None:
    """Return the preset's reason. An uncertain language counts as unknown unless it is one to keep."""
    is_sure = language.score >= config.min_language_score or language.language in (config.languages or ())
    return reject_reason(stats, preset(config.rules), language.language if is_sure else "und")


def _language_detail(reason: str, language: Language) -> str | None:
    return f"{language.language} {language.score:.2f}" if "language" in reason else None


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("filter"), place)


if __name__ == "__main__":
    main(job)
