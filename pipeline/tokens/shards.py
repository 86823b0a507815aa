"""Write the shards of buckets inside Spark tasks, and join them to the tables `tokens/<bucket>`.

A shard is an interval of positions of one bucket: `<bucket>_<shard>.bin`, its .idx, and in `_meta/records/`
its spans, the digests of both files and a record; one without documents has no files. The record is written
last and states the fingerprint, so a killed run keeps whole shards.
Cost: one shard's tokens in memory, 2 or 4 bytes each.
"""

import io
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from operator import itemgetter

import pyarrow as pa
import pyarrow.parquet as pq

from configs import tables
from configs.command import Place
from configs.contract import SPANS, ContractError, Manifest, Part
from configs.job import Job, commit
from configs.shards import find_records
from configs.storage.shard_log import FOLDER, Record, ShardLog, write_record
from configs.tokens.blocks import (
    BLOCKS_FILE,
    REMEDY,
    SPANS_FILE,
    FileDigests,
    decode_digests,
    digests_of,
    encode_digests,
)
from configs.tokens.encoding import encode
from pipeline.tokens.megatron_format import encode_bin, encode_idx
from pipeline.tokens.tokenizer import TokenizerFacts, encoder

Row = tuple[str, int, str, str]
"""bucket, shard, doc_id, text"""


@dataclass(frozen=True)
class BucketWork:
    """One bucket to tokenise: what is known of it before, and the mark of its result."""

    name: str
    domain: str
    band: str
    source: str
    num_documents: int
    num_tokens: int
    """As counted when the documents were scored, ends included."""
    num_shards: int
    job: Job
    """Makes its table; the documents' hash is among the inputs."""

    def shards(self) -> list["TokenShard"]:
        """Its shards, in order."""
        digest = tables.hash_json(self.job.inputs)
        return [TokenShard(f"{number:05d}", number, digest) for number in range(self.num_shards)]

    def prefix(self, shard: int) -> str:
        """File name of a shard, without .bin or .idx."""
        return f"{self.name.split('/')[-1]}_{shard:05d}"


@dataclass(frozen=True)
class TokenShard:
    """An interval of positions of one bucket: a unit of work and of resume."""

    name: str
    number: int
    digest: str
    rows: int = 0


def write_shards(
    rows: Iterator[Row], root: str, works: dict[str, BucketWork], tokenizer: TokenizerFacts
) -> Iterator[tuple[str, int]]:
    """Write the shards that `rows` hold, in order of bucket, shard, position; gives their names."""
    for (bucket, shard), documents in groupby(rows, key=itemgetter(0, 1)):
        _write_shard(root, works[bucket], shard, documents, tokenizer)
        yield bucket, shard


def join_shards(place: Place, work: BucketWork, tokenizer: TokenizerFacts) -> Manifest:
    """Join the shards' spans and commit the bucket. Raises ContractError if documents are missing."""
    started = time.monotonic()
    root = place.output
    records = find_records(place, work.job, work.shards())
    num_documents = sum(record.rows_out for record in records.values())
    num_tokens = sum(record.counts["tokens"] for record in records.values())
    folder = tables.table_path(root, work.job.table)
    if (num_documents, num_tokens) != (work.num_documents, work.num_tokens):
        raise ContractError(
            f"{folder}: wrote {num_documents} documents, {num_tokens} tokens; scoring counted "
            f"{work.num_documents}, {work.num_tokens}; remedy: run score_documents again with --overwrite"
        )
    facts = {
        "prefixes": [work.prefix(int(name)) for name in records],
        "vocab_size": tokenizer.vocab_size,
        "eod_id": tokenizer.eod_id,
        "tokenizer_hash": tokenizer.hash,
        "num_documents": num_documents,
        "num_tokens": num_tokens,
        "domain": work.domain,
        "band": work.band,
        "source": work.source,
    }
    digests = _shard_digests(folder, records)
    spans = _join_spans(folder, records, digests)
    data, num_rows = encode_digests(digests)
    blocks = tables.write_bytes(folder, BLOCKS_FILE, data, num_rows)
    manifest = commit(root, work.job, ShardLog.of(records), started, parts=[spans, blocks], facts=facts)
    tables.delete_files(f"{folder}/{FOLDER}", tables.sizes_under(f"{folder}/{FOLDER}"))
    return manifest


def _write_shard(
    root: str, work: BucketWork, shard: int, documents: Iterator[Row], tokenizer: TokenizerFacts
) -> None:
    chunks: list[bytes] = []
    lengths: list[int] = []
    doc_ids: list[str] = []
    for batch in _batched(documents, tables.BATCH_ROWS):
        encoded = encode(encoder(tokenizer), [row[3] for row in batch])
        ended = [[*ids, tokenizer.eod_id] for ids in encoded]
        chunks.append(encode_bin(ended, tokenizer.vocab_size))
        lengths += [len(document) for document in ended]
        doc_ids += [row[2] for row in batch]
    folder = tables.table_path(root, work.job.table)
    ends = list(accumulate(lengths))
    starts = [end - length for end, length in zip(ends, lengths, strict=True)]
    spans = pa.Table.from_pydict({"token_start": starts, "token_end": ends, "doc_id": doc_ids}, schema=SPANS)
    sink = io.BytesIO()
    pq.write_table(spans, sink, compression="zstd")
    tokens, index = b"".join(chunks), encode_idx(lengths, tokenizer.vocab_size)
    names = f"{work.prefix(shard)}.bin", f"{work.prefix(shard)}.idx"
    parts = (
        tables.write_bytes(folder, names[0], tokens, ends[-1]),
        tables.write_bytes(folder, names[1], index),
    )
    digests = {names[0]: digests_of(tokens, has_blocks=True), names[1]: digests_of(index, has_blocks=False)}
    tables.write_bytes(folder, f"{FOLDER}/{shard:05d}.parquet", sink.getvalue())
    tables.write_bytes(folder, f"{FOLDER}/{shard:05d}_{BLOCKS_FILE}", encode_digests(digests)[0])
    token_shard = work.shards()[shard]
    record = Record(
        work.job.shard_fingerprint(token_shard), parts, rows_out=len(lengths), counts={"tokens": ends[-1]}
    )
    write_record(root, work.job.table, token_shard.name, record)


def _batched(documents: Iterator[Row], size: int) -> Iterator[Sequence[Row]]:
    batch: list[Row] = []
    for document in documents:
        batch.append(document)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _shard_digests(folder: str, records: dict[str, Record]) -> dict[str, FileDigests]:
    """The digests of all shards' files. Raises ContractError if a shard has none."""
    digests: dict[str, FileDigests] = {}
    for shard in records:
        name = f"{FOLDER}/{shard}_{BLOCKS_FILE}"
        try:
            digests |= decode_digests(tables.read_bytes(folder, name))
        except FileNotFoundError:
            raise ContractError(f"{folder}/{name}: missing, other code wrote this shard; {REMEDY}") from None
    return digests


def _join_spans(folder: str, records: dict[str, Record], digests: dict[str, FileDigests]) -> Part:
    """The shards' spans in one file, counted over the bucket; its digest goes to `digests`."""
    sink = io.BytesIO()
    num_rows = 0
    with pq.ParquetWriter(sink, SPANS, compression="zstd") as writer:
        offset = 0
        for shard, record in records.items():
            spans = pq.read_table(pa.BufferReader(tables.read_bytes(folder, f"{FOLDER}/{shard}.parquet")))
            columns = {name: spans[name] for name in SPANS.names}
            for name in ("token_start", "token_end"):
                columns[name] = pa.compute.add(columns[name], pa.scalar(offset, pa.int64()))
            writer.write_table(pa.Table.from_pydict(columns, schema=SPANS))
            offset += record.counts["tokens"]
            num_rows += record.rows_out
    digests[SPANS_FILE] = digests_of(sink.getvalue(), has_blocks=False)
    return tables.write_bytes(folder, SPANS_FILE, sink.getvalue(), num_rows)
