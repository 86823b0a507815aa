"""Any Parquet with doc_id, url and text: other columns pass through, ids survive, no row is lost."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from configs import tables
from configs.command import Place
from configs.contract import ContractError
from pipeline.dedup.any_parquet import is_plain
from pipeline.dedup_documents import run
from tests.pipeline.dedup_corpus import words, write_preset

LONG, OTHER = " ".join(words(1)), " ".join(words(2))


def write(path: Path, **columns: list[object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Two files in two folders, ids that are numbers, one column that only the second file has."""
    data = tmp_path / "in"
    write(
        data / "a.parquet",
        doc_id=[1, 2], url=["http://a.example/", None], text=[LONG, LONG + " and more"], source=["x", "y"],
    )  # fmt: skip
    write(
        data / "deep" / "b.parquet",
        doc_id=[3, 4], url=["https://www.a.example", None], text=["short", OTHER], stars=[[5], [6, 7]],
        fetched_at=["now", "then"],
    )  # fmt: skip
    (data / "_SUCCESS.parquet").write_bytes(b"not Parquet")
    return Place(write_preset(tmp_path / "p"), str(data), str(tmp_path / "out"))


@pytest.mark.spark
def test_columns_pass_through(spark: SparkSession, place: Place) -> None:
    manifest = run(spark, place)
    assert (manifest.rows_in, manifest.rows_out, manifest.rejected) == (4, 3, {"duplicate_near": 1})
    kept = tables.read(tables.open_table(place.output, "deduped")).to_pylist()
    rejects = tables.read(tables.open_table(place.output, "deduped_rejects")).to_pylist()
    assert sorted(row["doc_id"] for row in kept) == [2, 3, 4]
    by_id = {row["doc_id"]: row for row in kept}
    assert by_id[4]["stars"] == [6, 7]
    assert by_id[2]["stars"] is None
    assert by_id[2]["text"] == LONG + " and more"
    assert rejects[0] | {"measurements": ""} == {
        "doc_id": 1, "source": "x", "url": "http://a.example/",
        "reject_reason": "duplicate_near", "duplicate_of": "2",
        "measurements": "", "excerpt": LONG,
    }  # fmt: skip
    assert by_id[2]["duplicate_urls"] == ["http://a.example/"]
    assert run(spark, place) == manifest
    by_source = tables.read(tables.open_table(place.output, "signatures"), ["doc_id", "source"]).to_pylist()
    assert {row["doc_id"]: row["source"] for row in by_source} == {"1": "x", "2": "y", "3": "", "4": ""}


def test_a_run_root_is_not_plain(tmp_path: Path) -> None:
    write(tmp_path / "documents" / "data" / "part.parquet", doc_id=["a"])
    out = str(tmp_path / "out")
    assert is_plain(Place(tmp_path, str(tmp_path), out))
    assert not is_plain(Place(tmp_path, str(tmp_path), str(tmp_path)))
    for name in ("_meta/manifest.json", "manifest.json"):  # the second one is where old roots have it
        (tmp_path / "documents" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "documents" / name).write_text("{}")
        assert not is_plain(Place(tmp_path, str(tmp_path), out))
        (tmp_path / "documents" / name).unlink()
    assert is_plain(Place(tmp_path, str(tmp_path), out))
    (tmp_path / "documents" / "_meta" / "manifest.json").write_text("{}")
    assert not is_plain(Place(tmp_path, str(tmp_path), out))
    assert is_plain(Place(tmp_path, str(tmp_path / "documents"), out))
    assert not is_plain(Place(tmp_path, str(tmp_path / "nothing"), out))


@pytest.mark.spark
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"doc_id": ["a"], "text": ["x"]}, r"b.parquet: no column url; remedy: add it \(url may be null\)"),
        (
            {"doc_id": ["a"], "url": ["u"], "text": ["x"], "split": [1]},
            "b.parquet: has a column split, which dedup adds",
        ),
        (
            {"doc_id": [1.5], "url": ["u"], "text": ["x"]},
            "b.parquet: doc_id is double; remedy: make it a str",
        ),
        ({"doc_id": ["a"], "url": [None], "text": ["x"]}, "b.parquet: url is null; remedy: make it a string"),
        (
            {"doc_id": ["a", None], "url": ["u", "v"], "text": ["x", None]},
            "1 rows have no doc_id and 1 have no text",
        ),
    ],
)
def test_refusals(
    spark: SparkSession, tmp_path: Path, columns: dict[str, list[object]], message: str
) -> None:
    write(tmp_path / "in" / "b.parquet", **columns)
    preset = write_preset(tmp_path / "p")
    with pytest.raises(ContractError, match=message):
        run(spark, Place(preset, str(tmp_path / "in"), str(tmp_path / "out")))
    with pytest.raises(ContractError, match="lies in the input"):
        run(spark, Place(preset, str(tmp_path / "in"), str(tmp_path / "in" / "out")))
