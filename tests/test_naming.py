"""Names of modules: none of the standard library's at the top, none that says nothing."""

import sys
from pathlib import Path

ROOMS = ("configs", "filters", "pipeline", "synth", "pretrain")
EMPTY_NAMES = {"utils", "util", "common", "helpers", "helper", "misc", "manager", "managers", "base"}


def files(folder: Path, pattern: str) -> list[Path]:
    return [path for path in folder.rglob(pattern) if "__pycache__" not in path.parts]


def test_no_module_hides_one_of_the_standard_library() -> None:
    """spark-submit puts a script's folder first on the path: synth/secrets.py would hide secrets."""
    modules = [
        path for room in ROOMS for path in Path(room).iterdir() if path.suffix == ".py" or path.is_dir()
    ]
    assert len(modules) > len(ROOMS)
    assert [str(path) for path in modules if path.stem in sys.stdlib_module_names] == []


def test_names_say_what_is_inside() -> None:
    named = [
        path
        for folder in (*ROOMS, "tests")
        for path in files(Path(folder), "*")
        if path.suffix in ("", ".py")
    ]
    ours = [path for path in named if "data" not in path.parts]
    assert len(ours) > len(ROOMS)
    assert [str(path) for path in ours if path.stem.lower() in EMPTY_NAMES] == []


def test_every_folder_of_code_is_a_package() -> None:
    """A folder without __init__.py would be left out of the zip that spark-submit ships."""
    folders = {path.parent for room in ROOMS for path in files(Path(room), "*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_tests_are_not_a_package() -> None:
    assert [str(path) for path in files(Path("tests"), "__init__.py") if "data" not in path.parts] == []
