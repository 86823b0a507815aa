"""Parts, lists of parts, manifests, commits: what a reader may rely on."""

import errno
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from configs import tables
from configs.contract import CONTRACT_VERSION, ContractError, Manifest, Part
from configs.lease import reading
from configs.storage import files, parts
from configs.storage.part_list import PartList

SCHEMA = pa.schema(
    [
        pa.field("doc_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("size", pa.int32()),
    ]
)
ROWS = pa.table({"doc_id": ["a", "b"], "source": ["web", "pdf"], "size": pa.array([1, None], pa.int32())})


def write_part(folder: str, rows: pa.Table = ROWS) -> Part:
    writer = tables.PartWriter(folder, SCHEMA)
    writer.write(rows)
    [part] = writer.close()
    return part


def manifest_of(rows_in: int = 2, rows_out: int = 2, rejected: dict[str, int] | None = None) -> Manifest:
    return Manifest("t", "job", "mark", "digest", rows_in, rows_out, rejected or {})


def committed(root: Path) -> Manifest:
    part = write_part(f"{root}/t")
    return tables.commit(str(root), manifest_of(), [part])


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_round_trip(tmp_path: Path) -> None:
    committed(tmp_path)
    rows = tables.read(tables.open_table(str(tmp_path), "t"))
    assert rows == ROWS.cast(SCHEMA)


def test_the_layout_is_data_and_meta(tmp_path: Path) -> None:
    manifest = committed(tmp_path)
    [part] = tables.read_parts(str(tmp_path), manifest)
    assert manifest.part_list is not None
    assert files_of(tmp_path / "t") == {
        part.path, manifest.part_list.path, "_meta/manifest.json", "README.md",
    }  # fmt: skip
    assert part.path.startswith("data/part-")
    assert (tmp_path / "t/README.md").read_text().splitlines()[:6] == [
        "---", "configs:", "- config_name: default", "  data_files:", f'  - "{part.path}"', "---",
    ]  # fmt: skip


def test_works_on_a_uri(tmp_path: Path) -> None:
    part = write_part(f"file://{tmp_path}/t")
    tables.commit(f"file://{tmp_path}", manifest_of(), [part])
    assert (
        tables.open_table(f"file://{tmp_path}", "t").manifest
        == tables.open_table(str(tmp_path), "t").manifest
    )


def test_content_decides_the_digest_not_names_or_order(tmp_path: Path) -> None:
    first, second = write_part(f"{tmp_path}/a"), write_part(f"{tmp_path}/b")
    other = write_part(f"{tmp_path}/c", ROWS.slice(1))
    assert first.path != second.path
    assert PartList.of([first]).digest() == PartList.of([second]).digest() != PartList.of([other]).digest()
    assert PartList.of([first, other]).digest() == PartList.of([other, second]).digest()


def test_a_part_list_is_a_sequence_of_parts() -> None:
    written = [Part(f"data/{n}.parquet", n, 10 * n, f"{n:032x}") for n in range(3)]
    listed = PartList.of(written)
    assert list(listed) == written
    assert (listed[-1], list(listed[1:]), len(listed)) == (written[2], written[1:], 3)
    assert listed.named("data/1.parquet") == written[1]
    assert listed.named("data/9.parquet") is None
    assert listed.num_bytes() == 30
    with pytest.raises(IndexError):
        listed[3]


def test_a_part_is_split_when_it_has_grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "ROW_GROUP_BYTES", 1)
    monkeypatch.setattr(parts, "MAX_PART_BYTES", 1)
    writer = tables.PartWriter(f"{tmp_path}/t", SCHEMA)
    for place in range(2):
        writer.write(ROWS.slice(place, 1))
    written = writer.close()
    assert [part.rows for part in written] == [1, 1]
    batches = [batch for part in written for batch in tables.read_part(f"{tmp_path}/t/{part.path}")]
    assert pa.Table.from_batches(batches) == ROWS.cast(SCHEMA)


def test_a_writer_without_rows_writes_nothing(tmp_path: Path) -> None:
    writer = tables.PartWriter(f"{tmp_path}/t", SCHEMA)
    writer.write(ROWS.slice(0, 0))
    assert writer.close() == ()
    assert not (tmp_path / "t").exists()


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        (ROWS.drop_columns("size"), "column size is missing"),
        (ROWS.set_column(2, "size", pa.array(["x", "y"])), "remedy: write the contract's types"),
        (ROWS.set_column(0, "doc_id", pa.array([None, "b"])), "doc_id' with null values"),
    ],
)
def test_a_part_outside_the_schema_is_refused(tmp_path: Path, rows: pa.Table, expected: str) -> None:
    with pytest.raises(ContractError, match=expected):
        write_part(str(tmp_path), rows)
    assert list(tmp_path.iterdir()) == []


def test_rows_must_add_up(tmp_path: Path) -> None:
    part = write_part(f"{tmp_path}/t")
    with pytest.raises(ContractError, match="3 rows in, 2 out, 0 rejected"):
        tables.commit(str(tmp_path), manifest_of(rows_in=3), [part])
    assert files_of(tmp_path / "t") == {part.path}
    tables.commit(str(tmp_path), manifest_of(rows_in=3, rejected={"too_large": 1}), [part])


def test_a_commit_deletes_what_the_last_one_named_and_nothing_else(tmp_path: Path) -> None:
    stray = write_part(f"{tmp_path}/t")
    tables.write_bytes(f"{tmp_path}/t", "_meta/records/s.json", b"{}")
    first = committed(tmp_path)
    of_first = {part.path for part in tables.read_parts(str(tmp_path), first)}
    second = committed(tmp_path)
    of_second = {part.path for part in tables.read_parts(str(tmp_path), second)}
    assert second.part_list is not None
    assert files_of(tmp_path / "t") == {
        *of_second, stray.path, "_meta/records/s.json",
        second.part_list.path, "_meta/manifest.json", "README.md",
    }  # fmt: skip
    assert not of_first & of_second


def test_a_commit_keeps_what_a_reader_may_hold(tmp_path: Path) -> None:
    first = committed(tmp_path)
    [part] = tables.read_parts(str(tmp_path), first)
    with reading(str(tmp_path), ["t", "no table"]):
        committed(tmp_path)
        assert (tmp_path / "t" / part.path).exists()
    committed(tmp_path)
    assert (tmp_path / "t" / part.path).exists()  # its own table listed it two commits ago


def test_a_withdrawn_table_is_none_but_its_files_are_still_known(tmp_path: Path) -> None:
    first = committed(tmp_path)
    [part] = tables.read_parts(str(tmp_path), first)
    tables.withdraw(str(tmp_path), "t")
    assert tables.read_manifest(str(tmp_path), "t") is None
    assert tables.last_manifest(str(tmp_path), "t") == first
    committed(tmp_path)
    assert not (tmp_path / "t" / part.path).exists()
    assert not (tmp_path / "t/_meta/withdrawn.json").exists()


def test_tables_under_finds_nested_ones(tmp_path: Path) -> None:
    for name in ("tokens/b", "tokens/heldout/math", "tokens/a"):
        tables.commit(str(tmp_path), Manifest(name, "job", "mark", "digest", 0, 0), [])
    tables.withdraw(str(tmp_path), "tokens/a")
    assert tables.tables_under(str(tmp_path), "tokens") == ["tokens/a", "tokens/b", "tokens/heldout/math"]
    assert tables.tables_under(str(tmp_path), "nothing") == []


MANIFEST = "t/_meta/manifest.json"


def test_half_a_manifest_is_no_table(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / MANIFEST
    path.write_bytes(path.read_bytes()[:-20])
    assert tables.read_manifest(str(tmp_path), "t") is None
    with pytest.raises(ContractError, match="no such table; remedy: run the job that writes t first"):
        tables.open_table(str(tmp_path), "t")


def test_another_contract_version_is_refused(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / MANIFEST
    path.write_text(json.dumps(json.loads(path.read_text()) | {"contract_version": 0}))
    with pytest.raises(
        ContractError,
        match=rf"contract version 0, this code reads {CONTRACT_VERSION}; remedy: write to",
    ):
        tables.open_table(str(tmp_path), "t")


def test_a_root_of_the_old_layout_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "t").mkdir()
    (tmp_path / "t/manifest.json").write_text(json.dumps({"contract_version": 2, "parts": []}))
    with pytest.raises(ContractError, match=r"t/manifest.json: contract version 2, .* remedy: write to"):
        tables.read_manifest(str(tmp_path), "t")
    (tmp_path / "t/manifest.json").write_text(json.dumps({"name": "an app"}))
    assert tables.read_manifest(str(tmp_path), "t") is None


def test_a_manifest_with_one_flipped_bit_is_no_table(tmp_path: Path) -> None:
    committed(tmp_path)
    path = tmp_path / MANIFEST
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        with pytest.raises(ContractError, match="remedy: "):
            tables.open_table(str(tmp_path), "t")
    path.write_text(whole.decode().replace('"rows_in": 2', '"rows_in": 3'))
    with pytest.raises(ContractError, match=r"manifest.json: changed after it was committed; remedy: delete"):
        tables.open_table(str(tmp_path), "t")


def flip(data: bytes) -> bytes:
    return data[:50] + bytes([data[50] ^ 1]) + data[51:]


@pytest.mark.parametrize("damage", [flip, lambda data: data[:-1], lambda data: b"", None])
def test_a_damaged_list_of_parts_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes] | None) -> None:
    manifest = committed(tmp_path)
    assert manifest.part_list is not None
    path = tmp_path / "t" / manifest.part_list.path
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ContractError, match=rf"{path.name}: (missing|not the list .*); remedy: run the job"):
        tables.open_table(str(tmp_path), "t")


def test_a_commit_over_a_damaged_table_heals_it(tmp_path: Path) -> None:
    manifest = committed(tmp_path)
    assert manifest.part_list is not None
    (tmp_path / "t" / manifest.part_list.path).unlink()
    committed(tmp_path)
    assert tables.read(tables.open_table(str(tmp_path), "t")) == ROWS.cast(SCHEMA)


def test_a_cut_part_is_noticed(tmp_path: Path) -> None:
    [part] = tables.read_parts(str(tmp_path), committed(tmp_path))
    path = tmp_path / "t" / part.path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ContractError, match=f"names {part.num_bytes} bytes, found"):
        tables.open_table(str(tmp_path), "t")


def test_no_flipped_bit_of_a_part_changes_a_value(tmp_path: Path) -> None:
    """A flip is found, or it lies where no value does (a name or a statistic of the footer)."""
    [part] = tables.read_parts(str(tmp_path), committed(tmp_path))
    path = tmp_path / "t" / part.path
    whole = path.read_bytes()
    values = [list(row.values()) for row in ROWS.to_pylist()]
    num_found = 0
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << place % 8]) + whole[place + 1 :])
        try:
            batches = list(tables.read_part(str(path), num_rows=part.rows))
        except ContractError:
            num_found += 1
        else:
            read = [list(row.values()) for batch in batches for row in batch.to_pylist()]
            # A flip in the footer may make strings bytes: a reader with a schema refuses those.
            assert [[v.decode() if isinstance(v, bytes) else v for v in row] for row in read] == values
    assert num_found > len(whole) // 4


def test_a_missing_part_is_named_when_it_is_read(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"gone.parquet: missing; remedy: run the job"):
        list(tables.read_part(f"{tmp_path}/gone.parquet"))


def test_a_full_disk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        closed = False

        def write(self, data: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self.closed = True

    class Disk:
        def create_dir(self, path: str, recursive: bool) -> None: ...
        def open_output_stream(self, path: str, compression: None) -> Full:
            return Full()

    monkeypatch.setattr(files, "filesystem", lambda path: (Disk(), path))
    with pytest.raises(ContractError, match=r"t/x: no space left on the device; remedy: make room"):
        tables.write_bytes(f"{tmp_path}/t", "x", b"data")
    with pytest.raises(ContractError, match="no space left on the device"):
        write_part(f"{tmp_path}/t")


@pytest.mark.parametrize("name", ["a b.pdf", "a%20b", "x#y", "x?z"])
def test_names_of_files_are_taken_literally(tmp_path: Path, name: str) -> None:
    for root in (str(tmp_path), f"file://{tmp_path}"):
        tables.write_bytes(root, name, b"data")
        assert (tmp_path / name).read_bytes() == b"data"
        assert tables.read_bytes(root, name) == b"data"
        tables.delete_files(root, [name, "was never there"])
        assert not (tmp_path / name).exists()
