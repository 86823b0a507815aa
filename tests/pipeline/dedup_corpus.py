"""A small corpus with every kind of duplicate, as `filtered` rows, for the tests of deduplication."""

import json
import random
from pathlib import Path

from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from pipeline.dedup.config import DedupConfig
from pipeline.dedup.find_duplicates import find_duplicates
from pipeline.spark.tables import part_shards, read_table
from tests.run_tables import write_table

CONFIG = DedupConfig(
    bands=20, rows_per_band=7, minhash_seed=1, jaccard_threshold=0.8, max_bucket_leaders=64,
    max_round_documents=1_000, min_guarded_documents=1, bytes_per_task=10_000,
    heldout_fraction=0.3, split_seed=1,
)  # fmt: skip


def words(seed: int, count: int = 200) -> list[str]:
    """`count` made-up words."""
    rng = random.Random(seed)
    return [f"w{rng.randrange(5_000)}" for _ in range(count)]


def document(doc_id: str, text: str, **columns: object) -> dict[str, object]:
    """What a row of `filtered` says."""
    return {"doc_id": doc_id, "source": "web", "url": None, "text": text, "num_chars": len(text)} | columns


def corpus() -> list[dict[str, object]]:
    """Three URLs of one page, three copies, a chain a ~ b ~ c, d close to a, and documents of their own."""
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
        document("near-d", " ".join([*base[:150], "d", *base[151:]]), url="https://a.b.example/d"),
    ]
    return rows + [
        document(f"own-{n}", " ".join(words(100 + n)), url=f"https://s{n}.example/") for n in range(20)
    ]


def write_filtered(root: Path, *parts: list[dict[str, object]]) -> tables.Table:
    """Commit the rows as `filtered`, one part for each list."""
    write_table(root, "filtered", *parts)
    return tables.open_table(str(root), "filtered")


def place_of(root: Path) -> Place:
    """A place that reads and writes this root; its preset is nowhere."""
    return Place(root, str(root), str(root))


def outcome_of(
    spark: SparkSession, root: Path, *parts: list[dict[str, object]], config: DedupConfig = CONFIG
) -> dict[str, dict[str, object]]:
    """doc_id -> row of the outcome, for rows given part by part."""
    filtered = write_filtered(root, *parts)
    documents = read_table(spark, filtered, ("doc_id", "text"))
    outcome = find_duplicates(spark, place_of(root), part_shards(filtered), documents, config)
    rows = [row.asDict(recursive=True) for row in outcome.collect()]
    assert len({row["doc_id"] for row in rows}) == len(rows) == sum(map(len, parts))
    return {row["doc_id"]: row for row in rows}


def write_preset(folder: Path, config: DedupConfig = CONFIG) -> Path:
    """A preset with dedup.toml alone."""
    folder.mkdir()
    lines = (f"{key} = {json.dumps(value)}" for key, value in config.model_dump(exclude_none=True).items())
    (folder / "dedup.toml").write_text("\n".join(lines))
    return folder
