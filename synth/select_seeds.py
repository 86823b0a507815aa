"""Documents of the scored table that are worth an analysis (data A of [2.1], arXiv 2505.07608).

One pass over the table; the chosen passages are held in memory: num_seeds x max_passage_chars bytes and more.
"""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

from configs import tables
from configs.tables import hash_json
from synth.config import SeedConfig

COLUMNS = ("doc_id", "source", "title", "text", "licence", "domain", "reasoning_depth", "split")

# [2.1] takes STEM text; these are the contract's domains that are.
STEM_DOMAINS = ("mathematics", "code", "science", "technology")


@dataclass(frozen=True)
class Seed:
    """A passage to analyse and the document that it is from."""

    doc_id: str
    title: str | None
    passage: str
    licence: str | None
    domain: str


def select_seeds(table: tables.Table, config: SeedConfig, seed: int) -> list[Seed]:
    """The deepest STEM documents of the training split, ties in an order drawn by `seed`; sorted by depth."""
    best = heapq.nsmallest(
        config.num_seeds, _candidates(table, config, seed), key=lambda candidate: candidate[:2]
    )
    return [chosen for _, _, chosen in best]


def _candidates(table: tables.Table, config: SeedConfig, seed: int) -> Iterator[tuple[float, str, Seed]]:
    for batch in table.batches(COLUMNS):
        for row in batch.to_pylist():
            is_deep = row["reasoning_depth"] >= config.min_reasoning_depth
            if is_deep and row["split"] == "train" and row["domain"] in STEM_DOMAINS:
                passage = row["text"][: config.max_passage_chars]
                chosen = Seed(row["doc_id"], row["title"], passage, row["licence"], row["domain"])
                yield -row["reasoning_depth"], hash_json([seed, row["doc_id"]]), chosen
