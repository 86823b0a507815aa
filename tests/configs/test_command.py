"""One line and exit code 2 for users' mistakes; a traceback only for our own."""

import subprocess
import sys
from pathlib import Path

JOB = '''"""Test job."""
import sys
from configs.command import Place, main
from configs.contract import ContractError
from configs.loader import ConfigError

def job(place: Place) -> None:
    if place.dry_run:
        raise ContractError("table: broken; remedy: mend it")
    if place.overwrite:
        raise RuntimeError("ours")
    print(place.input, place.output, __name__)

if __name__ == "__main__":
    main(job)
'''


def run(folder: Path, *options: str, by_path: bool = False) -> subprocess.CompletedProcess[str]:
    (folder / "room").mkdir(exist_ok=True)
    (folder / "room" / "job.py").write_text(JOB)
    root = Path(__file__).parents[2]
    program = [str(folder / "room" / "job.py")] if by_path else ["-m", "room.job"]
    return subprocess.run(
        [sys.executable, *program, "--preset", "configs/tiny", *options],
        capture_output=True, text=True, env={"PYTHONPATH": f"{root}:{folder}"}, cwd=root, timeout=60,
    )  # fmt: skip


def test_roots_default_to_the_run_of_the_preset(tmp_path: Path) -> None:
    assert run(tmp_path).stdout == "runs/tiny runs/tiny room.job\n"
    assert run(tmp_path, "--input", "a").stdout == "a a room.job\n"
    assert run(tmp_path, "--input", "a", "--output", "b").stdout == "a b room.job\n"
    assert run(tmp_path, "--output", "b").stdout == "b b room.job\n"


def test_a_job_run_by_its_path_bears_its_own_name(tmp_path: Path) -> None:
    """As spark-submit runs it; workers look its functions up by this name."""
    assert run(tmp_path, "--output", "b", by_path=True).stdout == "b b room.job\n"


def test_a_users_mistake_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run(tmp_path, "--dry-run")
    assert (done.returncode, done.stderr) == (2, "error: table: broken; remedy: mend it\n")


def test_our_fault_shows_its_traceback(tmp_path: Path) -> None:
    done = run(tmp_path, "--overwrite")
    assert done.returncode == 1
    assert "RuntimeError: ours" in done.stderr
