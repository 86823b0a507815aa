"""One line and exit code 2 for users' mistakes; a traceback only for our own."""

import subprocess
import sys
from pathlib import Path

import pytest

from configs.command import place_of
from configs.loader import ConfigError

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


def test_a_root_has_no_slash_at_its_end_and_no_options() -> None:
    place = place_of(Path("configs/tiny"), "s3://bucket/in/", "out//")
    assert (place.input, place.output) == ("s3://bucket/in", "out")
    assert place_of(Path("configs/tiny"), "/", None).output == "/"
    with pytest.raises(ConfigError, match=r"no options after a question mark; remedy: .* AWS_ENDPOINT_URL"):
        place_of(Path("configs/tiny"), None, "s3://bucket/root?scheme=http")
