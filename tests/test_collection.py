"""Every file with test functions is collected by pytest: a misnamed file would pass by never running."""

import ast
import subprocess
import sys
from pathlib import Path

HERE = Path("tests")


def has_tests(source: str) -> bool:
    """True if the module defines a test function, at the top or in a Test class."""
    for node in ast.parse(source).body:
        functions = node.body if isinstance(node, ast.ClassDef) and node.name.startswith("Test") else [node]
        for function in functions:
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) and function.name.startswith(
                "test_"
            ):
                return True
    return False


def test_every_test_file_is_collected() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-2_000:] + run.stderr[-2_000:]
    collected = {line.partition("::")[0] for line in run.stdout.splitlines() if "::" in line}
    written = {
        path.as_posix()
        for path in HERE.rglob("*.py")
        if HERE / "data" not in path.parents and has_tests(path.read_text(encoding="utf-8"))
    }
    assert len(written) > 5
    assert written - collected == set()


def test_a_test_function_is_seen_wherever_it_stands() -> None:
    assert has_tests("def test_a(): pass")
    assert has_tests("async def test_a(): pass")
    assert has_tests("class TestA:\n    def test_b(self): pass")
    assert not has_tests("def helper():\n    def test_a(): pass")
    assert not has_tests("class A:\n    def test_b(self): pass")
