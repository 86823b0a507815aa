import pytest

from synth.checks.sandbox import Limits
from synth.checks.verify_code import CodeCheck, same_value, verify_code
from synth.families.problem import CodeTest

TESTS = (CodeTest("f(2)", "4"), CodeTest("f(3)", "9"))
LIMITS = Limits(timeout_s=2)


def check(code: str | None) -> CodeCheck:
    return verify_code([(code, TESTS)], LIMITS, "families", isolated=False)[0]


def test_right_code_passes() -> None:
    assert check("def f(n): return n * n") == CodeCheck("passed", 1.0, "")


def test_wrong_code_fails_and_says_where() -> None:
    assert check("def f(n): return n + 2") == CodeCheck("failed", 0.5, "f(3): expected 9, got 5 (done)")


@pytest.mark.parametrize(
    "code",
    [
        "class A(int):\n    def __eq__(self, other): return True\ndef f(n): return A(1)",
        "class A:\n    def __eq__(self, other): return True\ndef f(n): return A()",
        "import os\nprint('passed')\nos._exit(0)",
        "def f(n): raise AssertionError",
        "def f(n): return float(n * n)",
        "def f(n): return str(n * n)",
        "import builtins\nbuiltins.repr = lambda value: '4'\ndef f(n): return 0",
        "def g(n): return n * n",
        "def f(n: return n",
    ],
)
def test_code_that_games_the_check_fails(code: str) -> None:
    result = check(code)
    assert result.verdict == "failed"
    assert result.passed_fraction < 1


def test_no_code_and_endless_code_have_their_own_verdicts() -> None:
    assert check(None).verdict == "no_code"
    assert check("def f(n):\n    while True: pass").verdict == "timeout"


@pytest.mark.parametrize(
    ("got", "expected", "is_same"),
    [
        ("[1, 2]", "[1, 2]", True),
        ("(1, 2)", "[1, 2]", False),
        ("True", "1", False),
        ("0.30000000000000004", "0.3", True),
        ("0.31", "0.3", False),
        ("{'a': [1.0]}", "{'a': [1.0]}", True),
        ("{'a': 1, 'b': 2}", "{'a': 1}", False),
        ("{True}", "{1}", False),
        ("{2, 1}", "{1, 2}", True),
        ("{True: 2}", "{1: 2}", False),
        ("{2: 0, 1: 0}", "{1: 0, 2: 0}", True),
        ("<object>", "1", False),
        ("[" * 5000, "1", False),
        ("__import__('os')", "1", False),
    ],
)
def test_same_value_compares_literals_with_their_types(got: str, expected: str, is_same: bool) -> None:
    assert same_value(got, expected) is is_same
