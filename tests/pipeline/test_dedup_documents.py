"""Duplicates go, with a verified neighbour named, whatever the order and partitioning of the input."""

import json
import random
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession

from configs import tables
from configs.command import Place
from configs.contract import FILTERED, TEXT_STATS, Manifest
from configs.loader import ConfigError, load
from filters.minhash import jaccard, shingles
from pipeline.dedup_documents import DedupConfig, decisions, document_keys, run, transform
from pipeline.dedup_keys import rank_of, text_key
from pipeline.near_duplicates import candidate_pairs, verified

CONFIG = DedupConfig(
    num_perm=112, bands=14, rows_per_band=8, minhash_seed=1, jaccard_threshold=0.8, max_bucket_leaders=64,
    num_parts=3, heldout_fraction=0.3, split_seed=1,
)  # fmt: skip
ZERO_STATS = {field.name: False if field.type == pa.bool_() else 0 for field in TEXT_STATS}


def words(seed: int, count: int = 200) -> list[str]:
    rng = random.Random(seed)
    return [f"w{rng.randrange(5_000)}" for _ in range(count)]


def document(doc_id: str, text: str, **columns: object) -> dict[str, object]:
    row = dict.fromkeys(FILTERED.names) | ZERO_STATS
    row |= {
        "doc_id": doc_id, "source": "web", "text": text, "kind": "html", "engine": "test", "pii_masked": 0,
        "code_seen": 0, "code_kept": 0, "math_seen": 0, "math_kept": 0, "num_chars": len(text),
        "origin": {"file": "f", "offset": 0, "length": 1},
    }  # fmt: skip
    return row | columns


def corpus() -> list[dict[str, object]]:
    """Three URLs of one page, three copies, a chain a ~ b ~ c, and documents of their own."""
    base = words(1)
    step = [*base[:8], "new", *base[9:]]  # 5 of 196 shingles replaced: Jaccard 0.95
    far = [*step[:180], *words(2, 20)]
    rows = [
        document("url-old", "first version " + " ".join(words(3)), url="http://www.a.example/x?utm_source=m"),
        document("url-new", "second version, longer " + " ".join(words(4)), url="https://a.example/x"),
        document("url-short", "third " + " ".join(words(5, 100)), url="https://a.example/x/#top"),
        document("copy-1", " ".join(words(6)), url="https://b.example/1"),
        document("copy-2", "\n".join(words(6)), url="https://c.example/2"),
        document("copy-3", "  ".join(words(6)), num_chars=1),
        document("near-a", " ".join(base) + " longest", url="https://d.example/a"),
        document("near-b", " ".join(step), url="https://e.example/b"),
        document("near-c", " ".join(far)),
    ]
    return rows + [
        document(f"own-{n}", " ".join(words(100 + n)), url=f"https://s{n}.example/") for n in range(20)
    ]


def frame(spark: SparkSession, rows: list[dict[str, object]]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema=FILTERED))


def result_of(documents: DataFrame, config: DedupConfig = CONFIG) -> dict[str, dict[str, object]]:
    decided = transform(documents, document_keys(documents, config), config)
    rows = [row.asDict(recursive=True) for row in decided.collect()]
    assert len({row["doc_id"] for row in rows}) == len(rows)
    return {row["doc_id"]: row for row in rows}


@pytest.mark.spark
def test_what_goes_and_why(spark: SparkSession) -> None:
    found = result_of(frame(spark, corpus()))
    removed = {k: (r["reject_reason"], r["duplicate_of"]) for k, r in found.items() if r["reject_reason"]}
    assert removed == {
        "url-old": ("duplicate_url", "url-new"),
        "url-short": ("duplicate_url", "url-new"),
        "copy-2": ("duplicate_exact", "copy-1"),
        "copy-3": ("duplicate_exact", "copy-1"),
        "near-b": ("duplicate_near", "near-a"),
    }  # near-c resembles near-b, which is gone, at 0.81, and near-a at 0.77 only
    texts = {row["doc_id"]: row["text"] for row in corpus()}
    similarity = jaccard(shingles(texts["near-a"]), shingles(texts["near-b"]))
    assert json.loads(found["near-b"]["measurements"]) == {"jaccard": similarity}
    assert found["copy-1"]["duplicate_urls"] == ["https://c.example/2"]
    assert found["url-new"]["cluster_id"] == "url-new"
    assert found["url-old"]["cluster_size"] == 3
    assert found["own-3"]["cluster_size"] == 1


@pytest.mark.spark
def test_order_and_partitions_do_not_matter(spark: SparkSession) -> None:
    expected = result_of(frame(spark, corpus()).repartition(1))
    shuffled = random.Random(4).sample(corpus(), len(corpus()))
    assert result_of(frame(spark, shuffled).repartition(7)) == expected
    assert {row["split"] for row in expected.values()} == {"train", "heldout"}


@pytest.mark.spark
def test_planted_pairs_are_found_as_the_formula_says(spark: SparkSession) -> None:
    """300 pairs near Jaccard 0.85: LSH finds 1 - (1 - J^8)^14 of them, and none below the threshold."""
    rows, similarities = [], []
    for n in range(300):
        base = words(1_000 + n, 120)
        changed = [*base[:40], "x", *base[41:80], "y", *base[81:]]
        rows += [document(f"{n}-a", " ".join(base) + " end of it"), document(f"{n}-b", " ".join(changed))]
        similarities.append(jaccard(shingles(rows[-2]["text"]), shingles(rows[-1]["text"])))
    similarity = np.array(similarities)
    found = result_of(frame(spark, rows))
    num_removed = sum(row["reject_reason"] == "duplicate_near" for row in found.values())
    chance = np.where(similarity >= 0.8, 1 - (1 - similarity**8) ** 14, 0.0)
    bound = 4 * np.sqrt((chance * (1 - chance)).sum())
    assert 0 < chance.sum() < 300
    assert abs(num_removed - chance.sum()) <= bound
    assert all(
        row["duplicate_of"][:-2] == row["doc_id"][:-2] for row in found.values() if row["reject_reason"]
    )


@pytest.mark.spark
def test_a_large_bucket_costs_leaders_times_its_size(spark: SparkSession) -> None:
    texts = spark.createDataFrame(
        [(f"t{n:03}", (n,), [7, 8]) for n in range(100)],
        "text_key string, rank struct<n: int>, bands array<bigint>",
    )
    pairs = [tuple(row) for row in candidate_pairs(texts, 3).collect()]
    assert len(pairs) == len(set(pairs)) == 99 + 98 + 97
    assert {better for better, _ in pairs} == {"t000", "t001", "t002"}
    assert candidate_pairs(texts, 100).count() == 100 * 99 // 2


def test_candidates_below_the_threshold_are_dropped() -> None:
    a, b = (np.arange(start, start + 10, dtype=np.uint64).tobytes() for start in (0, 2))  # 8 of 12 in common
    pairs = {"better": ["p", "p"], "worse": ["q", "r"], "better_shingles": [a, a], "worse_shingles": [b, a]}
    assert verified(pa.RecordBatch.from_pydict(pairs), 0.7).to_pydict() == {
        "better": ["p"], "worse": ["r"], "jaccard": [1.0],
    }  # fmt: skip
    assert verified(pa.RecordBatch.from_pydict(pairs), 8 / 12).num_rows == 2


def test_keeper_order() -> None:
    """Completeness before repetition before length before age before id."""

    def rank(doc_id: str = "a", **columns: object) -> tuple[object, ...]:
        return tuple(rank_of(document(doc_id, "x" * 100) | columns).values())

    old, new = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
    ordered = [
        rank(num_chars=900, fetched_at=old, math_seen=4, math_kept=4),
        rank(num_chars=900, fetched_at=new),
        rank(num_chars=900),
        rank(num_chars=800, fetched_at=old),
        rank("b", num_chars=800, fetched_at=old),
        rank(num_chars=999, fetched_at=old, duplicate_line_char_fraction=0.2),
        rank(num_chars=9_999, fetched_at=old, math_seen=4, math_kept=2),
    ]
    assert ordered == sorted(ordered)
    assert rank(duplicate_line_char_fraction=0.02) == rank()  # noise


def test_text_key_ignores_white_space_only() -> None:
    assert text_key(" a\n\tb ") == text_key("a b") != text_key("A b")


def test_clusters_may_span_batches() -> None:
    rank = {"lost_fraction": 0.0, "repeated_fraction": 0.0, "minus_num_chars": -1, "fetched_us": 0}
    rows = [
        {
            "doc_id": name, "url": None, "canonical_url": None, "domain": "", "text_key": "t",
            "cluster": cluster, "rank": rank | {"doc_id": name}, "near_texts": None,
        }
        for name, cluster in (("a", "x"), ("b", "x"), ("c", "y"), ("d", "y"))
    ]  # fmt: skip
    batches = [pa.RecordBatch.from_pylist([row]) for row in rows]
    decided = [row for batch in decisions(iter(batches), CONFIG) for row in batch.to_pylist()]
    assert [(row["doc_id"], row["duplicate_of"]) for row in decided] == [
        ("a", None),
        ("b", "a"),
        ("c", None),
        ("d", "c"),
    ]


@pytest.mark.spark
def test_run_accounts_for_every_row(spark: SparkSession, tmp_path: Path) -> None:
    root = str(tmp_path)
    part = tables.write_part(
        f"{root}/filtered", pa.Table.from_pylist(corpus(), schema=FILTERED), FILTERED, "web"
    )
    tables.commit(root, Manifest("filtered", "filter", "mark", "digest", (part,), 29, 29))
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "dedup.toml").write_text(
        "\n".join(f"{key} = {json.dumps(value)}" for key, value in CONFIG.model_dump().items())
    )
    place = Place(tmp_path / "p", root, root)
    manifest = run(spark, place)
    assert (manifest.rows_in, sum(manifest.rejected.values()) + manifest.rows_out) == (29, 29)
    assert manifest.rejected["duplicate_exact"] == 2
    rejects = tables.read(tables.open_table(root, "deduped_rejects")).to_pylist()
    assert {row["doc_id"] for row in rejects} > {"url-old", "copy-2", "near-b"}
    assert run(spark, place) == manifest
    redone = run(spark, Place(tmp_path / "p", root, root, overwrite=True))
    assert redone.digest == manifest.digest


def test_bands_must_fit_the_signature(tmp_path: Path) -> None:
    values = CONFIG.model_dump() | {"bands": 15}
    (tmp_path / "dedup.toml").write_text("\n".join(f"{key} = {json.dumps(v)}" for key, v in values.items()))
    with pytest.raises(ConfigError, match="bands x rows_per_band must be at most num_perm 112"):
        load(tmp_path, "dedup", DedupConfig)
