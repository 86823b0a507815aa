"""Scored rows: every deduped row with its tags and its number of tokens, made once."""

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.loader import ConfigError
from configs.tokens.encoding import encode
from filters import taggers
from pipeline import score_documents
from pipeline.score_documents import load_taggers
from pipeline.tokens.tokenizer import encoder, open_tokenizer
from tests.pipeline.scored_run import Doc, write_bpe, write_documents

pytestmark = pytest.mark.spark

PROOF = "Theorem. If $n$ is even then $n^2$ is even. Proof. Let $n = 2k$. Then $n^2 = 2(2k^2)$, hence even."
DOCS = [
    Doc("proof", PROOF, source="books"),
    Doc("shop", "Buy now, free shipping on all orders. Add to cart.", split="heldout"),
    Doc("quote", "it ends with <|endoftext|>"),
]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    preset, root = tmp_path / "preset", tmp_path / "run"
    preset.mkdir()
    (preset / "score.toml").touch()
    write_bpe(root)
    write_documents(root, "deduped", DOCS, {})
    return Place(preset, str(root), str(root))


def test_every_row_is_tagged_and_counted(spark: SparkSession, place: Place) -> None:
    manifest = score_documents.run(spark, place)
    rows = tables.read(tables.open_table(place.output, "scored"))
    assert rows is not None
    by_id = {row["doc_id"]: row for row in rows.to_pylist()}
    assert set(by_id) == {"proof", "shop", "quote"}
    tokenizer, tagger = open_tokenizer(place.input), taggers.load()
    for doc in DOCS:
        row, scores = by_id[doc.doc_id], tagger.score(doc.text)
        assert (row["domain"], row["quality"], row["knowledge_density"], row["reasoning_depth"]) == scores
        [ids] = encode(encoder(tokenizer), [doc.text])
        assert row["token_count"] == len(ids)
        assert tokenizer.eod_id not in ids
        assert (row["source"], row["split"]) == (doc.source, doc.split)
    assert by_id["proof"]["domain"] == "mathematics"
    assert manifest.facts == {"tagger_hash": tagger.model_hash, "tokenizer_hash": tokenizer.hash}
    assert manifest.inputs["tokenizer"] == tokenizer.digest


def test_the_second_run_keeps_the_parts_and_a_new_part_is_scored_alone(
    spark: SparkSession, place: Place
) -> None:
    first = score_documents.run(spark, place)
    parts = set(tables.open_table(place.output, "scored").parts)
    assert score_documents.run(spark, place) == first
    write_documents(Path(place.input), "deduped", [*DOCS, Doc("new", "x", source="late")], {})
    second = score_documents.run(spark, place)
    assert second.rows_out == 4
    assert parts < set(tables.open_table(place.output, "scored").parts)


def test_missing_models_are_refused_before_any_work(
    spark: SparkSession, place: Place, tmp_path: Path
) -> None:
    (place.preset / "score.toml").write_text(f'taggers = "{tmp_path}"')
    with pytest.raises(ConfigError, match=r"score\.toml: taggers: .*card\.json"):
        score_documents.run(spark, place)
    assert not Path(place.output, "scored").exists()


def test_taggers_may_lie_in_an_object_store(bucket: str) -> None:
    for path in taggers.shipped().iterdir():
        if path.is_file():
            tables.write_bytes(f"{bucket}/models", path.name, path.read_bytes())
    found, shipped = load_taggers(f"{bucket}/models"), load_taggers(None)
    assert found.model_hash == shipped.model_hash
    assert found.score_many(["A proof by induction."]) == shipped.score_many(["A proof by induction."])
    with pytest.raises(ValueError, match=r"card\.json"):
        load_taggers(f"{bucket}/none")
