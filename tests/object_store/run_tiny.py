"""Run the data jobs and stage 1 of configs/tiny on an object store that fails, kill each job, compare.

    python tests/object_store/run_tiny.py [--rate 0.05] [--seed 1] [--output runs/object-store]

The store is moto behind fault_proxy.py. The corpus lies in the bucket. Every job runs twice: on a local root
without faults, and on s3://, where its process group gets SIGKILL at a random moment after it began to write,
and the job is then started again until it is done. Every table of both roots is then read and must hold the
same rows; a further run of every job must write nothing; stage 1, trained from the tokens on s3:// into a
local folder and killed once too, must log the same losses. Exit code 1 if not.
Cost: some 40 starts of jobs, most of them with Spark; 50 minutes on two cores that did other work beside it
(2026-11-27).
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import boto3  # noqa: E402

from configs import lease  # noqa: E402
from configs.command import EXIT_HELD  # noqa: E402
from configs.tables import read_manifest  # noqa: E402
from pipeline.inspection.compare import diff  # noqa: E402
from pipeline.run_all import STEPS  # noqa: E402
from tests.object_store.fault_proxy import running_proxy  # noqa: E402
from tests.object_store.moto_server import ENVIRONMENT, running_moto  # noqa: E402
from tests.pretrain.test_train import trace  # noqa: E402

PRESET, CORPUS = Path("configs/tiny"), Path("tests/data/sample-corpus")
BUCKET = "reasonmill-test"
REMOTE = f"s3://{BUCKET}/runs/tiny"
MAX_STARTS = 5
"""Of one job after its kill. A start may fail when the store stays away for longer than the clients wait."""

Listing = dict[str, object]


@dataclass
class Report:
    """What was done to each job, and what went wrong."""

    seed: int
    jobs: list[dict[str, object]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Store:
    """The object store without faults, as the harness itself sees it."""

    client: Any

    def upload(self, folder: Path, prefix: str) -> None:
        """Put every file of a folder into the bucket."""
        self.client.create_bucket(Bucket=BUCKET)
        for path in folder.rglob("*"):
            if path.is_file():
                key = f"{prefix}/{path.relative_to(folder)}"
                self.client.put_object(Bucket=BUCKET, Key=key, Body=path.read_bytes())

    def listing(self) -> Listing:
        """ETag and time of every object of the run, without leases."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="runs/tiny/")
        return {
            entry["Key"]: (entry["ETag"], entry["LastModified"])
            for page in pages
            for entry in page.get("Contents", ())
            if f"/{lease.FOLDER}/" not in entry["Key"]
        }


def local_listing(folder: Path) -> Listing:
    """Modification time of every file of a folder, without leases."""
    return {
        str(path): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and lease.FOLDER not in path.parts
    }


def main() -> int:
    """Run everything; print one line and write report.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=0.05, help="share of requests that meet a fault")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("runs/object-store"), help="deleted first")
    parser.add_argument("--jobs", nargs="*", help="only these; default all data jobs and stage 1")
    options = parser.parse_args()
    shutil.rmtree(options.output, ignore_errors=True)
    options.output.mkdir(parents=True)
    os.environ.update(ENVIRONMENT)
    os.environ.pop("AWS_ENDPOINT_URL_S3", None)
    with running_moto() as moto, running_proxy(moto, options.rate, options.seed) as proxy:
        store = Store(boto3.client("s3", endpoint_url=moto))
        store.upload(CORPUS, "corpus")
        report = Report(options.seed)
        run = Run(options.output, moto, proxy.address, store, random.Random(options.seed), report)
        run.everything(options.jobs)
        report.jobs.append({"job": "faults", **proxy.counts})
    for fault in report.failed:
        print(fault)
    (options.output / "report.json").write_text(json.dumps(vars(report), indent=1) + "\n")
    killed = sum(bool(job.get("was_killed")) for job in report.jobs)
    print(f"{killed} kills tried, {len(report.failed)} failed, seed {options.seed}: {dict(proxy.counts)}")
    return 1 if report.failed else 0


def data_jobs() -> dict[str, str]:
    """The module of every job that makes tables of the data half, by name, in their order."""
    modules = {name: step if isinstance(step, str) else step.__module__ for name, step in STEPS}
    return dict(list(modules.items())[: list(modules).index("tokenize") + 1])


@dataclass(frozen=True)
class Run:
    """One run of the harness."""

    output: Path
    moto: str
    proxy: str
    store: Store
    random: random.Random
    report: Report

    def everything(self, only: Sequence[str] | None) -> None:
        """Every job on both roots, the comparison, and the training."""
        preset = self.preset()
        jobs = {name: module for name, module in data_jobs().items() if only is None or name in only}
        for name, module in jobs.items():
            self.one_job(name, [module, "--preset", str(preset), "--output"])
        os.environ["AWS_ENDPOINT_URL"] = self.proxy
        self.compare()
        before = self.store.listing()
        for name, module in jobs.items():
            self.finish(f"{name} again", [module, "--preset", str(preset), "--output", REMOTE])
        after = self.store.listing()
        changed = {key for key in {*before, *after} if before.get(key) != after.get(key)}
        self.report.failed += [f"{key}: written again" for key in sorted(changed)]
        if only is None:
            self.training(preset)

    def preset(self) -> Path:
        """A copy of the preset that reads the corpus from the bucket."""
        copy = self.output / "preset"
        shutil.copytree(PRESET, copy)
        for path in copy.glob("*.toml"):
            text = path.read_text(encoding="utf-8")
            path.write_text(text.replace(str(CORPUS), f"s3://{BUCKET}/corpus"), encoding="utf-8")
        return copy

    def one_job(self, name: str, command: list[str]) -> None:
        """The job on the local root, then on the object store with a kill."""
        local = self.output / "local"
        with self.started(f"{name}-local", [*command, str(local)], self.moto) as process:
            began = wait_for_change(process, lambda: local_listing(local))
            process.wait()
            seconds = time.monotonic() - began
        if process.returncode:
            self.report.failed.append(f"{name}: exit code {process.returncode} on the local root")
        self.killed(name, [*command, REMOTE], self.store.listing, seconds)
        self.finish(name, [*command, REMOTE])

    def killed(self, name: str, command: list[str], listing: Callable[[], Listing], seconds: float) -> None:
        """Start the job and kill it within `seconds` after it began to write.

        One that ends before is started anew with --overwrite, and killed after half the time.
        """
        for number in range(MAX_STARTS):
            wait = self.random.uniform(0, seconds / 2**number)
            again = ["--overwrite"] if number else []
            with self.started(f"{name}-killed-{number}", [*command, *again], self.proxy) as process:
                wait_for_change(process, listing)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(wait)
                was_killed = process.poll() is None
            if was_killed:
                break
        self.report.jobs.append({"job": name, "after_s": round(wait, 2), "was_killed": was_killed})
        print(f"{name}: " + (f"killed after {wait:.1f} s" if was_killed else "too late to kill"), flush=True)

    def finish(self, name: str, command: list[str]) -> None:
        """Start the job until it ends well."""
        for number in range(1, MAX_STARTS + 1):
            with self.started(f"{name}-{number}", command, self.proxy) as process:
                process.wait()
            if process.returncode == 0:
                break
            if process.returncode == EXIT_HELD:
                time.sleep(1)
        else:
            self.report.failed.append(f"{name}: exit code {process.returncode} in start {number}")
        self.report.jobs.append({"job": name, "starts": number})
        print(f"{name}: done in start {number}", flush=True)

    @contextlib.contextmanager
    def started(self, name: str, command: list[str], address: str) -> Iterator[subprocess.Popen[bytes]]:
        """A job in a process group of its own; what it prints goes to a file."""
        logs = self.output / "logs"
        logs.mkdir(exist_ok=True)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL": address}
        with (logs / f"{name.replace(' ', '-')}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
            try:
                yield process
            finally:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def compare(self) -> None:
        """Read every table of both roots; of the two that `diff` leaves out, compare the digests."""
        local = str(self.output / "local")
        found = diff(local, REMOTE)
        self.report.failed += [f"{one.table}: {one}" for one in found if not one.is_equal]
        for table in ("benchmark_index", "tokens_index"):
            manifests = [read_manifest(root, table) for root in (local, REMOTE)]
            if len({manifest and manifest.digest for manifest in manifests}) > 1:
                self.report.failed.append(f"{table}: other content")
        print(f"{len(found) + 2} tables compared", flush=True)

    def training(self, preset: Path) -> None:
        """Preflight and stage 1: on the local root, and from the bucket into a folder."""
        local, trained = self.output / "local", self.output / "trained"
        options = ["--preset", str(preset), "--input"]
        for module in ("pretrain.preflight", "pretrain.train"):
            stage = ["--stage", "1"] if module == "pretrain.train" else []
            self.finish(f"{module}-local", [module, *options, str(local), *stage])
            remote = [module, *options, REMOTE, "--output", str(trained), *stage]
            if stage:
                self.killed("stage 1", remote, lambda: local_listing(trained), 10.0)
            self.finish(module, remote)
        logs = [root / "train/metrics.jsonl" for root in (local, trained)]
        if not all(log.is_file() for log in logs) or trace(local) != trace(trained):
            self.report.failed.append("train/metrics.jsonl: other losses")


def wait_for_change(process: subprocess.Popen[bytes], listing: Callable[[], Listing]) -> float:
    """Wait until something is written, or the process ends; gives the time of a monotonic clock."""
    before = listing()
    while process.poll() is None and listing() == before:
        time.sleep(0.05)
    return time.monotonic()


if __name__ == "__main__":
    sys.exit(main())
