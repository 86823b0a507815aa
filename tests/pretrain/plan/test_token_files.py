"""What a plan row takes from its bucket, by hand. Damaged files: see test_preflight.py."""

from pathlib import Path

from pretrain.plan.token_files import open_ranges, open_shard
from tests.pretrain.small_run import EOD, write_bucket, write_plan

TEXTS = [[5, 6, EOD], [7, EOD], [8, 9, 10, EOD], [11, EOD]]


def test_a_shard_knows_where_documents_begin(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", TEXTS, shards=2)
    shard = open_shard(f"{tmp_path}/tokens/b/b_00001")
    assert shard.starts.tolist() == [0, 4, 6]
    assert shard.tokens.tolist() == [8, 9, 10, EOD, 11, EOD]


def test_a_range_counts_over_all_shards(tmp_path: Path) -> None:
    write_bucket(tmp_path, "b", TEXTS, shards=2)
    write_bucket(tmp_path, "a", TEXTS, shards=1)
    rows = [
        {"bucket": "b", "source": "web", "weight": 0.7, "document_start": 1, "document_end": 3, "tokens": 6},
        {"bucket": "a", "source": "code", "weight": 0.3, "document_start": 0, "document_end": 1, "tokens": 3},
    ]
    write_plan(tmp_path, 1, rows)
    a, b = open_ranges(str(tmp_path), 1)
    assert (a.bucket, a.source, a.weight, a.first, a.length, len(a.shards)) == ("a", "code", 0.3, 0, 3, 1)
    assert (b.bucket, b.source, b.weight, b.first, b.length, len(b.shards)) == ("b", "web", 0.7, 3, 6, 2)
    assert (a.eod, b.eod) == (EOD, EOD)
