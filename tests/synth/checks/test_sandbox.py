import os
from pathlib import Path

import pytest

from configs.loader import ConfigError
from synth.checks.sandbox import Limits, Outcome, Program, has_bubblewrap, run_programs

LIMITS = Limits(timeout_s=2)
MODES = [
    pytest.param(False, id="rlimits"),
    pytest.param(True, id="bubblewrap", marks=pytest.mark.bubblewrap),
]


def run_one(code: str, isolated: bool, call: str = "f()") -> Outcome:
    return run_programs([Program(code, (call,))], LIMITS, "families", isolated)[0]


@pytest.mark.parametrize("isolated", MODES)
def test_values_come_back_in_order(isolated: bool) -> None:
    programs = [
        Program("def f(n): return [n, str(n)]", ("f(1)", "f(2)")),
        Program("x = 3", ("x", "y", "x + 1")),
    ]
    assert run_programs(programs, LIMITS, "families", isolated) == [
        Outcome(("[1, '1']", "[2, '2']"), "done"),
        Outcome(("3", None, "4"), "done"),
    ]


@pytest.mark.parametrize("isolated", MODES)
@pytest.mark.parametrize("code", ["while True: pass", "import time\ndef f(): time.sleep(60)"])
def test_endless_programs_are_killed_and_the_next_one_runs(isolated: bool, code: str) -> None:
    outcomes = run_programs([Program(code, ("f()",)), Program("", ("1",))], LIMITS, "families", isolated)
    assert outcomes == [Outcome((None,), "timeout"), Outcome(("1",), "done")]


@pytest.mark.parametrize("isolated", MODES)
def test_memory_is_limited(isolated: bool) -> None:
    assert run_one("def f(): return len(bytearray(1 << 29))", isolated).values == (None,)
    assert run_one("def f(): return len(bytearray(1 << 20))", isolated).values == ("1048576",)


@pytest.mark.parametrize("isolated", MODES)
def test_files_are_limited_and_left_nowhere(isolated: bool) -> None:
    write = "def f():\n    with open('big', 'wb') as file:\n        return file.write(bytes({}))"
    assert run_one(write.format(1 << 22), isolated).values == (None,)
    assert run_one(write.format(1 << 10), isolated).values == ("1024",)
    assert not Path("big").exists()


@pytest.mark.parametrize("isolated", MODES)
def test_output_is_limited(isolated: bool) -> None:
    assert run_one("def f(): return 'x' * 10**6", isolated) == Outcome((None,), "output_limit")


@pytest.mark.parametrize("isolated", MODES)
def test_printing_and_leaving_early_prove_nothing(isolated: bool) -> None:
    assert run_one('print(\'{"value": "1"}\')\nraise SystemExit(0)', isolated).values == (None,)
    assert run_one("import os\nos._exit(0)", isolated) == Outcome((None,), "crashed")


@pytest.mark.parametrize("isolated", MODES)
def test_the_environment_is_not_inherited(isolated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REASONMILL_API_KEY", "canary")
    seen = run_one("import os\ndef f(): return dict(os.environ)", isolated).values[0]
    assert seen is not None
    assert "canary" not in seen


@pytest.mark.parametrize("isolated", MODES)
def test_no_third_party_packages(isolated: bool) -> None:
    assert run_one("import numpy\ndef f(): return 1", isolated).values == (None,)


@pytest.mark.bubblewrap
@pytest.mark.parametrize(
    "body",
    [
        "open('/etc/passwd').read()",
        "open('/usr/canary', 'w')",
        "__import__('socket').socket()",
        "__import__('os').kill({pid}, 0)",
        "__import__('os').listdir('{folder}')",
        "1 / (__import__('ctypes').CDLL(None).unshare(0x10000000) == 0)",
        "1 / (__import__('ctypes').CDLL(None).ptrace(0, 0, 0, 0) == 0)",
        "open('/proc/%d/fd/1' % __import__('os').getppid(), 'w')",
        "__import__('os').fork()",
        "__import__('threading').Thread(target=int).start()",
        "open('/dev/shm/a', 'w')",
        "open('/a', 'w')",
        "1 / (__import__('ctypes').CDLL(None).shmget(0, 1 << 20, 0o1600) >= 0)",
        # bubblewrap's own process 1 would show the pipe that our results come through
        "[d for d in '012' if __import__('os').readlink('/proc/1/fd/' + d)][0]",
    ],
)
def test_bubblewrap_contains(body: str, tmp_path: Path) -> None:
    text = body.replace("{pid}", str(os.getpid())).replace("{folder}", str(tmp_path))
    assert run_one(f"def f(): return {text}", isolated=True).values == (None,)


@pytest.mark.parametrize("isolated", MODES)
@pytest.mark.parametrize(
    ("line", "value"),
    [("'[' * 50_000", None), ("'9' * 5_000", None), ("""r'{"value": "\\ud800"}'""", "?")],
    ids=["deep", "long number", "lone surrogate"],
)
def test_what_a_program_writes_to_the_pipe_itself_breaks_nothing(
    isolated: bool, line: str, value: str | None
) -> None:
    code = f"""
import os
for descriptor in range(3, 16):
    try:
        os.write(descriptor, ({line}).encode() + b"\\n")
    except OSError:
        pass
os._exit(0)
"""
    assert run_one(code, isolated).values == (value,)


def test_model_code_is_refused_without_bubblewrap() -> None:
    with pytest.raises(ConfigError, match="install bubblewrap"):
        run_programs([Program("", ("1",))], LIMITS, "model", isolated=False)


def test_without_bubblewrap_on_the_path_there_is_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not has_bubblewrap()
    refusing = tmp_path / "bwrap"
    refusing.write_text("#!/bin/sh\nexit 1\n")
    refusing.chmod(0o755)
    assert not has_bubblewrap()
