"""benchmark_index: hashes and names of what is evaluated later; a file that is no use is refused."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from configs import tables
from configs.benchmark_windows import read_windows
from configs.command import Place
from configs.contract import BENCHMARK_INDEX
from configs.loader import ConfigError
from filters.decontaminate import build_index, contaminated_by, index_of_windows
from pipeline import index_benchmarks

SHEEP = (
    r"A farmer sells $\frac{1}{2}$ of his $1{,}200$ sheep at the first market and $\dfrac{2}{3}$ of those "
    "that remain at the second. How many sheep are left to him?"
)
MERGE = "Write a function that takes a list of intervals and merges all those that overlap, in sorted order."
SHORT = "What is 1+1?"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A preset that names the files sets/*.jsonl and the field `question`."""
    preset, sets = tmp_path / "preset", tmp_path / "sets"
    preset.mkdir()
    sets.mkdir()
    lines = [f'path = "{sets}/*.jsonl"', 'text_fields = ["question"]']
    (preset / "benchmarks.toml").write_text("\n".join(["[[benchmarks]]", *lines]))
    return Place(preset, str(tmp_path), str(tmp_path))


def write_set(place: Place, name: str, *texts: object) -> None:
    lines = [json.dumps({"question": text}) for text in texts]
    Path(place.input, "sets", f"{name}.jsonl").write_text("\n".join(lines))


def test_the_table_gives_back_the_index(place: Place) -> None:
    write_set(place, "b", MERGE)
    write_set(place, "a", SHORT, SHEEP)
    manifest = index_benchmarks.run(place)
    table = tables.open_table(place.output, "benchmark_index")
    assert tables.read(table).schema == BENCHMARK_INDEX
    direct = build_index([("a/1", SHORT), ("a/2", SHEEP), ("b/1", MERGE)])
    index = index_of_windows(*read_windows(table))
    assert index.names == direct.names == ("a/2", "b/1")
    for field in ("num_windows", "hashes", "owners", "bitmap"):
        assert np.array_equal(getattr(index, field), getattr(direct, field)), field
    assert contaminated_by(f"So: {SHEEP.replace('dfrac', 'frac')}", index) == "a/2"
    assert manifest.facts == {"num_problems": 2, "num_too_short": 1}
    assert manifest.rows_out == len(direct.hashes)


def test_no_text_is_stored_only_names(place: Place) -> None:
    write_set(place, "a", SHEEP)
    index_benchmarks.run(place)
    rows = tables.read(tables.open_table(place.output, "benchmark_index")).to_pylist()
    assert {row["problem"] for row in rows} == {"a/1"}
    stored = b"".join(path.read_bytes() for path in Path(place.output, "benchmark_index").rglob("*.*"))
    assert b"farmer" not in stored
    assert b"farmer" not in repr(rows).encode()


def test_problems_of_one_name_count_by_themselves(place: Place) -> None:
    write_set(place, "a", SHEEP)
    again = Path(place.input, "sets", "again")
    again.mkdir()
    (again / "a.jsonl").write_text(json.dumps({"question": MERGE}))
    toml = Path(place.preset, "benchmarks.toml")
    toml.write_text(f'{toml.read_text()}\n[[benchmarks]]\npath = "{again}"\ntext_fields = ["question"]\n')
    index_benchmarks.run(place)
    index = index_of_windows(*read_windows(tables.open_table(place.output, "benchmark_index")))
    assert index.names == ("a/1", "a/1")
    assert contaminated_by(SHEEP, index) == contaminated_by(MERGE, index) == "a/1"


def test_an_up_to_date_table_is_left_alone_and_a_changed_file_makes_another(place: Place) -> None:
    write_set(place, "a", SHEEP)
    first = index_benchmarks.run(place)
    manifest = Path(place.output, "benchmark_index", "_meta", "manifest.json")
    written = manifest.stat().st_mtime_ns
    assert index_benchmarks.run(place) == first
    assert manifest.stat().st_mtime_ns == written
    write_set(place, "a", MERGE)
    second = index_benchmarks.run(place)
    assert second.digest != first.digest
    parts = [f"data/{path.name}" for path in Path(place.output, "benchmark_index", "data").iterdir()]
    assert parts == [part.path for part in tables.read_parts(place.output, second)]


def test_an_empty_list_keeps_out_nothing(place: Place) -> None:
    Path(place.preset, "benchmarks.toml").write_text("benchmarks = []\n")
    assert index_benchmarks.run(place).rows_out == 0
    index = index_of_windows(*read_windows(tables.open_table(place.output, "benchmark_index")))
    assert index.names == ()
    assert contaminated_by(SHEEP, index) is None


def test_of_a_chat_the_users_words_count(place: Place) -> None:
    chat = [{"role": "system", "content": MERGE}, {"role": "user", "content": SHEEP}]
    write_set(place, "a", chat)
    index_benchmarks.run(place)
    index = index_of_windows(*read_windows(tables.open_table(place.output, "benchmark_index")))
    assert contaminated_by(SHEEP, index) == "a/1"
    assert contaminated_by(MERGE, index) is None


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, r"benchmarks\.toml: benchmarks\.path: no file matches .*; remedy: put the benchmark's"),
        ("{broken", r"one\.jsonl, line 1: not JSON .*remedy"),
        ('{"other": "x"}', r"one\.jsonl: no text in question; remedy: correct benchmarks\.text_fields"),
    ],
)
def test_what_cannot_be_read_is_refused_before_anything_is_written(
    place: Place, content: str | None, fault: str
) -> None:
    if content is not None:
        Path(place.input, "sets", "one.jsonl").write_text(content)
    with pytest.raises(ConfigError, match=fault):
        index_benchmarks.run(place)
    assert not Path(place.output, "benchmark_index").exists()


def test_as_a_command_it_refuses_in_one_line(place: Place) -> None:
    command = [sys.executable, "-m", "pipeline.index_benchmarks", "--preset", str(place.preset)]
    done = subprocess.run([*command, "--output", place.output], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "benchmarks.path" in done.stderr
    write_set(place, "a", SHEEP)
    subprocess.run([*command, "--output", place.output], check=True, capture_output=True)
    assert tables.open_table(place.output, "benchmark_index").manifest.job == "benchmarks"
