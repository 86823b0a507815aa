"""Token files: the bytes written by hand, and read back by Megatron-Core's own reader."""

import struct
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.tokens.megatron_format import encode_bin, encode_idx


def test_two_documents_byte_by_byte() -> None:
    assert encode_bin([[1, 2, 3], [258]], 300) == bytes([1, 0, 2, 0, 3, 0, 2, 1])
    assert encode_idx([3, 1], 300) == b"MMIDIDX\x00\x00" + struct.pack(
        "<QBQQiiqqqqq", 1, 8, 2, 3, 3, 1, 0, 6, 0, 1, 2
    )


def test_large_vocabularies_take_four_bytes() -> None:
    assert len(encode_bin([[1, 2, 3]], 65_499)) == 6
    assert encode_bin([[65_536]], 65_500) == bytes([0, 0, 1, 0])
    assert encode_idx([1], 65_500)[17] == 4


def test_a_token_outside_the_type_is_refused() -> None:
    with pytest.raises(OverflowError):
        encode_bin([[65_536]], 300)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(st.integers(0, 65_498), min_size=1, max_size=50), min_size=1, max_size=20),
    st.sampled_from([65_499, 151_665]),
)
def test_megatron_core_reads_what_was_written(tmp_path: Path, documents: list[list[int]], vocab: int) -> None:
    indexed_dataset = pytest.importorskip("megatron.core.datasets.indexed_dataset")
    prefix = tmp_path / "shard"
    prefix.with_suffix(".bin").write_bytes(encode_bin(documents, vocab))
    prefix.with_suffix(".idx").write_bytes(encode_idx([len(document) for document in documents], vocab))
    dataset = indexed_dataset.IndexedDataset(str(prefix))
    assert [dataset[number].tolist() for number in range(len(dataset))] == documents
    assert dataset.document_indices.tolist() == list(range(len(documents) + 1))
