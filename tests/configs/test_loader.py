"""A preset's fault is one line: file, key, value, remedy."""

from pathlib import Path

import pytest

from configs.loader import Config, ConfigError, load


class Inner(Config):
    name: str


class Example(Config):
    rows: int
    fraction: float = 0.5
    inner: tuple[Inner, ...] = ()


def write(folder: Path, text: str) -> Path:
    (folder / "example.toml").write_text(text)
    return folder


def test_reads_toml_into_a_frozen_model(tmp_path: Path) -> None:
    config = load(write(tmp_path, 'rows = 3\n[[inner]]\nname = "a"\n'), "example", Example)
    assert config == Example(rows=3, fraction=0.5, inner=(Inner(name="a"),))
    with pytest.raises(ValueError, match="frozen"):
        config.rows = 4  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", r"example\.toml: rows: Field required; remedy: add the key"),
        ("rows = 1\nrow = 2", r"row: .*\(got 2\); remedy: remove or rename the key"),
        ('rows = "many"', r"rows: .*\(got 'many'\); remedy: correct the value"),
        ("rows = 1.5", r"rows: .*\(got 1\.5\)"),
        ("rows = true", r"rows: .*\(got True\)"),
        ("rows = 1\n[[inner]]\nname = 3", r"inner\.0\.name: .*\(got 3\)"),
        ("rows = ", r"not valid TOML .*; remedy: fix the syntax"),
        pytest.param("rows = " + "[" * 20_000, r"not valid TOML .*recursion", id="deep list"),
        pytest.param("rows = " + "9" * 5_000, r"not valid TOML .*4300 digits", id="long number"),
        pytest.param("[rows" + ".a" * 20_000 + "]", r"recursion.*; remedy: use strings", id="deep table"),
        ("rows = 2026-01-01", r"remedy: use strings, numbers"),
    ],
)
def test_faults_name_file_key_value_remedy(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=expected) as fault:
        load(write(tmp_path, text), "example", Example)
    assert str(tmp_path) in str(fault.value)


def test_missing_folder_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such preset folder; remedy: pass --preset"):
        load(tmp_path / "absent", "example", Example)
    with pytest.raises(ConfigError, match=r"example\.toml: missing; remedy: copy it"):
        load(tmp_path, "example", Example)
