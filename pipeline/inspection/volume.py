"""Measure how much text every table keeps and rejects, in words, and the ratio of tokens to words.

Words are the column `num_words` of kept rows, and `num_words` in the recorded measurements of rejects; tables
before `filtered` have no word counts. Cost: reading one column of at most `max_parts` parts per table. If a
table has more parts, its sums are scaled up by the number of rows, and `is_exact` is False.
"""

import json
from collections import Counter
from dataclasses import dataclass

from configs import tables
from pipeline.inspection.run_tables import chosen_parts

_TABLES = ("filtered", "deduped", "scored", "synthetic")
_BEFORE = {"deduped": "filtered", "scored": "deduped"}


@dataclass(frozen=True)
class Volume:
    """Number of words in one table's rows, and in its rejects by reason."""

    words_in: float | None
    """Words that the table before kept, else words kept and rejected; None if some rejects have no count."""
    words_out: float
    words_rejected: dict[str, float]
    is_exact: bool


def volumes(root: str, max_parts: int | None = None) -> dict[str, Volume]:
    """Return the volume of every existing table that has word counts."""
    found = {}
    for table in _TABLES:
        if tables.read_manifest(root, table) is None:
            continue
        words, is_exact = column_sum(root, table, "num_words", max_parts)
        rejected, all_rejects = _rejected_words(root, f"{table}_rejects", max_parts)
        before = found.get(_BEFORE.get(table, ""))
        words_in = None if before is None else before.words_out
        manifest = tables.read_manifest(root, table)
        if words_in is None and manifest is not None and rejected.keys() == manifest.rejected.keys():
            words_in = words + sum(rejected.values())
        found[table] = Volume(words_in, words, rejected, is_exact and all_rejects)
    return found


def tokens_per_word(root: str, max_parts: int | None = None) -> float | None:
    """Return the ratio of tokens to words in `scored`; None if it does not exist or is empty."""
    if tables.read_manifest(root, "scored") is None:
        return None
    tokens, _ = column_sum(root, "scored", "token_count", max_parts)
    words, _ = column_sum(root, "scored", "num_words", max_parts)
    return tokens / words if words else None


def column_sum(root: str, table: str, column: str, max_parts: int | None = None) -> tuple[float, bool]:
    """Return the sum of a numeric column, and whether every part was read."""
    opened = tables.open_table(root, table)
    paths = chosen_parts(opened, 0, max_parts)
    total, rows = 0.0, 0
    for path in paths:
        for batch in tables.read_part(path, [column], tables.SHORT_BATCH_ROWS):
            total += float(batch[column].to_numpy().sum())
            rows += batch.num_rows
    scale = opened.manifest.rows_out / rows if rows else 1.0
    return total * scale, len(paths) == len(opened.parts)


def _rejected_words(root: str, table: str, max_parts: int | None) -> tuple[dict[str, float], bool]:
    if tables.read_manifest(root, table) is None:
        return {}, False
    opened = tables.open_table(root, table)
    paths = chosen_parts(opened, 0, max_parts)
    words: Counter[str] = Counter()
    rows = 0
    for path in paths:
        for batch in tables.read_part(path, ["reject_reason", "measurements"], tables.SHORT_BATCH_ROWS):
            rows += batch.num_rows
            for row in batch.to_pylist():
                measured = json.loads(row["measurements"] or "{}")
                if "num_words" in measured:
                    words[row["reject_reason"]] += measured["num_words"]
    scale = opened.manifest.rows_out / rows if rows else 1.0
    return {reason: number * scale for reason, number in words.items()}, len(paths) == len(opened.parts)
