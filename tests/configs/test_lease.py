"""Two processes never do the same job on the same root; a dead owner holds nothing."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from configs.command import Place
from configs.contract import ContractError
from configs.job import run_job
from configs.lease import LeaseHeldError, lease, require_held

JOB = """
import sys, time
from pathlib import Path
from configs.command import Place, main
from configs.job import run_job

def job(place: Place) -> None:
    folder = Path(__file__).parents[1]
    def find():
        return (folder / "done").exists() or None
    def work():
        with (folder / "log").open("a") as stream:
            stream.write("began\\n")
            stream.flush()
            time.sleep(float((folder / "seconds").read_text()))
            stream.write("ended\\n")
        (folder / "done").touch()
        return True
    run_job(place, "example", "do it", find, work)

if __name__ == "__main__":
    main(job)
"""
ROOT = Path(__file__).parents[2]


def start(folder: Path, seconds: float, root: str = "") -> subprocess.Popen[str]:
    (folder / "room").mkdir(exist_ok=True)
    (folder / "room" / "job.py").write_text(JOB)
    (folder / "seconds").write_text(str(seconds))
    return subprocess.Popen(
        [sys.executable, "-m", "room.job", "--preset", "configs/tiny", "--output", root or str(folder)],
        stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(folder), *sys.path])},
    )  # fmt: skip


def wait_for(path: Path, text: str) -> None:
    for _ in range(600):
        if path.exists() and text in path.read_text():
            return
        time.sleep(0.1)
    pytest.fail(f"{path} never held {text!r}")


def the_second_ends_with_75_and_names_the_first(tmp_path: Path, root: str) -> None:
    first = start(tmp_path, 600.0, root)
    wait_for(tmp_path / "log", "began")
    second = start(tmp_path, 600.0, root)
    _, errors = second.communicate(timeout=60)
    assert second.returncode == 75
    message = rf"error: {root}: example is being run by process {first.pid} on \S+ since 20\d\d-"
    assert re.match(message, errors.splitlines()[-1])
    first.send_signal(signal.SIGKILL)
    first.communicate(timeout=60)
    third = start(tmp_path, 0.0, root)  # a dead owner holds nothing
    third.communicate(timeout=60)
    assert third.returncode == 0
    assert (tmp_path / "log").read_text().split() == ["began", "began", "ended"]


def test_on_a_folder_the_second_of_two_runs_ends_with_75_and_names_the_first(tmp_path: Path) -> None:
    the_second_ends_with_75_and_names_the_first(tmp_path, str(tmp_path))


def test_on_an_object_store_the_second_of_two_runs_ends_with_75_and_names_the_first(
    tmp_path: Path, bucket: str
) -> None:
    the_second_ends_with_75_and_names_the_first(tmp_path, f"{bucket}/root")


def test_of_two_runs_started_together_the_work_is_done_by_one_at_a_time(tmp_path: Path) -> None:
    for _ in range(3):
        (tmp_path / "log").unlink(missing_ok=True)
        (tmp_path / "done").unlink(missing_ok=True)
        runs = [start(tmp_path, 0.2) for _ in range(2)]
        codes = [run.communicate(timeout=60) and run.returncode for run in runs]
        assert sorted(codes) in ([0, 0], [0, 75])
        assert (tmp_path / "log").read_text().split() == ["began", "ended"]


def test_other_jobs_and_other_roots_are_free(tmp_path: Path) -> None:
    with lease(str(tmp_path), "filter"):
        with lease(str(tmp_path), "score"), lease(f"file://{tmp_path}/other", "filter"):
            pass
        owner = rf"filter is being run by process {os.getpid()} on"
        with pytest.raises(LeaseHeldError, match=owner), lease(f"file://{tmp_path}", "filter"):
            pytest.fail("held twice")
    with lease(str(tmp_path), "filter"):
        pass


def test_a_job_that_fails_gives_its_lease_back(tmp_path: Path) -> None:
    def fail() -> None:
        raise ContractError("broken; remedy: none")

    place = Place(tmp_path, str(tmp_path), str(tmp_path))
    for _ in range(2):
        with pytest.raises(ContractError, match="broken"):
            run_job(place, "example", "fail", lambda: None, fail)


def test_where_there_is_no_lease_a_line_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), lease("hdfs://name/root", "filter"):
        require_held("hdfs://name/root")
    assert "no lease there: do not start filter a second time" in caplog.text


def test_only_the_first_rank_holds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with lease(str(tmp_path), "train"):
        monkeypatch.setenv("RANK", "1")
        with lease(str(tmp_path), "train"):
            pass
