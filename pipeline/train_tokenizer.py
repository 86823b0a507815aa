"""Make the `tokenizer` table: a byte-level BPE trained on the deduplicated train split, or a file taken.

A sample of documents, drawn by hash of doc_id so that it is the same on any machine, is streamed to the
trainer in doc_id order. Pre-tokenisation is Qwen2's: contractions, letters with one leading sign, single
digits, signs with their line breaks, white space. The driver holds the sample's distinct pre-tokens.
"""

import time
from collections.abc import Iterable, Iterator

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from configs import tables
from configs.bounds import NonNegative, Positive
from configs.code_closure import code_hash
from configs.command import Place, main
from configs.contract import ContractError, Manifest
from configs.job import Job, commit, make_table
from configs.loader import Config, ConfigError, load
from configs.storage.shard_log import ShardLog
from configs.tokens.encoding import encode, text_encoder
from pipeline.mixture.buckets import order_position
from pipeline.spark.session import spark_session
from pipeline.spark.tables import read_table
from pipeline.tokens.tokenizer import FILE

QWEN2_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""Pre-tokenisation of Qwen2's published tokenizer.json."""


class TokenizerConfig(Config):
    """`tokenizer.toml`."""

    path: str | None = None
    """A tokenizer.json to take, relative to the working directory or a URI; absent: train one."""
    vocab_size: Positive
    """Rows including the end of document; a tokenizer taken must have exactly these."""
    eod: str
    """The token that ends every document."""
    sample_bytes: Positive
    """About this much UTF-8 text is trained on (unused when one is taken)."""
    seed: NonNegative
    """Draws the sample."""


def run(spark: SparkSession, place: Place) -> Manifest | None:
    """Train or take the tokenizer and commit it; None on a dry run."""
    config = load(place.preset, "tokenizer", TokenizerConfig)
    deduped = tables.open_table(place.input, "deduped")
    inputs = {"deduped": deduped.manifest.digest}
    taken = None
    if config.path is not None:
        taken = read_tokenizer(config.path)
        inputs = {"path": tables.hash_bytes(taken)}
    job = Job("tokenizer", "tokenizer", code_hash(__name__), config.model_dump(mode="json"), inputs)

    def work() -> Manifest:
        started = time.monotonic()
        data = taken
        if data is None:
            tokenizer = train(sample(read_table(spark, deduped, ("doc_id", "text", "split")), config), config)
            data = tokenizer.to_str(pretty=True).encode()
        facts = _facts(data, config)
        part = tables.write_bytes(tables.table_path(place.output, "tokenizer"), FILE, data)
        return commit(place.output, job, ShardLog.of({}), started, parts=[part], facts=facts)

    what = f"train {config.vocab_size} tokens" if config.path is None else f"take {config.path}"
    return make_table(place, job, what, work)


def read_tokenizer(path: str) -> bytes:
    """The bytes of a tokenizer.json. Raises ConfigError if there is none."""
    fs, local = tables.filesystem(path)
    if not fs.get_file_info(local).is_file:
        raise ConfigError(
            f"tokenizer.toml: path: no file {path}; remedy: put the tokenizer.json there "
            "(for Qwen2's: from the model's page), or set path to where it is"
        )
    folder, _, name = path.rpartition("/")
    return tables.read_bytes(folder or ("/" if path.startswith("/") else "."), name)


def sample(documents: DataFrame, config: TokenizerConfig) -> Iterator[str]:
    """Texts of the train split drawn by hash until about `sample_bytes`, in doc_id order."""
    train_split = documents.where(F.col("split") == "train").select("doc_id", "text")
    total = train_split.agg(F.sum(F.octet_length("text"))).first()[0] or 0
    if not total:
        raise ContractError("deduped: no text in the train split; remedy: check ingest and filter counts")
    drawn = train_split.where(order_position(config.seed) < config.sample_bytes / total)
    # The driver needs the sample, a bounded one; the iterator holds one partition of it at a time.
    return (row.text for row in drawn.orderBy("doc_id").toLocalIterator())


def train(texts: Iterable[str], config: TokenizerConfig) -> Tokenizer:
    """Byte-level BPE of exactly `vocab_size` tokens, `eod` the first. Raises ConfigError if text is short."""
    tokenizer = Tokenizer(models.BPE(ignore_merges=False))
    # No normaliser (Qwen2 has NFC): contract texts are NFC, and encoding stays lossless on any text.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=config.vocab_size,
        min_frequency=2,  # Our choice: a pair seen once is no pattern.
        special_tokens=[config.eod],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    found = tokenizer.get_vocab_size()
    if found != config.vocab_size:
        raise ConfigError(
            f"tokenizer.toml: vocab_size = {config.vocab_size}: the sample's text gives {found} tokens; "
            "remedy: lower vocab_size (here and in model.toml), or give more text"
        )
    return tokenizer


def _facts(data: bytes, config: TokenizerConfig) -> dict[str, object]:
    """What readers need to know of a tokenizer. Raises ConfigError if it is not what the config says."""
    where = f"tokenizer.toml: path = {config.path!r}"
    try:
        tokenizer = text_encoder(data)
    # The binding raises plain Exception for a file that it cannot read.
    except Exception as error:
        raise ConfigError(f"{where}: {error}; remedy: give a Hugging Face tokenizer.json") from None
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    if config.eod not in vocabulary:
        raise ConfigError(f"{where}: eod {config.eod!r} is not in it; remedy: set eod to one of its tokens")
    vocab_size = max(vocabulary.values()) + 1
    if vocab_size != config.vocab_size:
        raise ConfigError(
            f"{where}: it has {vocab_size} tokens, vocab_size says {config.vocab_size}; "
            f"remedy: set vocab_size = {vocab_size} here and in model.toml"
        )
    if vocabulary[config.eod] in encode(tokenizer, [config.eod])[0]:
        raise ConfigError(
            f"{where}: a document that quotes eod {config.eod!r} would end there; "
            "remedy: mark that token as special in the file's added_tokens"
        )
    return {
        "vocab_size": vocab_size,
        "eod": config.eod,
        "eod_id": vocabulary[config.eod],
        "hash": tables.hash_bytes(data),
    }


def job(place: Place) -> None:
    """Entry of the command line: make the Spark session and run the job."""
    run(spark_session("train_tokenizer"), place)


if __name__ == "__main__":
    main(job)
