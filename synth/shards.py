"""A shard of the synthetic table: its parts, and the record that is written when they are complete.

A run that was killed finds the records and does only the other shards; a record counts if it was made by the
same code and config and its parts are all there.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

from tokenizers import Tokenizer

from configs import tables
from configs.contract import REJECTS, SYNTHETIC, Part
from synth.rows import reject_rows, synthetic_rows
from synth.solve_problems import Solved

TABLE = "synthetic"


@dataclass(frozen=True)
class Shard:
    """One unit of work and its result's fingerprint."""

    name: str
    indices: range
    mark: str


@dataclass
class Progress:
    """What the finished shards add up to."""

    parts: list[Part] = field(default_factory=list)
    reject_parts: list[Part] = field(default_factory=list)
    rejected: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    """documents, tokens, characters, planted errors"""
    seen: dict[str, str] = field(default_factory=dict)

    def add(self, record: dict[str, object]) -> None:
        """Count one shard's record."""
        self.parts += [Part(**part) for part in record["parts"]]  # type: ignore[attr-defined]
        self.reject_parts += [Part(**part) for part in record["reject_parts"]]  # type: ignore[attr-defined]
        self.rejected.update(record["rejected"])  # type: ignore[call-overload]
        self.counts.update(record["counts"])  # type: ignore[call-overload]
        self.seen.update(record["first_seen"])  # type: ignore[call-overload]


def write_shard(root: str, shard: Shard, solved: Solved, tokenizer: Tokenizer) -> dict[str, object]:
    """Write a shard's parts, then its record."""
    folder = tables.table_path(root, TABLE)
    parts, reject_parts, num_tokens = [], [], 0
    if solved.examples:
        rows = synthetic_rows(solved.examples, tokenizer)
        num_tokens = sum(rows["token_count"].to_pylist())
        parts.append(tables.write_part(folder, rows, SYNTHETIC, solved.examples[0].source, shard.name))
    if solved.rejects:
        rows = reject_rows(solved.rejects)
        reject_parts.append(
            tables.write_part(f"{folder}_rejects", rows, REJECTS, solved.rejects[0].source, shard.name)
        )
    record: dict[str, object] = {
        "mark": shard.mark,
        "parts": [asdict(part) for part in parts],
        "reject_parts": [asdict(part) for part in reject_parts],
        "rejected": Counter(reject.reason for reject in solved.rejects),
        "first_seen": solved.first_seen,
        "counts": {
            "documents": len(solved.examples),
            "tokens": num_tokens,
            "characters": sum(len(example.text) for example in solved.examples),
            "planted_errors": solved.num_planted,
        },
    }
    tables.write_bytes(folder, f"shards/{shard.name}.json", json.dumps(record).encode())
    return record


def finished_shard(root: str, shard: Shard) -> dict[str, object] | None:
    """The record of a shard made by this code and config, if its parts are all there."""
    folder = tables.table_path(root, TABLE)
    try:
        record: dict[str, object] = json.loads(tables.read_bytes(folder, f"shards/{shard.name}.json"))
    except (FileNotFoundError, ValueError):
        return None
    if record["mark"] != shard.mark:
        return None
    for place, key in ((folder, "parts"), (f"{folder}_rejects", "reject_parts")):
        fs, base = tables.filesystem(place)
        for part in record[key]:  # type: ignore[attr-defined]
            info = fs.get_file_info(f"{base}/{part['path']}")
            if not info.is_file or info.size != part["num_bytes"]:
                return None
    return record
