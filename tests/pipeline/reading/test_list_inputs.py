"""Globs find what they say; shards keep their names when files join."""

from pathlib import Path

import pytest

from configs.loader import ConfigError
from pipeline.reading.list_inputs import list_shards


def names(tmp_path: Path, pattern: str, exclude: tuple[str, ...] = ()) -> list[str]:
    shards = list_shards("s", f"{tmp_path}/{pattern}", exclude, 1)
    return sorted(file.name for shard in shards for file in shard.files)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("a.py", "b.txt", "x/c.py", "x/y/d.py", ".git/e.py", "x/.hidden.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_globs(corpus: Path) -> None:
    assert names(corpus, "*.py") == ["a.py"]
    assert names(corpus, "**/*.py") == ["a.py", "x/c.py", "x/y/d.py"]
    assert names(corpus, "x/*.py") == ["c.py"]
    assert names(corpus, "") == ["a.py", "b.txt", "x/c.py", "x/y/d.py"]
    assert names(corpus, "?.txt") == ["b.txt"]
    assert names(corpus, "a.py") == ["a.py"]
    assert names(corpus, "**/*.py", ("x/y/**", "a*")) == ["x/c.py"]


def test_nothing_found_names_source_path_and_remedy(corpus: Path) -> None:
    for path in (f"{corpus}/*.warc", f"{corpus}/none/*.py", f"{corpus}/none"):
        with pytest.raises(ConfigError, match=r"source 'web'.*none|source 'web'.*\.warc") as error:
            list_shards("web", path, (), 1)
        assert "remedy" in str(error.value)


def test_a_new_file_changes_one_group(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"{n}.py").write_text("x")
    before = {shard.name: shard for shard in list_shards("s", str(tmp_path), (), 10)}
    assert len(before) == 4
    assert sum(len(shard.files) for shard in before.values()) == 40
    (tmp_path / "new.py").write_text("x")
    after = {shard.name: shard for shard in list_shards("s", str(tmp_path), (), 11)}
    assert after.keys() == before.keys()
    changed = [name for name in before if before[name].digest != after[name].digest]
    assert len(changed) == 1


def test_digest_changes_with_the_file(corpus: Path) -> None:
    [before] = list_shards("s", f"{corpus}/a.py", (), 1)
    (corpus / "a.py").write_text("longer than before")
    [after] = list_shards("s", f"{corpus}/a.py", (), 1)
    assert (after.name, after.digest == before.digest) == (before.name, False)
