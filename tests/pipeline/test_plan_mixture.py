"""A plan over literal tables: weights, disjoint document ranges, epochs, refusals that write nothing."""

from itertools import pairwise
from math import fsum
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import ContractError, Manifest
from configs.loader import ConfigError
from pipeline import plan_mixture
from pipeline.mixture.ranges import count_chunks, find_boundaries
from pipeline.plan_mixture import stage_order
from tests.pipeline.scored_run import MIXTURE_TOML, Doc, write_bpe, write_documents, write_stages

pytestmark = pytest.mark.spark

DOCS = [
    *(Doc(f"math-{n}", "x", domain="mathematics", token_count=99) for n in range(40)),
    *(Doc(f"code-{n}", "x", domain="code", source="git", token_count=49, quality=0.0) for n in range(40)),
    *(Doc(f"news-{n}", "x", domain="news", token_count=19) for n in range(100)),
    *(Doc(f"held-{n}", "x", domain="society", token_count=999, split="heldout") for n in range(3)),
]
SYNTHETIC = [Doc(f"made-{n}", "x", domain="mathematics", source="symbolic", token_count=9) for n in range(20)]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    preset, root = tmp_path / "preset", tmp_path / "run"
    preset.mkdir()
    (preset / "mixture.toml").write_text(MIXTURE_TOML)
    write_stages(preset, (4_000, 2_000, 2_000))
    digest = write_bpe(root)
    write_documents(root, "scored", DOCS, {"tokenizer": digest})
    write_documents(root, "synthetic", SYNTHETIC, {"tokenizer": digest})
    return Place(preset, str(root), str(root))


def rows_of(root: str, stage: int) -> list[dict[str, object]]:
    table = tables.read(tables.open_table(root, f"mixtures/stage{stage}"))
    assert table is not None
    return table.to_pylist()


def manifests_of(root: str) -> list[Manifest]:
    return [tables.open_table(root, f"mixtures/stage{stage}").manifest for stage in (1, 2, 3)]


def test_plan(spark: SparkSession, place: Place) -> None:
    plan_mixture.run(spark, place)
    manifests = manifests_of(place.output)
    plans = [rows_of(place.output, stage) for stage in (1, 2, 3)]
    totals = {"mathematics-high-web": 4_000, "code-low-git": 2_000, "news-high-web": 2_000}
    for budget, plan, manifest in zip((4_000, 2_000, 2_000), plans, manifests, strict=True):
        assert abs(fsum(row["weight"] for row in plan) - 1) <= 1e-9
        for row in plan:
            assert row["epochs"] == pytest.approx(row["weight"] * budget / row["tokens"])
            tokens_each = {"mathematics": 100, "code": 50, "news": 20}[row["domain"]]
            if row["band"] != "synthetic":
                assert row["epochs"] <= 4.0
                assert row["tokens"] == tokens_each * (row["document_end"] - row["document_start"])
        assert manifest.facts["budget_tokens"] == budget
    assert {row["bucket"] for row in plans[0]} == set(totals)
    assert [row["bucket"] for row in plans[2] if row["band"] == "synthetic"] == [
        "mathematics-synthetic-symbolic"
    ]
    assert manifests[1].facts["natural_math_and_code_fraction"] == pytest.approx(0.7)
    assert manifests[2].facts["synthetic_fraction"] == pytest.approx(0.1)
    for bucket in totals:
        ranges = sorted(
            (row["document_start"], row["document_end"])
            for plan in plans
            for row in plan
            if row["bucket"] == bucket
        )
        assert all(before[1] <= after[0] for before, after in pairwise(ranges))
        assert ranges[-1][1] <= sum(doc.split == "train" for doc in DOCS)


def test_the_second_run_does_nothing_and_a_changed_budget_plans_again(
    spark: SparkSession, place: Place
) -> None:
    assert plan_mixture.run(spark, place) == manifests_of(place.output)[-1]
    first = manifests_of(place.output)
    assert plan_mixture.run(spark, place) == first[-1]
    write_stages(place.preset, (3_000, 2_000, 2_000))
    plan_mixture.run(spark, place)
    again = manifests_of(place.output)
    assert again[0].fingerprint != first[0].fingerprint
    assert again[0].facts["budget_tokens"] == 3_000


def test_a_plan_that_falls_short_writes_nothing(spark: SparkSession, place: Place) -> None:
    write_stages(place.preset, (4_000, 200_000, 2_000))
    with pytest.raises(ConfigError, match="stage 2 wants 140,000 tokens of mathematics and code"):
        plan_mixture.run(spark, place)
    assert not Path(place.output, "mixtures").exists()


def test_tokens_of_another_tokenizer_are_refused(spark: SparkSession, place: Place) -> None:
    write_documents(Path(place.input), "scored", DOCS, {"tokenizer": "another"})
    with pytest.raises(ContractError, match="counted with tokenizer another"):
        plan_mixture.run(spark, place)


def test_two_sources_of_one_bucket_name_are_refused(spark: SparkSession, place: Place) -> None:
    docs = [Doc("a", "x", source="Web 1"), Doc("b", "x", source="web-1")]
    write_documents(
        Path(place.input),
        "scored",
        docs,
        {"tokenizer": tables.open_table(place.input, "tokenizer").manifest.digest},
    )
    with pytest.raises(ContractError, match=r"'Web 1' and 'web-1'|'web-1' and 'Web 1'"):
        plan_mixture.run(spark, place)


def test_boundaries_lie_at_the_document_nearest_to_the_cut(spark: SparkSession) -> None:
    # Tokens with their ends: 10, 20, 30, 40; positions in two chunks of 256.
    rows = [
        ("b", "science", "low", "web", f"d{n}", position, tokens)
        for n, (position, tokens) in enumerate([(0.0001, 9), (0.0002, 19), (0.5001, 29), (0.5002, 39)])
    ]
    documents = spark.createDataFrame(
        rows,
        "bucket string, domain string, band string, source string, doc_id string, position double, "
        "token_count long",
    )
    buckets, chunks = count_chunks(documents)
    assert [(bucket.name, bucket.tokens) for bucket in buckets] == [("b", 100)]
    # Documents' middles lie at 5, 20, 45 and 80.
    found = find_boundaries(spark, documents, chunks, {"b": [4.9, 5.0, 19.9, 44.9, 45.0, 79.9, 100.0]})
    assert [(cut.documents, cut.tokens) for cut in found["b"]] == [
        (0, 0), (1, 10), (1, 10), (2, 30), (3, 60), (3, 60), (4, 100),
    ]  # fmt: skip


def test_stages_take_turns_at_being_first() -> None:
    orders = {stage_order(f"bucket-{n}") for n in range(50)}
    assert orders == {(0, 1, 2), (1, 2, 0), (2, 0, 1)}
