"""Parts, manifests, commits: what a reader may rely on."""

import json
from pathlib import Path

import pyarrow as pa
import pytest

from configs import tables
from configs.contract import CONTRACT_VERSION, ContractError, Manifest, Part

SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("size", pa.int32()),
    ]
)
ROWS = pa.table({"doc_id": ["a", "b"], "size": pa.array([1, None], pa.int32())})


def manifest_of(
    parts: tuple[Part, ...], rows_in: int = 2, rejected: dict[str, int] | None = None
) -> Manifest:
    rows_out = sum(part.rows for part in parts)
    return Manifest("t", "job", "mark", tables.digest_of(parts), parts, rows_in, rows_out, rejected or {})


def committed(root: Path) -> Manifest:
    part = tables.write_part(f"{root}/t", ROWS, SCHEMA, "web")
    return tables.commit(str(root), manifest_of((part,)))


def test_round_trip_puts_the_source_back(tmp_path: Path) -> None:
    committed(tmp_path)
    rows = tables.read(tables.open_table(str(tmp_path), "t"))
    assert rows is not None
    assert rows.to_pylist() == [
        {"doc_id": "a", "size": 1, "source": "web"},
        {"doc_id": "b", "size": None, "source": "web"},
    ]


def test_works_on_a_uri(tmp_path: Path) -> None:
    part = tables.write_part(f"file://{tmp_path}/t", ROWS, SCHEMA, "web")
    tables.commit(f"file://{tmp_path}", manifest_of((part,)))
    assert (
        tables.open_table(f"file://{tmp_path}", "t").manifest
        == tables.open_table(str(tmp_path), "t").manifest
    )


def test_content_decides_the_digest_not_names(tmp_path: Path) -> None:
    first = tables.write_part(f"{tmp_path}/a", ROWS, SCHEMA, "web")
    second = tables.write_part(f"{tmp_path}/b", ROWS, SCHEMA, "web")
    other = tables.write_part(f"{tmp_path}/c", ROWS, SCHEMA, "pdf")
    assert first.path != second.path
    assert tables.digest_of([first]) == tables.digest_of([second]) != tables.digest_of([other])


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (pa.table({"doc_id": ["a"]}), "column size is missing"),
        (pa.table({"doc_id": ["a"], "size": ["x"]}), "remedy: write the contract's types"),
        (
            pa.table({"doc_id": pa.array([None], pa.string()), "size": pa.array([1], pa.int32())}),
            "doc_id' with null values",
        ),
    ],
)
def test_a_part_outside_the_schema_is_refused(tmp_path: Path, rows: pa.Table, expected: str) -> None:
    with pytest.raises(ContractError, match=expected):
        tables.write_part(str(tmp_path), rows, SCHEMA, "web")
    assert list(tmp_path.iterdir()) == []


def test_rows_must_add_up(tmp_path: Path) -> None:
    part = tables.write_part(f"{tmp_path}/t", ROWS, SCHEMA, "web")
    with pytest.raises(ContractError, match="3 rows in, 2 out, 0 rejected"):
        tables.commit(str(tmp_path), manifest_of((part,), rows_in=3))
    tables.commit(str(tmp_path), manifest_of((part,), rows_in=3, rejected={"too_large": 1}))


def test_commit_deletes_strays_but_not_nested_tables_or_shard_records(tmp_path: Path) -> None:
    stray = tables.write_part(f"{tmp_path}/t", ROWS, SCHEMA, "web")
    tables.write_bytes(f"{tmp_path}/t", "shards/s.json", b"{}")
    tables.write_bytes(f"{tmp_path}/t", "inner/manifest.json", b"{}")
    tables.write_bytes(f"{tmp_path}/t", "inner/data.bin", b"x")
    committed(tmp_path)
    assert not (tmp_path / "t" / stray.path).exists()
    assert (tmp_path / "t/inner/data.bin").exists()
    assert (tmp_path / "t/shards/s.json").exists()


def test_half_a_manifest_is_no_table(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / "t/manifest.json"
    path.write_bytes(path.read_bytes()[:-20])
    assert tables.read_manifest(str(tmp_path), "t") is None
    with pytest.raises(ContractError, match="no such table; remedy: run the job that writes t first"):
        tables.open_table(str(tmp_path), "t")


def test_another_contract_version_is_refused(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / "t/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"contract_version": 0}))
    with pytest.raises(
        ContractError, match=rf"contract version 0, this code reads {CONTRACT_VERSION}; remedy: delete"
    ):
        tables.open_table(str(tmp_path), "t")


def test_a_manifest_with_one_flipped_bit_is_no_table(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / "t/manifest.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(ContractError, match="remedy: "):
            tables.open_table(str(tmp_path), "t")
    path.write_text(whole.decode().replace('"rows_in": 2', '"rows_in": 3'))
    with pytest.raises(
        ContractError, match=r"t/manifest.json: changed after it was committed; remedy: delete"
    ):
        tables.open_table(str(tmp_path), "t")


def test_a_manifest_of_before_its_own_digest_is_read(tmp_path: Path) -> None:
    manifest = committed(tmp_path)
    path = tmp_path / "t/manifest.json"
    values = json.loads(path.read_text())
    del values["self_digest"]
    path.write_text(json.dumps(values))
    assert tables.read_manifest(str(tmp_path), "t") == manifest


def test_a_cut_part_is_noticed(tmp_path: Path) -> None:
    manifest = committed(tmp_path)
    path = tmp_path / "t" / manifest.parts[0].path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ContractError, match=f"names {manifest.parts[0].num_bytes} bytes, found"):
        tables.open_table(str(tmp_path), "t")
