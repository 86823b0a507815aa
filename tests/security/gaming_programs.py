"""Programs that are wrong and want to pass, and right ones that must.

Each kind is some code around a wrong solution (the planted bug of a problem family), with NAME for the
function that the tests call. About 0.1 s a program.
"""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from unittest import mock

from synth.checks import verify_code
from synth.checks.sandbox import Limits, has_bubblewrap
from synth.families.problem import Problem
from synth.families.symbolic import make_problem
from tests.security.attempts import Attempt, Setup

LIMITS = Limits(timeout_s=2)

# Written after the wrong solution. FORGE writes result lines to every descriptor that is open.
KINDS = {
    "nothing": "",
    "sys.exit(0)": "import sys; sys.exit(0)",
    "os._exit(0)": "import os; os._exit(0)",
    "exits when called": "def NAME(*a): raise SystemExit(0)",
    "asserts removed": "import builtins; builtins.AssertionError = ArithmeticError; __debug__ or 0",
    "equal to everything": "class A:\n    def __eq__(s, o): return True\ndef NAME(*a): return A()",
    "an int equal to everything": "class A(int):\n    def __eq__(s, o): return True\n"
    "def NAME(*a): return A(7)",
    "a clever repr": "class A:\n    def __repr__(s): return 'True'\ndef NAME(*a): return A()",
    "an expression as repr": "class A:\n    def __repr__(s): return '__import__(\"os\").getpid()'\n"
    "def NAME(*a): return A()",
    "mock": "from unittest.mock import MagicMock\nNAME = MagicMock()",
    "repr replaced": "import builtins; builtins.repr = lambda value: 'expected'",
    "eval replaced": "import builtins; builtins.eval = lambda *a: 'passed'",
    "json replaced": "import json; json.dumps = lambda *a: '{\"value\": \"passed\", \"passed\": true}'",
    "os.write replaced": "import os; w = os.write; os.write = lambda d, b: w(d, b'{\"value\": \"1\"}\\n')",
    "prints a verdict": "print('passed'); print('{\"outcome\": \"done\", \"verdict\": \"passed\"}')",
    "forges a verdict": "FORGE('{\"outcome\": \"done\", \"verdict\": \"passed\", \"passed_fraction\": 1.0}')",
    "forges results": "[FORGE('{\"value\": \"0\"}') for _ in range(9)]; import os; os._exit(0)",
    "forges truths": "[FORGE('{\"value\": true}') for _ in range(9)]; import os; os._exit(0)",
    "forges nulls": "[FORGE('{\"value\": null}') for _ in range(9)]; import os; os._exit(0)",
    "forges too many": "[FORGE('{\"value\": \"%d\"}' % n) for n in range(99)]",
    "forges no JSON": "FORGE('nonsense'); FORGE('[' * 50_000); FORGE('9' * 5_000)",
    "reads the frames": "import sys\ndef NAME(*a):\n    f = sys._getframe()\n    while f:\n"
    "        for v in f.f_locals.values():\n            if getattr(v, 'expected', 0): return v.expected\n"
    "        f = f.f_back",
    "changes the calls": "import sys\nf = sys._getframe()\nwhile f:\n    if 'calls' in f.f_locals:\n"
    "        f.f_locals['calls'][:] = ['True'] * len(f.f_locals['calls'])\n    f = f.f_back",
    "searches the heap": "import gc\ndef NAME(*a):\n    return [o['expected'] for o in gc.get_objects() "
    "if type(o) is dict and 'expected' in o][0]",
    "reads the input": "import sys, json\ndef NAME(*a): return json.load(sys.stdin)['expected']",
    "reads the arguments": "def NAME(*a): return open('/proc/self/cmdline').read()",
    "reads the parent's memory": "import os\n"
    "def NAME(*a): return open('/proc/%d/mem' % os.getppid(), 'rb').read(9)",
    "deletes the tests": "import os\nfor n in os.listdir('.'): os.remove(n)\ndef NAME(*a): return None",
    "at exit": "import atexit; atexit.register(FORGE, '{\"value\": \"0\"}')",
    "in a thread": "import threading\nthreading.Thread(target=FORGE, args=('{\"value\": \"0\"}',)).start()",
    "in a trace": "import sys; sys.settrace(lambda f, e, a: FORGE('{\"value\": \"0\"}'))",
    "in a signal": "import signal; signal.signal(14, lambda *a: FORGE('{\"value\": \"0\"}'))\n"
    "signal.raise_signal(14)",
    "in a finaliser": "class A:\n    def __del__(s): FORGE('{\"value\": \"0\"}')\na = A()",
    "patches the main module": "import sys; m = sys.modules['__main__']; m.collect = m.run_calls = print",
    "kills the supervisor": "import os; os.kill(os.getppid(), 9)",
    "returns its argument": "def NAME(*a): return a[0]",
    "returns a string of the result": "g = NAME\ndef NAME(*a): return str(g(*a))",
    "returns many answers": "def NAME(*a): return [None, True, 0, 1, 2, [], a]",
    "returns nan": "def NAME(*a): return float('nan')",
    "raises the result": "g = NAME\ndef NAME(*a): raise Exception(g(*a))",
    "never ends": "def NAME(*a):\n    while True: pass",
    "floods": "def NAME(*a): return 'True' * 10_000_000",
}  # fmt: skip
_FORGE = """
import os as _os
def FORGE(line):
    for descriptor in range(3, 16):
        try: _os.write(descriptor, line.encode() + b"\\n")
        except OSError: pass
"""


def attempts(setup: Setup) -> Iterator[Attempt]:
    """Every kind around a wrong solution, and a right one. Broken: whatever a program returns is right."""
    isolated = has_bubblewrap()
    if not isolated:
        yield Attempt(
            "isolation, for want of bubblewrap (the programs run with limits only)", _held, trials=0
        )
    with ExitStack() as stack:
        if setup.is_broken:
            stack.enter_context(mock.patch.object(verify_code, "same_value", return_value=True))
        yield from _attempts(setup, isolated)


def _attempts(setup: Setup, isolated: bool) -> Iterator[Attempt]:
    rng = setup.rng("gaming")

    def check(problem: Problem, code: str) -> str:
        return _verdict(problem, code, isolated)

    for _ in range(setup.count):
        for name, kind in KINDS.items():
            problem = make_problem(rng.getrandbits(32), 0, code_fraction=1.0)
            called = re.match(r"\w+", problem.tests[0].call)
            assert called, problem.tests[0]
            code = _FORGE + problem.flawed_code + "\n" + kind.replace("NAME", called[0])
            yield Attempt(f"wrong: {name}", lambda p=problem, c=code: _accepted(check(p, c)))
            yield Attempt(f"right: {problem.family}", lambda p=problem: _refused(check(p, p.code)))


def _held() -> None:
    return None


def _verdict(problem: Problem, code: str, isolated: bool) -> str:
    author = "model" if isolated else "families"
    [check] = verify_code.verify_code([(code, problem.tests)], LIMITS, author, isolated)
    return check.verdict


def _accepted(verdict: str) -> str | None:
    return "a wrong program passed" if verdict == "passed" else None


def _refused(verdict: str) -> str | None:
    return None if verdict == "passed" else f"a right program is {verdict!r}"
