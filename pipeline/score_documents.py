"""Tag the deduplicated documents: domain, three scores in [0, 1], number of tokens.

One deduped part is one task. Both splits are scored: the plan reads train, the evaluation held-out.
"""

import tempfile
from collections.abc import Iterator
from functools import lru_cache, partial

import pyarrow as pa
from pyspark.sql import SparkSession

from configs import tables
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import Manifest
from configs.job import Job, make_table
from configs.loader import Config, ConfigError, load
from configs.storage.files import local_folder
from configs.tokens.encoding import encode
from filters import taggers
from pipeline.spark.session import spark_session
from pipeline.spark.tables import PartShard, map_shards, part_shards
from pipeline.tokens.tokenizer import TokenizerFacts, encoder, open_tokenizer


class ScoreConfig(Config):
    """`score.toml`."""

    taggers: str | None = None
    """Folder or URI of models and their card.json; absent: those shipped in filters/taggers/models."""


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Score what is not scored yet and commit the table; None on a dry run."""
    config = load(place.preset, "score", ScoreConfig)
    try:
        model_hash = load_taggers(config.taggers).model_hash  # fail before any task does
    except ValueError as error:
        raise ConfigError(f"{place.preset}/score.toml: taggers: {error}") from None
    deduped = tables.open_table(place.input, "deduped")
    tokenizer = open_tokenizer(place.input)
    inputs = {"deduped": deduped.manifest.digest, "tokenizer": tokenizer.digest}
    facts = {"tagger_hash": model_hash, "tokenizer_hash": tokenizer.hash}
    job = Job("score", "scored", code_hash(__name__), config.model_dump(mode="json"), inputs, facts)
    shards = part_shards(deduped)
    score_shard = partial(transform, tokenizer=tokenizer, models=config.taggers)
    return make_table(
        place,
        job,
        f"score {deduped.manifest.rows_out} rows in {len(shards)} shards",
        lambda: map_shards(spark, place, job, shards, score_shard),
    )


def transform(shard: PartShard, tokenizer: TokenizerFacts, models: str | None) -> Iterator[pa.Table]:
    """The shard's rows with their scores; scoring rejects none. One table, so that a part stays a part."""
    batches = [
        pa.Table.from_batches([add_scores(batch, _tagger(models), tokenizer)])
        for batch in tables.read_part(shard.path)
    ]
    if batches:
        yield pa.concat_tables(batches)


def add_scores(batch: pa.RecordBatch, tagger: taggers.Tagger, tokenizer: TokenizerFacts) -> pa.RecordBatch:
    """Columns domain, quality, knowledge_density, reasoning_depth, token_count and an empty reject_reason."""
    texts = batch["text"].to_pylist()
    scores = tagger.score_many(texts)
    columns = {name: [getattr(score, name) for score in scores] for name in taggers.Scores._fields}
    columns["token_count"] = [len(ids) for ids in encode(encoder(tokenizer), texts)]
    for name, values in columns.items():
        batch = batch.append_column(name, pa.array(values))
    return batch.append_column("reject_reason", pa.nulls(batch.num_rows, pa.string()))


@lru_cache(maxsize=1)
def _tagger(models: str | None) -> taggers.Tagger:
    """Loaded once per worker."""
    return load_taggers(models)


def load_taggers(models: str | None) -> taggers.Tagger:
    """The taggers of a folder, or those shipped; what lies in an object store is copied to this machine.

    Raises ValueError as filters.taggers.load.
    """
    local = None if models is None else local_folder(models)
    if models is None or local is not None:
        return taggers.load(local)
    with tempfile.TemporaryDirectory() as copy:
        for name in tables.sizes_under(models):
            tables.write_bytes(copy, name, tables.read_bytes(models, name))
        return taggers.load(copy)


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("score_documents"), place)


if __name__ == "__main__":
    main(job)
