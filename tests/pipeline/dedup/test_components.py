"""Components equal scipy's, on shapes that are hard for label propagation, in few rounds."""

import random
import tempfile
from itertools import pairwise

import numpy as np
import pytest
from pyspark.sql import SparkSession
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components as scipy_components

from pipeline.dedup import components as module
from pipeline.dedup.components import connected_components
from pipeline.spark.states import keep_under

pytestmark = pytest.mark.spark


def components_of(spark: SparkSession, edges: list[tuple[str, str]]) -> dict[str, str]:
    links = spark.createDataFrame(edges, "a string, b string")
    with tempfile.TemporaryDirectory() as root:
        rows = connected_components(links, keep_under(root, "dedup")).collect()
    found = {row.vertex: row.component for row in rows}
    assert len(found) == len(rows)
    return found


def expected(edges: list[tuple[str, str]]) -> dict[str, str]:
    names = sorted({name for edge in edges for name in edge})
    place = {name: n for n, name in enumerate(names)}
    a, b = (np.array([place[edge[side]] for edge in edges]) for side in (0, 1))
    _, labels = scipy_components(
        coo_array((np.ones(len(edges)), (a, b)), shape=(len(names),) * 2), directed=False
    )
    least: dict[int, str] = {}
    for name, label in zip(names, labels, strict=True):
        least.setdefault(label, name)
    return {name: least[label] for name, label in zip(names, labels, strict=True)}


def test_chain_star_cycle_loop_and_repeats(spark: SparkSession) -> None:
    order = random.Random(3).sample(range(60), 60)
    chain = [(f"c{a:02}", f"c{b:02}") for a, b in pairwise(order)]
    star = [("s99", f"s{n:02}") for n in range(20)]
    cycle = [(f"r{n}", f"r{(n + 1) % 7}") for n in range(7)]
    edges = [*chain, *star, *cycle, ("loop", "loop"), ("x", "y"), ("y", "x"), ("x", "y")]
    found = components_of(spark, edges)
    assert found == expected(edges)
    assert {found["c59"], found["s99"], found["r6"], found["loop"], found["y"]} == {
        "c00",
        "s00",
        "r0",
        "loop",
        "x",
    }


def test_random_graph_equals_scipy(spark: SparkSession) -> None:
    rng = random.Random(11)
    edges = [(f"v{rng.randrange(400):03}", f"v{rng.randrange(400):03}") for _ in range(260)]
    found = components_of(spark, edges)
    assert found == expected(edges)
    assert 20 < len(set(found.values())) < len(found)


def test_a_chain_of_ten_thousand_settles(spark: SparkSession) -> None:
    """In random order of names: the slowest shape there is."""
    order = random.Random(5).sample(range(10_000), 10_000)
    found = components_of(spark, [(f"v{a:04}", f"v{b:04}") for a, b in pairwise(order)])
    assert len(found) == 10_000
    assert set(found.values()) == {"v0000"}


def test_no_edges(spark: SparkSession) -> None:
    assert components_of(spark, []) == {}


def test_not_settling_is_an_error(spark: SparkSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ROUNDS", 1)
    with pytest.raises(RuntimeError, match="did not converge in 1 rounds"):
        components_of(spark, [("a", "b"), ("b", "c"), ("c", "d")])
