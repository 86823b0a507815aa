"""A tokenizer trained on literal documents or taken from a file: exact size, lossless, same again."""

from functools import lru_cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import SparkSession
from tokenizers import Tokenizer

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.loader import ConfigError
from configs.tokens.encoding import encode
from pipeline import train_tokenizer
from pipeline.tokens.tokenizer import encoder, open_tokenizer
from pipeline.train_tokenizer import TokenizerConfig, read_tokenizer, train
from tests.pipeline.scored_run import Doc, write_documents

TEXTS = {f"d{n}": f"the theorem of number {n} holds for all x = {n * n}\n    return x\n" for n in range(40)}


def config(**changes: object) -> TokenizerConfig:
    values = {"vocab_size": 280, "eod": "<|endoftext|>", "sample_bytes": 10_000_000, "seed": 1}
    return TokenizerConfig.model_validate(values | changes)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    preset, root = tmp_path / "preset", tmp_path / "run"
    preset.mkdir()
    write_config(preset)
    docs = [Doc(doc_id, text) for doc_id, text in TEXTS.items()]
    docs.append(Doc("held", "zyzzyva " * 500, split="heldout"))
    write_documents(root, "deduped", docs, {})
    return Place(preset, str(root), str(root))


def write_config(preset: Path, **changes: object) -> None:
    lines = (f"{name} = {value!r}" for name, value in config(**changes) if value is not None)
    (preset / "tokenizer.toml").write_text("\n".join(lines).replace("'", '"'))


@lru_cache(maxsize=1)
def trained() -> Tokenizer:
    return train(TEXTS.values(), config())


def test_pre_tokens_are_those_of_qwen2() -> None:
    pieces = [piece for piece, _ in trained().pre_tokenizer.pre_tokenize_str("I'll add 42\n\n  x+=1;")]
    assert pieces == ["I", "'ll", "Ġadd", "Ġ", "4", "2", "ĊĊ", "Ġ", "Ġx", "+=", "1", ";"]


@given(st.text())
def test_encoding_is_lossless_on_any_text(text: str) -> None:
    text = text.encode("utf-8", "ignore").decode()
    ids = trained().encode(text, add_special_tokens=False).ids
    assert trained().decode(ids, skip_special_tokens=False) == text


def test_the_vocabulary_has_exactly_the_size_asked_and_too_little_text_is_refused() -> None:
    assert trained().get_vocab_size() == 280
    with pytest.raises(ConfigError, match="vocab_size = 3000: the sample's text gives"):
        train(TEXTS.values(), config(vocab_size=3000))


@pytest.mark.spark
def test_the_train_split_makes_the_table(spark: SparkSession, place: Place) -> None:
    manifest = train_tokenizer.run(spark, place)
    assert manifest.facts["vocab_size"] == 280
    assert manifest.facts["eod_id"] == 0
    stored = tables.read_bytes(f"{place.output}/tokenizer", "tokenizer.json")
    assert manifest.facts["hash"] == tables.hash_bytes(stored)
    # Trained in doc_id order on the train split alone: the same as here, without Spark.
    assert Tokenizer.from_str(stored.decode()).get_vocab() == trained().get_vocab()
    assert train_tokenizer.run(spark, place) == manifest
    again = train_tokenizer.run(spark, Place(place.preset, place.input, place.output, overwrite=True))
    assert again.facts["hash"] == manifest.facts["hash"]


@pytest.mark.spark
def test_a_sample_is_about_as_large_as_asked(spark: SparkSession, place: Place) -> None:
    documents = spark.createDataFrame(
        [(f"d{n}", "train", "x" * 100) for n in range(2_000)], "doc_id string, split string, text string"
    )
    drawn = list(train_tokenizer.sample(documents, config(sample_bytes=50_000)))
    # A quarter of 2,000 documents: 500, standard deviation 19; bounds are four of them.
    assert 424 <= len(drawn) <= 576


@pytest.mark.spark
def test_a_tokenizer_is_taken_from_a_path(spark: SparkSession, place: Place, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    trained().save(str(path))
    write_config(place.preset, path=str(path))
    manifest = train_tokenizer.run(spark, place)
    assert tables.read_bytes(f"{place.output}/tokenizer", "tokenizer.json") == path.read_bytes()
    assert manifest.facts["vocab_size"] == 280
    facts = open_tokenizer(place.output)
    [ids] = encode(encoder(facts), ["a <|endoftext|> b"])
    assert facts.eod_id not in ids
    path.write_text(path.read_text() + " ")
    assert train_tokenizer.run(spark, place).fingerprint != manifest.fingerprint


@pytest.mark.spark
@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"path": "/nowhere/tokenizer.json"}, "no file /nowhere/tokenizer.json"),
        ({"vocab_size": 281}, "it has 280 tokens, vocab_size says 281; remedy: set vocab_size = 280"),
        ({"eod": "<eos>"}, "eod '<eos>' is not in it"),
        ({"eod": "the"}, "a document that quotes eod 'the' would end there; remedy: mark that token as spec"),
    ],
)
def test_an_unfit_tokenizer_is_refused(
    spark: SparkSession, place: Place, tmp_path: Path, changes: dict[str, object], fault: str
) -> None:
    path = tmp_path / "tokenizer.json"
    trained().save(str(path))
    write_config(place.preset, **({"path": str(path)} | changes))
    with pytest.raises(ConfigError, match=fault):
        train_tokenizer.run(spark, place)
    assert not Path(place.output, "tokenizer").exists()


@pytest.mark.spark
def test_an_empty_corpus_is_refused(spark: SparkSession, place: Place) -> None:
    write_documents(Path(place.input), "deduped", [Doc("held", "x", split="heldout")], {})
    with pytest.raises(ContractError, match="no text in the train split"):
        train_tokenizer.run(spark, place)


def test_a_tokenizer_may_lie_in_an_object_store(bucket: str, tmp_path: Path) -> None:
    tables.write_bytes(bucket, "t/tokenizer.json", b"{}")
    assert read_tokenizer(f"{bucket}/t/tokenizer.json") == b"{}"
    for path in (f"{bucket}/none.json", str(tmp_path / "none.json"), str(tmp_path)):
        with pytest.raises(ConfigError, match=r"no file .*; remedy: put the tokenizer"):
            read_tokenizer(path)
