"""Token tables: equal to encode(text) + eod in bucket order, cut in shards, resumed, and never twice."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from configs.job import Job
from configs.tokens.blocks import digests_of, read_digests
from configs.tokens.encoding import encode, text_encoder
from pipeline import plan_mixture, score_documents, tokenize_corpus
from pipeline.mixture.buckets import order_position
from pipeline.tokenize_corpus import pack
from pipeline.tokens import shards
from pipeline.tokens.shards import BucketWork
from pipeline.tokens.tokenizer import encoder, open_tokenizer
from synth.rows import Example, synthetic_rows
from tests.pipeline.scored_run import (
    MIXTURE_TOML,
    WORDS,
    Doc,
    write_bpe,
    write_documents,
    write_stages,
)
from tests.run_tables import write_table

pytestmark = pytest.mark.spark


def texts(kind: str, count: int) -> dict[str, str]:
    """Texts of different lengths; one quotes the end-of-document token."""
    made = {
        f"{kind}-{n}": " ".join(WORDS[(n * k) % len(WORDS)] for k in range(3 + 5 * n)) for n in range(count)
    }
    return made | {f"{kind}-quote": "the token <|endoftext|> ends a document"}


MATH, MADE, HELD = texts("math", 12), texts("made", 2), texts("held", 1)
HELD_MADE = texts("held-made", 1)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    preset, root = tmp_path / "preset", tmp_path / "run"
    preset.mkdir()
    (preset / "mixture.toml").write_text(MIXTURE_TOML)
    (preset / "tokenize.toml").write_text("max_shard_tokens = 200\n")
    write_bpe(root)
    write_tables(root, MATH)
    return Place(preset, str(root), str(root))


def write_tables(root: Path, math: dict[str, str]) -> None:
    tokenizer = open_tokenizer(str(root))

    def count(text: str) -> int:
        return len(encode(encoder(tokenizer), [text])[0])

    inputs = {"tokenizer": tokenizer.digest}
    docs = [Doc(i, t, domain="mathematics", token_count=count(t)) for i, t in math.items()]
    docs += [Doc(i, t, domain="news", split="heldout", token_count=count(t)) for i, t in HELD.items()]
    made = [Doc(i, t, source="symbolic", token_count=count(t)) for i, t in MADE.items()]
    made += [
        Doc(i, t, source="symbolic", domain="mathematics", split="heldout", token_count=count(t))
        for i, t in HELD_MADE.items()
    ]
    write_documents(root, "scored", docs, inputs)
    write_documents(root, "synthetic", made, inputs)


def documents_of(root: str, bucket: str) -> list[list[int]]:
    """The bucket's documents as its files hold them, by the lengths in the .idx."""
    table = tables.open_table(root, f"tokens/{bucket}")
    documents = []
    for prefix in table.manifest.facts["prefixes"]:
        tokens = np.fromfile(f"{table.path}/{prefix}.bin", dtype=np.uint16)
        index = Path(f"{table.path}/{prefix}.idx").read_bytes()
        count = int(np.frombuffer(index, np.int64, 1, 18)[0])
        lengths = np.frombuffer(index, np.int32, count, 34)
        documents += [part.tolist() for part in np.split(tokens, np.cumsum(lengths)[:-1])]
        assert sum(lengths) == len(tokens)
    return documents


def expected_order(spark: SparkSession, doc_ids: list[str]) -> list[str]:
    rows = spark.createDataFrame([(doc_id,) for doc_id in doc_ids], "doc_id string")
    return [row.doc_id for row in rows.orderBy(order_position(3), "doc_id").collect()]


def test_files_hold_every_document_in_bucket_order(spark: SparkSession, place: Place) -> None:
    manifest = tokenize_corpus.run(spark, place)
    tokenizer = open_tokenizer(place.input)
    buckets = {
        "mathematics-high-web": MATH,
        "science-synthetic-symbolic": MADE,
        "heldout/prose": HELD,
        "heldout/math": HELD_MADE,
    }
    assert set(manifest.facts["buckets"]) == {*buckets, "heldout/code"}
    for bucket, by_id in buckets.items():
        order = expected_order(spark, list(by_id))
        encoded = encode(encoder(tokenizer), [by_id[doc_id] for doc_id in order])
        wanted = [[*ids, tokenizer.eod_id] for ids in encoded]
        assert documents_of(place.output, bucket) == wanted
        assert all(tokenizer.eod_id not in document[:-1] for document in wanted)
        table = tables.open_table(place.output, f"tokens/{bucket}")
        spans = pq.read_table(f"{table.path}/spans.parquet").to_pydict()
        assert spans["doc_id"] == order
        assert spans["token_end"] == np.cumsum([len(document) for document in wanted]).tolist()
        assert spans["token_start"] == [0, *spans["token_end"][:-1]]
        assert table.manifest.facts["num_tokens"] == spans["token_end"][-1]
        assert not list(Path(table.path, "_meta", "records").glob("*"))
    assert len(tables.open_table(place.output, "tokens/mathematics-high-web").manifest.facts["prefixes"]) > 1
    empty = tables.open_table(place.output, "tokens/heldout/code").manifest
    assert (empty.facts["prefixes"], empty.facts["num_tokens"]) == ([], 0)


def test_every_file_has_its_digests(
    spark: SparkSession, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that was killed before the join gives the same, since the digests lie beside the shards."""
    with monkeypatch.context() as patched:
        patched.setattr(tokenize_corpus, "_join", killed)
        with pytest.raises(KeyboardInterrupt):
            tokenize_corpus.run(spark, place)
    tokenize_corpus.run(spark, place)
    for bucket in tables.open_table(place.output, "tokens_index").manifest.facts["buckets"]:
        table = tables.open_table(place.output, f"tokens/{bucket}")
        files = {path.name: path for path in Path(table.path).iterdir() if path.is_file()}
        named = files.keys() - {"blocks.parquet"}
        digests = read_digests(table)
        assert digests == {
            name: digests_of(files[name].read_bytes(), name.endswith(".bin")) for name in named
        }
        assert {part.path for part in table.parts} == {*named, "blocks.parquet"}


def test_a_shard_without_digests_is_refused(tmp_path: Path) -> None:
    write_bpe(tmp_path)
    tokenizer = open_tokenizer(str(tmp_path))
    work = BucketWork("b", "science", "low", "web", 1, 2, 1, Job("tokenize", "tokens/b", "code", {}, {}))
    assert list(shards.write_shards(iter([("b", 0, "one", "?")]), str(tmp_path), {"b": work}, tokenizer))
    (tmp_path / "tokens/b/_meta/records/00000_blocks.parquet").unlink()
    with pytest.raises(
        ContractError, match=r"00000_blocks.parquet: missing, other code wrote this shard; rem"
    ):
        shards.join_shards(Place(tmp_path, str(tmp_path), str(tmp_path)), work, tokenizer)


def test_megatron_core_reads_a_bucket(spark: SparkSession, place: Place) -> None:
    indexed_dataset = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    tokenize_corpus.run(spark, place)
    table = tables.open_table(place.output, "tokens/mathematics-high-web")
    read = []
    for prefix in table.manifest.facts["prefixes"]:
        dataset = indexed_dataset.IndexedDataset(f"{table.path}/{prefix}")
        read += [dataset[number].tolist() for number in range(len(dataset))]
    assert read == documents_of(place.output, "mathematics-high-web")


def draw_web_alone(preset: Path) -> None:
    """Take the shares of math, code and synthetic documents out of the stages."""
    mixture = (preset / "mixture.toml").read_text().replace("math_and_code_fraction = 0.7\n", "")
    (preset / "mixture.toml").write_text(
        mixture.replace("synthetic_fraction = 0.1", "synthetic_fraction = 0.0")
    )


def test_planned_ranges_are_the_same_documents_in_the_token_files(spark: SparkSession, place: Place) -> None:
    write_stages(place.preset, (300, 100, 100))
    draw_web_alone(place.preset)
    plan_mixture.run(spark, place)
    tokenize_corpus.run(spark, place)
    [planned] = tables.read(tables.open_table(place.output, "mixtures/stage1")).to_pylist()
    spans = pq.read_table(f"{place.output}/tokens/{planned['bucket']}/spans.parquet").to_pylist()
    assert 0 < planned["document_end"] - planned["document_start"] < len(spans)
    own = spans[planned["document_start"] : planned["document_end"]]
    assert own[-1]["token_end"] - own[0]["token_start"] == planned["tokens"]


def test_the_text_of_a_special_token_is_ordinary_text_from_the_first_count_to_the_last(
    spark: SparkSession, place: Place
) -> None:
    """Scoring, synth and the token files count it alike, and only the ends of documents are ends."""
    web = "Let x = 1 and y = 2. <|endoftext|> Then x + y = 3, which is what was to be shown."
    made = "What is 1 + 1? <|endoftext|> It is 2."
    tokenizer = open_tokenizer(place.input)
    write_documents(Path(place.input), "deduped", [Doc(f"web-{n}", web) for n in range(12)], {})
    (place.preset / "score.toml").touch()
    score_documents.run(spark, place)
    data = tables.read_bytes(f"{place.input}/tokenizer", "tokenizer.json")
    problems = synthetic_rows([example(made)], text_encoder(data)).to_pylist()
    write_table(place.input, "synthetic", problems, inputs={"tokenizer": tokenizer.digest})
    write_stages(place.preset, (200, 200, 200))
    draw_web_alone(place.preset)
    plan_mixture.run(spark, place)
    tokenize_corpus.run(spark, place)
    counts = {
        row["doc_id"]: row["token_count"]
        for table in ("scored", "synthetic")
        for row in tables.read(tables.open_table(place.input, table)).to_pylist()
    }
    written = {}
    for bucket in tables.open_table(place.output, "tokens_index").manifest.facts["buckets"]:
        for span in pq.read_table(f"{place.output}/tokens/{bucket}/spans.parquet").to_pylist():
            written[span["doc_id"]] = span["token_end"] - span["token_start"] - 1
        for document in documents_of(place.output, bucket):
            assert document[-1] == tokenizer.eod_id
            assert tokenizer.eod_id not in document[:-1]
            assert encoder(tokenizer).decode(document[:-1]) in (web, made)
    assert written == counts
    assert len(counts) == 13


def example(text: str) -> Example:
    return Example(
        doc_id="made", source="synthetic-symbolic", title="Sum", text=text, engine="symbolic",
        domain="mathematics", reasoning_depth=0.4, split="train", problem_id="p", teacher="symbolic", seed=1,
        index=0, prompt_hash="h", verdict="equal", pass_rate=1.0,
    )  # fmt: skip


def killed(*_: object) -> None:
    raise KeyboardInterrupt


def modified(root: str) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in Path(root, "tokens").rglob("*") if p.is_file()}


def test_a_second_run_writes_nothing_and_a_new_document_only_its_bucket(
    spark: SparkSession, place: Place
) -> None:
    first = tokenize_corpus.run(spark, place)
    before = modified(place.output)
    assert tokenize_corpus.run(spark, place) == first
    assert modified(place.output) == before
    write_tables(Path(place.input), MATH | {"math-new": "alpha beta"})
    tokenize_corpus.run(spark, place)
    after = modified(place.output)
    changed = {
        path.split("/tokens/")[1].rpartition("/")[0] for path in after if after[path] != before.get(path)
    }
    assert changed == {"mathematics-high-web"}
    assert len(documents_of(place.output, "mathematics-high-web")) == len(MATH) + 1


def test_a_killed_run_keeps_its_whole_shards(
    spark: SparkSession, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(tokenize_corpus, "_join", killed)
        with pytest.raises(KeyboardInterrupt):
            tokenize_corpus.run(spark, place)
    bins = {path: mtime for path, mtime in modified(place.output).items() if path.endswith((".bin", ".idx"))}
    victim = sorted(path for path in bins if "mathematics" in path and path.endswith(".bin"))[0]
    Path(victim).write_bytes(b"half")
    tokenize_corpus.run(spark, place)
    after = modified(place.output)
    assert {path for path in bins if after[path] != bins[path]} == {victim, victim.replace(".bin", ".idx")}
    assert len(documents_of(place.output, "mathematics-high-web")) == len(MATH)


def test_buckets_that_are_gone_are_deleted(spark: SparkSession, place: Place) -> None:
    tokenize_corpus.run(spark, place)
    write_documents(Path(place.input), "synthetic", [], {"tokenizer": open_tokenizer(place.input).digest})
    tokenize_corpus.run(spark, place)
    assert not Path(place.output, "tokens/science-synthetic-symbolic").exists()


def test_counts_that_differ_from_scoring_are_refused(tmp_path: Path) -> None:
    write_bpe(tmp_path)
    tokenizer = open_tokenizer(str(tmp_path))
    job = Job("tokenize", "tokens/b", "code", {}, {"documents": "2 99"})
    work = BucketWork("b", "science", "low", "web", 2, 99, 1, job)
    rows = iter([("b", 0, "one", "?"), ("b", 0, "two", "!")])
    assert list(shards.write_shards(rows, str(tmp_path), {"b": work}, tokenizer)) == [("b", 0)]
    with pytest.raises(ContractError, match="wrote 2 documents, 4 tokens; scoring counted 2, 99"):
        shards.join_shards(Place(tmp_path, str(tmp_path), str(tmp_path)), work, tokenizer)


def test_large_shards_are_placed_first_and_small_ones_share_a_task() -> None:
    shards = [("a", 0, 5), ("b", 0, 100), ("b", 1, 60), ("c", 0, 30), ("d", 0, 5)]
    assert pack(shards, 2) == [("b", 0, 0), ("b", 1, 1), ("c", 0, 1), ("a", 0, 1), ("d", 0, 1)]


def test_positions_are_uniform_and_depend_on_the_seed(spark: SparkSession) -> None:
    rows = spark.range(2_000).select(F.col("id").cast("string").alias("doc_id"))
    one, two = ([row[0] for row in rows.select(order_position(seed)).collect()] for seed in (1, 2))
    assert all(0 <= position < 1 for position in one)
    # Mean of 2,000 uniform numbers: standard error 0.0065; bounds are 4 of them.
    assert abs(sum(one) / 2_000 - 0.5) < 0.026
    assert abs(float(np.corrcoef(one, two)[0, 1])) < 0.09
