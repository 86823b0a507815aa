"""Connected components in Spark by alternating large-star and small-star; no row reaches the driver.

1. large-star: every vertex links its larger neighbours to the least vertex of its neighbourhood.
2. small-star: every vertex links its smaller neighbours, and itself, to the least of them.
3. This repeats until nothing changes. Then every vertex is linked only to the least vertex of its component.

Cost: O(log^2 V) rounds are proven, O(log V) were observed; each round takes three shuffles of the edges
(Kiveris et al. 2014).
"""

import logging

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from pipeline.spark.states import Keep

logger = logging.getLogger(__name__)

# Our choice: chains are the slowest graphs. A chain of 1,000 vertices takes 11 rounds, one of 100,000 takes
# 18.
MAX_ROUNDS = 60


def connected_components(edges: DataFrame, keep: Keep) -> DataFrame:
    """Return (vertex, component) of every vertex in `edges` (a, b); the component is its least vertex.

    Edges may repeat in either direction and may be loops. Raises RuntimeError if the rounds do not converge.
    """
    links = keep(
        edges.select(F.greatest("a", "b").alias("vertex"), F.least("a", "b").alias("root")).distinct()
    )
    digest = _digest(links)
    for number in range(1, MAX_ROUNDS + 1):
        links = keep(_small_star(_large_star(links)))
        previous, digest = digest, _digest(links)
        if digest == previous:
            logger.info("components: %s links, converged after %d rounds", f"{digest[0]:,}", number)
            return _labelled(links)
    raise RuntimeError(f"components did not converge in {MAX_ROUNDS} rounds of {digest[0]} links")


def _large_star(links: DataFrame) -> DataFrame:
    both = links.select(F.col("vertex").alias("u"), F.col("root").alias("v")).union(
        links.select(F.col("root").alias("u"), F.col("vertex").alias("v"))
    )
    least = F.least("u", F.min("v").over(Window.partitionBy("u")))
    # Loops (u = v) keep a vertex without other neighbours in the graph.
    return (
        both.select("u", "v", least.alias("root"))
        .where("v > u or (v = u and root = u)")
        .select(F.col("v").alias("vertex"), "root")
    )


def _small_star(links: DataFrame) -> DataFrame:
    least = F.min("root").over(Window.partitionBy("vertex"))
    starred = links.select("vertex", "root", least.alias("least"))
    vertices = starred.select("vertex", F.col("least").alias("root"))
    roots = starred.where("root > least").select(F.col("root").alias("vertex"), F.col("least").alias("root"))
    return vertices.union(roots).distinct()


def _digest(links: DataFrame) -> tuple[int, int]:
    """Return the number of links and the sum of their hashes; only equal links have equal digests.

    Hash collisions are neglected.
    """
    hashes = F.sum(F.xxhash64("vertex", "root").cast("decimal(38,0)"))
    [row] = links.agg(F.count("*").alias("links"), hashes.alias("hashes")).collect()
    return row.links, int(row.hashes or 0)


def _labelled(links: DataFrame) -> DataFrame:
    roots = links.select(F.col("root").alias("vertex"), F.col("root").alias("component")).distinct()
    members = links.where("vertex > root").select("vertex", F.col("root").alias("component"))
    return members.union(roots)
