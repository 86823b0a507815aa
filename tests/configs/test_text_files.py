"""Text files: packed and not, by path and by URI; faults name file and line; JSON is replaced in one step."""

import gzip
import json
import lzma
from pathlib import Path

import boto3
import pytest

from configs.loader import ConfigError
from configs.text_files import read_json, read_json_lines, read_lines, read_text, write_json


@pytest.mark.parametrize(
    ("name", "pack"), [("a.txt", bytes), ("a.gz", gzip.compress), ("a.xz", lzma.compress)]
)
def test_text_is_unpacked_by_its_name(tmp_path: Path, name: str, pack: object) -> None:
    (tmp_path / name).write_bytes(pack("é\n".encode()))  # type: ignore[operator]
    assert read_text(tmp_path / name) == "é\n"
    assert read_text(f"file://{tmp_path}/{name}") == "é\n"


@pytest.mark.parametrize(
    ("name", "data", "fault"),
    [
        ("a.txt", None, "No such file"),
        ("a.txt", b"\xff", "'utf-8' codec"),
        ("a.gz", b"no gzip", "zlib inflate failed"),
        ("a.xz", lzma.compress(b"text")[:-9], "ended before the end-of-stream"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, data: bytes | None, fault: str) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(ConfigError, match=rf"{name}: cannot be read \(.*{fault}.*remedy"):
        read_text(tmp_path / name)


def test_lines_of_a_list_are_its_entries(tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b" one \r\n\n# note\n\ttwo\xff\n")
    assert read_lines(tmp_path / "list") == ["one", "two\ufffd"]


def test_json_lines_are_numbered_objects(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": "x\u2028y"}\n\n{"a": 2}\n', encoding="utf-8")
    assert list(read_json_lines(path)) == [(1, {"a": "x\u2028y"}), (3, {"a": 2})]
    path.write_text('{"a": 1}\n[2]\n')
    with pytest.raises(ConfigError, match=r"rows\.jsonl: line 2: no JSON object; remedy"):
        list(read_json_lines(path))


def test_json_is_replaced_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    assert read_json(path) is None
    write_json(path, {"b": 1, "a": [2]})
    write_json(f"file://{path}", {"b": 3, "a": [2]})
    assert read_json(str(path)) == {"b": 3, "a": [2]}
    assert list(json.loads(path.read_text())) == ["b", "a"]
    assert [file.name for file in path.parent.iterdir()] == ["a.json"]
    path.write_text('{"b": 3')
    assert read_json(path) is None


def test_json_on_an_object_store_is_one_object(bucket: str) -> None:
    for value in ({"a": 1}, {"a": 2}):
        write_json(f"{bucket}/r/x.json", value)
        assert read_json(f"{bucket}/r/x.json") == value
    found = boto3.client("s3").list_objects_v2(Bucket=bucket.removeprefix("s3://"))["Contents"]
    assert [entry["Key"] for entry in found] == ["r/x.json"]  # and no empty object for the folder
