"""Planning imports neither torch nor megatron: by its import statements, and in a child process."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.test_imports import imports

HEAVY = {"torch", "megatron"}
PLANNING = [
    *sorted(".".join(path.with_suffix("").parts) for path in Path("pretrain/plan").glob("*.py")),
    "pretrain.preflight",
    "pipeline.inspection.__main__",
]


def sources(module: str) -> Iterator[Path]:
    """The files that importing a module of ours runs: its packages' __init__.py, and its own."""
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        stem = Path(*parts[:length])
        for path in (stem / "__init__.py", stem.with_suffix(".py")):
            if path.is_file():
                yield path


def heavy_imports(module: str) -> list[str]:
    """`file imports module` for every import of HEAVY in what a module imports, directly or not."""
    seen: set[str] = set()
    queue, found = [module], []
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        for path in sources(name):
            for imported, _ in imports(ast.parse(path.read_text(encoding="utf-8"))):
                if imported.partition(".")[0] in HEAVY:
                    found.append(f"{path} imports {imported}")
                queue.append(imported)
    return found


@pytest.mark.parametrize("module", PLANNING)
def test_nothing_that_planning_imports_imports_torch(module: str) -> None:
    assert heavy_imports(module) == []


def test_the_closure_sees_torch_behind_another_module() -> None:
    assert "pretrain/run/optimizer.py imports torch" in heavy_imports("pretrain.run.checkpoint")


def test_preflight_starts_without_torch() -> None:
    code = (
        "import pretrain.preflight, sys; assert 'torch' not in sys.modules and 'megatron' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
