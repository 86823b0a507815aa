"""Duplicates go, with a verified neighbour named, whatever the order and partitioning of the input."""

import json
import logging
import random
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from filters.minhash import jaccard, shingles
from pipeline.dedup import clusters
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.find_duplicates import guard_sources
from pipeline.dedup.keepers import heldout_by_hash
from pipeline.dedup.pairs import candidate_pairs, verified
from pipeline.dedup.signatures import keep_signatures
from pipeline.dedup_documents import run
from pipeline.spark.tables import part_shards
from tests.pipeline.dedup_corpus import (
    CONFIG,
    corpus,
    document,
    outcome_of,
    place_of,
    words,
    write_filtered,
    write_preset,
)


def test_tasks_follow_the_bytes_of_the_input() -> None:
    config = CONFIG.model_copy(update={"bytes_per_task": 100})
    assert [config.num_tasks(num_bytes) for num_bytes in (0, 1, 100, 101, 1_000)] == [1, 1, 1, 2, 10]


@pytest.fixture(scope="module")
def found(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    """The outcome of the corpus, written as one part and decided in one round."""
    return outcome_of(spark, tmp_path_factory.mktemp("one"), corpus())


@pytest.mark.spark
def test_what_goes_and_why(found: dict[str, dict[str, object]]) -> None:
    removed = {k: (r["reject_reason"], r["duplicate_of"]) for k, r in found.items() if r["reject_reason"]}
    assert removed == {
        "url-old": ("duplicate_url", "url-new"),
        "url-short": ("duplicate_url", "url-new"),
        "copy-2": ("duplicate_exact", "copy-1"),
        "copy-3": ("duplicate_exact", "copy-1"),
        "near-b": ("duplicate_near", "near-a"),
        "near-d": ("duplicate_near", "near-a"),
    }  # near-c resembles near-b, which is gone, at 0.81, and near-a at 0.77 only
    texts = {row["doc_id"]: row["text"] for row in corpus()}
    similarity = jaccard(shingles(texts["near-a"]), shingles(texts["near-b"]))
    assert json.loads(found["near-b"]["measurements"]) == {"jaccard": similarity}
    assert found["copy-2"]["measurements"] is None
    assert found["copy-1"]["duplicate_urls"] == ["https://c.example/2"]
    assert found["url-new"]["duplicate_urls"] == [
        "http://www.a.example/x?utm_source=m",
        "https://a.example/x/#top",
    ]
    assert found["near-a"]["duplicate_domains"] == ["a.b.example", "e.example"]
    assert found["own-3"]["duplicate_urls"] == found["own-3"]["duplicate_domains"] == []
    sizes = {name: (found[name]["cluster_id"], found[name]["cluster_size"]) for name in ("url-old", "own-3")}
    assert sizes == {"url-old": ("url-new", 3), "own-3": ("own-3", 1)}
    assert {found[name]["cluster_id"] for name in ("near-a", "near-b", "near-c")} == {"near-a"}


@pytest.mark.spark
def test_order_partitions_and_rounds_do_not_matter(
    spark: SparkSession, tmp_path: Path, found: dict[str, dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven parts in another order, three and four documents of a cluster in two rounds; one URL listed."""
    monkeypatch.setattr(clusters, "MAX_LISTED", 1)
    shuffled = random.Random(4).sample(corpus(), len(corpus()))
    small_rounds = CONFIG.model_copy(update={"max_round_documents": 2})
    other = outcome_of(spark, tmp_path, *(shuffled[n::7] for n in range(7)), config=small_rounds)
    cut = [
        row | {key: row[key][:1] for key in ("duplicate_urls", "duplicate_domains")} for row in found.values()
    ]
    assert other == {row["doc_id"]: row for row in cut}
    assert other["url-new"]["duplicate_urls"] == ["http://www.a.example/x?utm_source=m"]


@pytest.mark.spark
def test_clusters_are_held_out_whole(found: dict[str, dict[str, object]]) -> None:
    """If any kept document's site is: near-a and near-c stay, of which near-c is its own site."""
    splits: dict[object, set[object]] = {}
    for row in found.values():
        splits.setdefault(row["cluster_id"], set()).add(row["split"])
    assert all(len(of_cluster) == 1 for of_cluster in splits.values())
    assert {split for of_cluster in splits.values() for split in of_cluster} == {"train", "heldout"}
    is_heldout = heldout_by_hash(CONFIG.split_seed, CONFIG.heldout_fraction)
    kept = {"near-a": is_heldout("d.example") or is_heldout("near-c"), "own-0": is_heldout("s0.example")}
    assert {name: found[name]["split"] == "heldout" for name in kept} == kept


@pytest.mark.spark
def test_planted_pairs_are_found_as_the_formula_says(spark: SparkSession, tmp_path: Path) -> None:
    """300 pairs near Jaccard 0.84: LSH finds 1 - (1 - J^16)^4 of them, and none below the threshold."""
    rows, similarities = [], []
    for n in range(300):
        base = words(1_000 + n, 120)
        changed = [*base[:40], "x", *base[41:80], "y", *base[81:]]
        rows += [document(f"{n}-a", " ".join(base) + " end of it"), document(f"{n}-b", " ".join(changed))]
        similarities.append(jaccard(shingles(rows[-2]["text"]), shingles(rows[-1]["text"])))
    similarity = np.array(similarities)
    few_bands = CONFIG.model_copy(update={"bands": 4, "rows_per_band": 16})
    found = outcome_of(spark, tmp_path, rows, config=few_bands)
    num_removed = sum(row["reject_reason"] == "duplicate_near" for row in found.values())
    chance = np.where(similarity >= 0.8, 1 - (1 - similarity**16) ** 4, 0.0)
    bound = 4 * np.sqrt((chance * (1 - chance)).sum())
    assert 0 < chance.sum() < 270
    assert abs(num_removed - chance.sum()) <= bound
    assert all(
        row["duplicate_of"][:-2] == row["doc_id"][:-2] for row in found.values() if row["reject_reason"]
    )


@pytest.mark.spark
def test_a_large_bucket_costs_leaders_times_its_size(spark: SparkSession) -> None:
    texts = spark.createDataFrame(
        [(f"t{n:03}", (n, f"d{n:03}"), [7, 8]) for n in range(100)],
        "text_key string, rank struct<n: int, doc_id: string>, bands array<bigint>",
    )
    pairs = [tuple(row) for row in candidate_pairs(texts, 3).collect()]
    assert len(pairs) == len(set(pairs)) == 99 + 98 + 97
    assert {better for better, *_ in pairs} == {"t000", "t001", "t002"}
    assert ("t001", "t099", "d001", "d099") in pairs
    assert candidate_pairs(texts, 100).count() == 100 * 99 // 2


def test_candidates_below_the_threshold_are_dropped() -> None:
    a, b = (np.arange(start, start + 10, dtype=np.uint64).tobytes() for start in (0, 2))  # 8 of 12 in common
    pairs = {"better": ["p", "p"], "worse": ["q", "r"], "better_shingles": [a, a], "worse_shingles": [b, a]}
    assert verified(pa.RecordBatch.from_pydict(pairs), 0.7).to_pydict() == {
        "better": ["p"], "worse": ["r"], "jaccard": [1.0],
    }  # fmt: skip
    assert verified(pa.RecordBatch.from_pydict(pairs), 8 / 12).num_rows == 2


@pytest.mark.spark
def test_a_source_that_would_vanish_stops_the_job(spark: SparkSession) -> None:
    rows = [("mirror", "duplicate_near")] * 19 + [("mirror", None)] + [("own", None)] * 30
    rows += [("tiny", "duplicate_url")] * 9
    outcome = spark.createDataFrame(rows, "source string, reject_reason string")
    guarded = CONFIG.model_copy(update={"max_source_loss_fraction": 0.94, "min_guarded_documents": 10})
    with pytest.raises(ContractError, match="source 'mirror' would lose 19 of its 20 documents, more than"):
        guard_sources(outcome, guarded)
    guard_sources(outcome, guarded.model_copy(update={"max_source_loss_fraction": 0.95}))
    with pytest.raises(ContractError, match="source 'tiny' would lose 9 of its 9"):
        guard_sources(outcome, guarded.model_copy(update={"min_guarded_documents": 9}))


@pytest.mark.spark
def test_ids_must_be_unique(spark: SparkSession, tmp_path: Path) -> None:
    twice = [document("a", "one text"), document("b", "two texts"), document("a", "three texts")]
    with pytest.raises(ContractError, match="1 rows repeat a doc_id, 'a' occurs 2 times"):
        outcome_of(spark, tmp_path, twice)


@pytest.mark.spark
def test_a_run_accounts_for_every_row(spark: SparkSession, tmp_path: Path) -> None:
    write_filtered(tmp_path, corpus())
    place = Place(write_preset(tmp_path / "p"), str(tmp_path), str(tmp_path))
    manifest = run(spark, place)
    assert (manifest.rows_in, sum(manifest.rejected.values()) + manifest.rows_out) == (30, 30)
    assert manifest.rejected["duplicate_exact"] == 2
    rejects = tables.read(tables.open_table(str(tmp_path), "deduped_rejects")).to_pylist()
    assert {row["doc_id"] for row in rejects} > {"url-old", "copy-2", "near-b"}
    assert run(spark, place) == manifest


@pytest.mark.spark
def test_signatures_are_kept(spark: SparkSession, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A new part costs its own signatures alone; a cut file is made again; other settings start afresh."""
    caplog.set_level(logging.INFO)
    first, later = corpus()[:20], corpus()[20:]

    def made(*parts: list[dict[str, object]], config: DedupConfig = CONFIG) -> str:
        """Which of the parts were computed: "1 of 2 shards to do"; empty if none was."""
        caplog.clear()
        keys = keep_signatures(
            spark, place_of(tmp_path), part_shards(write_filtered(tmp_path, *parts)), config
        )
        assert keys.count() == sum(map(len, parts))
        told = [m for m in caplog.messages if m.startswith("signatures: ") and " to do" in m]
        return told[0].removeprefix("signatures: ").partition(",")[0] if told else ""

    assert made(first) == "1 of 1 shards to do"
    [kept] = (tmp_path / "signatures" / "data").iterdir()
    assert made(first, later) == "1 of 2 shards to do"
    kept.write_bytes(kept.read_bytes()[:-9])
    assert made(first, later) == "1 of 2 shards to do"
    assert made(later) == ""
    assert made(later, config=CONFIG.model_copy(update={"bands": 21})) == "1 of 1 shards to do"
    assert not kept.exists()
