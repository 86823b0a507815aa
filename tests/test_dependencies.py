"""Every library that a room imports is declared for it in pyproject.toml."""

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from configs.code_closure import ROOMS

PROJECT = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = {
    "configs": (),
    "filters": ("spark", "encoder"),
    "pipeline": ("spark", "encoder", "notebook"),
    "synth": ("synth",),
    "pretrain": ("train",),
}
"""What is installed where a room runs, beside the base dependencies."""
BROUGHT_BY_USERS = {
    "configs": {"tokenizers"},  # of the rooms that count tokens, each of which declares it
    "pretrain": {
        "lm_eval",  # the harness's own environment
        "transformers",  # files of the export, which run where transformers loads them
        "wandb",  # only where wandb_project is set
    },
}
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def normal(name: str) -> str:
    """A distribution's name as PEP 503 compares it, without extras and versions."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", name)[0]).lower()


def declared(*extras: str) -> set[str]:
    """Distributions of the base and of these extras."""
    optional = PROJECT["optional-dependencies"]
    return {normal(name) for names in (PROJECT["dependencies"], *map(optional.get, extras)) for name in names}


def imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names that a module imports, inside functions too; for `from a import b` both a and a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def libraries(room: str) -> set[str]:
    """Libraries that the room's modules import, and the modules of ours that these import, and so on."""
    queue = list(Path(room).rglob("*.py"))
    read: set[Path] = set()
    found: set[str] = set()
    while queue:
        path = queue.pop()
        if path in read or not path.is_file():
            continue
        read.add(path)
        for name in imported(ast.parse(path.read_text(encoding="utf-8"))):
            top, *_ = parts = name.split(".")
            if top in ROOMS:
                queue += [Path(*parts).with_suffix(".py"), Path(*parts, "__init__.py")]
            else:
                found.add(top)
    return found - set(sys.stdlib_module_names)


def test_every_room_has_its_extras() -> None:
    assert EXTRAS.keys() == {room for room in ROOMS if Path(room).is_dir()}


@pytest.mark.parametrize("room", EXTRAS)
def test_a_room_imports_only_what_is_declared_for_it(room: str) -> None:
    known = declared(*EXTRAS[room])
    undeclared = {
        name
        for name in libraries(room) - BROUGHT_BY_USERS.get(room, set())
        if not {normal(distribution) for distribution in DISTRIBUTIONS.get(name, [])} & known
    }
    assert undeclared == set()


def test_an_undeclared_import_is_seen() -> None:
    tree = ast.parse("import numpy.linalg\ndef f():\n    from torch import nn\nfrom . import x\n")
    assert set(imported(tree)) == {"numpy.linalg", "torch", "torch.nn"}
    assert "torch" in libraries("pipeline")
    assert "torch" not in declared("spark")
    assert normal("math-verify[antlr4_13_2]==0.9.0") == "math-verify"
