"""Rows of the synthetic table and of its rejects, every column of the contract filled.

What a crawled document gets by measurement and a synthetic one by definition is said here: language, licence,
duplicates, scores.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pyarrow as pa
from tokenizers import Tokenizer

from configs.contract import REJECTS, SYNTHETIC, excerpt
from configs.tables import hash_json
from configs.tokens.encoding import encode
from filters.decontaminate import Index, contaminated_by
from filters.measure.stats import measure

LICENCE = "Apache-2.0"  # the families and their wordings are ours

# Our choice, by definition, on the rubric's scale of 0 to 5 divided by 5. Checked solutions are careful
# writing (4) of solid content (3). Depth follows the level: one step (2), a short worked solution (3), a
# derivation (4).
QUALITY = 0.8
KNOWLEDGE_DENSITY = 0.6
REASONING_DEPTH = {1: 0.4, 2: 0.6, 3: 0.8}
ANALYSIS_REASONING_DEPTH = 0.8


@dataclass(frozen=True)
class Example:
    """One synthetic document and where it comes from."""

    doc_id: str
    source: str
    title: str
    text: str
    engine: str
    domain: str
    reasoning_depth: float
    split: str
    problem_id: str
    teacher: str
    seed: int
    index: int
    prompt_hash: str
    verdict: str
    pass_rate: float
    """Share of the teacher's samples that were right; 0 where nothing can be checked."""
    source_doc_id: str | None = None
    licence: str | None = LICENCE


@dataclass(frozen=True)
class Reject:
    """An example that is left out, and why."""

    doc_id: str
    source: str
    text: str
    seed: int
    index: int
    reason: str
    detail: str
    pass_rate: float = 0.0
    duplicate_of: str | None = None


def contamination_of(example: Example, benchmarks: Index) -> Reject | None:
    """A reject if the example's text, statement and answer together, contains a benchmark's problem."""
    name = contaminated_by(example.text, benchmarks)
    if name is None:
        return None
    return Reject(
        example.doc_id,
        example.source,
        example.text,
        example.seed,
        example.index,
        "contaminated",
        name,
        example.pass_rate,
    )


def doc_id(source: str, seed: int, index: int) -> str:
    """Stable id: hash of the source and the native key, which is seed and index."""
    return hash_json([source, seed, index])


def split_of(seed: int, group: str, heldout_fraction: float) -> str:
    """train or heldout, by a seeded hash of the group: one family and parameter stays on one side."""
    draw = int(hash_json([seed, group])[:12], 16) / 16**12
    return "heldout" if draw < heldout_fraction else "train"


def _origin(source: str, seed: int, index: int, text: str) -> dict[str, object]:
    """No file was read: the seed stands for it, the index for the offset."""
    return {"file": f"{source}:seed={seed}", "offset": index, "length": len(text.encode())}


def synthetic_rows(examples: Sequence[Example], tokenizer: Tokenizer) -> pa.Table:
    """The examples as SYNTHETIC rows; `tokenizer` is a `text_encoder`, token_count is without the end."""
    counted = encode(tokenizer, [example.text for example in examples])
    rows = [_row(example, len(ids)) for example, ids in zip(examples, counted, strict=True)]
    return pa.Table.from_pylist(rows, schema=SYNTHETIC)


def _row(example: Example, token_count: int) -> dict[str, object]:
    stats = measure(example.text)
    return {
        **asdict(stats),
        **{key: value for key, value in asdict(example).items() if key != "index"},
        "url": None,
        "fetched_at": None,
        "kind": "text",
        "code_seen": stats.num_code_blocks,
        "code_kept": stats.num_code_blocks,
        "math_seen": stats.num_formulas,
        "math_kept": stats.num_formulas,
        "origin": _origin(example.source, example.seed, example.index, example.text),
        "language": "en",
        "language_score": 1.0,
        "pii_masked": 0,
        "contaminated_by": None,
        "cluster_id": example.doc_id,
        "cluster_size": 1,
        "duplicate_urls": [],
        "duplicate_domains": [],
        "quality": QUALITY,
        "knowledge_density": KNOWLEDGE_DENSITY,
        "token_count": token_count,
    }


def reject_rows(rejects: Sequence[Reject]) -> pa.Table:
    """The rejects as REJECTS rows."""
    rows = [
        {
            "doc_id": reject.doc_id,
            "source": reject.source,
            "url": None,
            "kind": "text",
            "origin": _origin(reject.source, reject.seed, reject.index, reject.text),
            "reject_reason": reject.reason,
            "detail": reject.detail,
            "duplicate_of": reject.duplicate_of,
            "measurements": json.dumps({"pass_rate": reject.pass_rate}),
            "excerpt": excerpt(reject.text),
        }
        for reject in rejects
    ]
    return pa.Table.from_pylist(rows, schema=REJECTS)
