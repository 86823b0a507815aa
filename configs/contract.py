"""What the jobs agree on: table schemas, closed reject reasons, the manifest.

Raised whenever a table's meaning changes: CONTRACT_VERSION. A job refuses a table of another version.
"""

from dataclasses import dataclass, field

import pyarrow as pa

CONTRACT_VERSION = 3


class ContractError(Exception):
    """A table or checkpoint is not what its reader was promised: path, value, remedy. Exit code 2."""


KINDS = ("html", "pdf", "latex", "notebook", "code", "repository", "thread", "text")

ORIGIN = pa.struct([("file", pa.string()), ("offset", pa.int64()), ("length", pa.int64())])
"""Where the bytes came from: input file, byte offset of the record in it, its stored length."""

TIMESTAMP = pa.timestamp("us", tz="UTC")

RAW = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("fetched_at", TIMESTAMP),
        pa.field("content_type", pa.string()),  # the HTTP header: extraction needs its charset
        pa.field("content", pa.large_binary(), nullable=False),
        pa.field("origin", ORIGIN, nullable=False),
    ]
)

DOCUMENTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("fetched_at", TIMESTAMP),
        pa.field("title", pa.string()),
        pa.field("text", pa.large_string(), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("engine", pa.string(), nullable=False),
        pa.field("code_seen", pa.int32(), nullable=False),
        pa.field("code_kept", pa.int32(), nullable=False),
        pa.field("math_seen", pa.int32(), nullable=False),
        pa.field("math_kept", pa.int32(), nullable=False),
        pa.field("origin", ORIGIN, nullable=False),
    ]
)

_INT, _FLOAT, _BOOL = pa.int32(), pa.float64(), pa.bool_()

_TEXT_STATS = (
    ("num_chars", _INT), ("mean_line_length", _FLOAT), ("max_line_length", _INT),
    ("alphanumeric_char_fraction", _FLOAT), ("code_char_fraction", _FLOAT), ("math_char_fraction", _FLOAT),
    ("num_code_blocks", _INT), ("num_formulas", _INT), ("num_latex_commands", _INT),
    ("comment_line_fraction", _FLOAT), ("max_code_line_length", _INT), ("mean_code_line_length", _FLOAT),
    ("top_line_shape_fraction", _FLOAT), ("num_prose_chars", _INT), ("num_tokens", _INT),
    ("num_words", _INT), ("mean_word_length", _FLOAT), ("max_word_length", _INT),
    ("alphabetic_token_fraction", _FLOAT), ("alphabetic_word_fraction", _FLOAT),
    ("distinct_word_fraction", _FLOAT), ("num_stop_words", _INT), ("num_distinct_stop_words", _INT),
    ("stop_word_fraction", _FLOAT), ("hash_token_fraction", _FLOAT), ("ellipsis_token_fraction", _FLOAT),
    ("han_char_fraction", _FLOAT), ("accented_char_fraction", _FLOAT), ("digit_char_fraction", _FLOAT),
    ("num_curly_brackets", _INT), ("num_plain_equations", _INT), ("has_lorem_ipsum", _BOOL),
    ("num_lines", _INT), ("num_sentences", _INT), ("bullet_line_fraction", _FLOAT),
    ("ellipsis_line_fraction", _FLOAT), ("punctuated_line_fraction", _FLOAT),
    ("short_line_fraction", _FLOAT), ("line_break_token_fraction", _FLOAT),
    ("code_like_line_fraction", _FLOAT), ("c4_num_sentences", _INT), ("c4_num_sentences_any_ending", _INT),
    ("c4_num_curly_brackets", _INT), ("c4_duplicate_line_char_fraction", _FLOAT),
    ("dclm_removed_word_fraction", _FLOAT), ("list_case_sentence_fraction", _FLOAT),
    ("num_paragraphs", _INT), ("duplicate_line_fraction", _FLOAT), ("duplicate_line_char_fraction", _FLOAT),
    ("duplicate_paragraph_fraction", _FLOAT), ("duplicate_paragraph_char_fraction", _FLOAT),
    ("top_2_gram_char_fraction", _FLOAT), ("top_3_gram_char_fraction", _FLOAT),
    ("top_4_gram_char_fraction", _FLOAT), ("duplicate_5_gram_char_fraction", _FLOAT),
    ("duplicate_6_gram_char_fraction", _FLOAT), ("duplicate_7_gram_char_fraction", _FLOAT),
    ("duplicate_8_gram_char_fraction", _FLOAT), ("duplicate_9_gram_char_fraction", _FLOAT),
    ("duplicate_10_gram_char_fraction", _FLOAT),
)  # fmt: skip

TEXT_STATS = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _TEXT_STATS])
"""Columns of `filters.measure.stats.TextStats`, same names and order (a test compares them)."""


def _plus(schema: pa.Schema, *fields: pa.Field) -> pa.Schema:
    return pa.schema([*schema, *fields])


FILTERED = _plus(
    DOCUMENTS,
    pa.field("language", pa.string()),
    pa.field("language_score", pa.float64()),
    *TEXT_STATS,
    pa.field("toxicity", pa.float64()),  # share of listed words; null where nothing measured it (synthetic)
    pa.field("licence", pa.string()),
    pa.field("pii_masked", pa.int32(), nullable=False),
    pa.field("contaminated_by", pa.string()),
)

DEDUPED = _plus(
    FILTERED,
    pa.field("cluster_id", pa.string(), nullable=False),
    pa.field("cluster_size", pa.int32(), nullable=False),
    pa.field("duplicate_urls", pa.list_(pa.string()), nullable=False),
    pa.field("duplicate_domains", pa.list_(pa.string()), nullable=False),
    pa.field("split", pa.string(), nullable=False),
)

SCORED = _plus(
    DEDUPED,
    pa.field("domain", pa.string(), nullable=False),
    pa.field("quality", pa.float64(), nullable=False),
    pa.field("knowledge_density", pa.float64(), nullable=False),
    pa.field("reasoning_depth", pa.float64(), nullable=False),
    pa.field("token_count", pa.int64(), nullable=False),
)

SYNTHETIC = _plus(
    SCORED,
    pa.field("problem_id", pa.string(), nullable=False),
    pa.field("source_doc_id", pa.string()),
    pa.field("teacher", pa.string(), nullable=False),
    pa.field("seed", pa.int64(), nullable=False),
    pa.field("prompt_hash", pa.string(), nullable=False),
    pa.field("verdict", pa.string(), nullable=False),
    pa.field("pass_rate", pa.float64(), nullable=False),
)

REJECTS = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("url", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("origin", ORIGIN, nullable=False),
        pa.field("reject_reason", pa.string(), nullable=False),
        pa.field("detail", pa.string()),
        pa.field("duplicate_of", pa.string()),
        pa.field("measurements", pa.string()),  # JSON object: name -> number, what the decision was made on
        pa.field("excerpt", pa.string()),  # first EXCERPT_CHARS characters, never content bytes
    ]
)

EXCERPT_CHARS = 2_000

BENCHMARK_INDEX = pa.schema(
    [
        pa.field("window_hash", pa.uint64(), nullable=False),  # rows ascend by it
        pa.field("problem_number", pa.uint32(), nullable=False),  # from 0, in the order of files and lines
        pa.field("problem", pa.string(), nullable=False),  # its name: <file>/<line>
    ]
)
"""A window of a benchmark's problem: `benchmark_index/data/*.parquet`. It holds hashes, never the text."""


def excerpt(content: str | bytes) -> str:
    """The beginning of a document, as its reject's row shows it; U+FFFD where bytes are not UTF-8."""
    if isinstance(content, bytes):
        content = content[: 4 * EXCERPT_CHARS].decode("utf-8", "replace")
    return content[:EXCERPT_CHARS]


MIXTURE = pa.schema(
    [
        pa.field("bucket", pa.string(), nullable=False),
        pa.field("domain", pa.string(), nullable=False),
        pa.field("band", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),  # share of the stage's tokens; sums to 1
        pa.field("epochs", pa.float64(), nullable=False),  # passes over the range below; may exceed 1
        pa.field("document_start", pa.int64(), nullable=False),  # documents of the bucket, in bucket order
        pa.field("document_end", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),  # tokens of that range, one pass, EODs included
    ]
)
"""One stage's plan: `mixtures/stageN/data/*.parquet`. Ranges of one bucket are disjoint across stages."""

RANK = pa.struct(
    [
        ("lost_fraction", pa.float64()),
        ("repeated_fraction", pa.float64()),
        ("minus_num_chars", pa.int64()),
        ("fetched_us", pa.int64()),
        ("doc_id", pa.string()),
    ]
)
"""Keeper order, ascending: Spark compares structs field by field, and doc_id, the last one, decides ties."""

SIGNATURES = pa.schema(
    [
        *((name, pa.string()) for name in ("doc_id", "source", "url", "canonical_url", "domain", "text_key")),
        ("rank", RANK),
        ("bands", pa.list_(pa.int64())),
    ]
)
"""What dedup compares of one document: about 350 bytes, whatever its length."""

SPANS = pa.schema(
    [
        pa.field("token_start", pa.int64(), nullable=False),
        pa.field("token_end", pa.int64(), nullable=False),  # exclusive, includes the document's EOD
        pa.field("doc_id", pa.string(), nullable=False),
    ]
)
"""`tokens/<bucket>/spans.parquet`: counted over the bucket's shards in order."""

BLOCKS = pa.schema(
    [
        pa.field("file", pa.string(), nullable=False),
        pa.field("block", pa.int64()),  # null: the digest is of the whole file
        pa.field("digest", pa.binary(16), nullable=False),  # xxh3-128
    ]
)
"""`tokens/<bucket>/blocks.parquet`: digests of the bucket's other files (configs.tokens.blocks)."""

SCHEMAS: dict[str, pa.Schema] = {
    "raw": RAW,
    "documents": DOCUMENTS,
    "filtered": FILTERED,
    "deduped": DEDUPED,
    "scored": SCORED,
    "synthetic": SYNTHETIC,
}
SCHEMAS |= {f"{table}_rejects": REJECTS for table in tuple(SCHEMAS)}
SCHEMAS |= {"signatures": SIGNATURES}

DOMAINS = (
    "mathematics",
    "code",
    "science",
    "technology",
    "society",
    "news",
    "commerce",
    "jobs",
    "lifestyle",
    "fiction",
    "boilerplate",
)
"""Closed list of `scored.domain` (the rubric of the quality labels, version 1)."""

SCORES = ("quality", "knowledge_density", "reasoning_depth")
"""The columns of `scored` that grade a document, in [0, 1]; the taggers' DIMENSIONS."""


@dataclass(frozen=True)
class Part:
    """One committed file: path inside the table's folder, rows (or tokens), bytes, their xxh3-128 in hex."""

    path: str
    rows: int
    num_bytes: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """`_meta/manifest.json`, written last: a table is what its manifest and its part list name, nothing else.

    `fingerprint` is "work-code": the hash of job, config and inputs, and the hash of the code. `digest` is
    the hash of the parts' content. `accepted_code` names other code whose work was accepted (--accept-code).
    rows_in == rows_out + sum(rejected.values()) for every table of rows.
    """

    table: str
    job: str
    fingerprint: str
    digest: str
    rows_in: int
    rows_out: int
    rejected: dict[str, int] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)
    facts: dict[str, object] = field(default_factory=dict)
    accepted_code: tuple[str, ...] = ()
    git_commit: str = ""
    seconds: float = 0.0
    peak_memory_bytes: int = 0
    num_parts: int = 0
    num_bytes: int = 0
    part_list: Part | None = None
    """The file in `_meta/` that lists the parts; the commit fills this in, and the two counts above."""
    shard_log: Part | None = None
    """The file in `_meta/` with the records of the shards (configs.shards); None if the job has no shards."""
    contract_version: int = CONTRACT_VERSION
