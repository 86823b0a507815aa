"""Kill the whole demo again and again, finish it, and compare with a run that nobody killed.

    python tests/chaos/chaos_demo.py --reference runs/tiny --output runs/chaos [--kills N] [--seed S]

The process group gets SIGKILL at a random moment of each step in turn, N times in all; the last run goes to
the end. Then every table must hold the same rows, training must have logged the same losses to the last
digit, evaluation must have measured the same, and one more run must change no file. Exit code 1 if not.
Cost: about twice a demo for the default 14 kills.
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
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from configs import lease  # noqa: E402
from pipeline.inspection.compare import diff  # noqa: E402
from pipeline.run_all import STEPS  # noqa: E402
from tests.pretrain.test_train import trace  # noqa: E402

PRESET = "configs/tiny"
REWRITTEN = frozenset(("summary.json", "report.html"))
"""What every run writes anew: they tell of the run itself. So do the leases."""


def main() -> int:
    """Kill, finish, compare; print one line and write chaos.json beside the run."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--reference", type=Path, default=Path("runs/tiny"), help="an unbroken run")
    parser.add_argument("--output", type=Path, default=Path("runs/chaos"), help="deleted first")
    parser.add_argument("--kills", type=int, default=14)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    seconds = json.loads((options.reference / "summary.json").read_text())["seconds_of_this_run"]
    shutil.rmtree(options.output, ignore_errors=True)
    rng = random.Random(options.seed)
    killed = [kill_in_step(options.output, step, rng, seconds[step]) for step in steps(options.kills)]
    run_to_the_end(options.output)
    faults = differences(options.reference, options.output)
    before = modified(options.output)
    run_to_the_end(options.output)
    faults += [f"{name}: written again" for name in sorted(changed(before, modified(options.output)))]
    for fault in faults:
        print(fault)
    report = {"tried": killed, "failed": faults, "seed": options.seed}
    (options.output / "chaos.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{len(killed)} kills tried, {len(faults)} failed, seed {options.seed}")
    return 1 if faults else 0


def steps(kills: int) -> list[str]:
    """The step of each kill: every step in its order as often as the others, the first ones once more."""
    names = [name for name, _ in STEPS]
    rounds, more = divmod(kills, len(names))
    return [name for number, name in enumerate(names) for _ in range(rounds + (number < more))]


def kill_in_step(output: Path, step: str, rng: random.Random, seconds: float) -> dict[str, object]:
    """Start the demo, wait for `step`, kill everything at a random moment of it."""
    with start(output) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.rstrip().endswith(f"] {step} ..."):
                break
        wait = rng.uniform(0, seconds)
        time.sleep(wait)
        was_finished = process.poll() is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    print(f"killed in {step} after {wait:.1f} s" + (": too late" if was_finished else ""), flush=True)
    return {"step": step, "after_s": round(wait, 2), "was_finished": was_finished}


def start(output: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "pipeline.run_all", "--preset", PRESET, "--output", str(output)]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )


def run_to_the_end(output: Path) -> None:
    with start(output) as process:
        process.communicate()
    if process.returncode:
        sys.exit(f"{output}: the demo ended with exit code {process.returncode}")


def differences(reference: Path, output: Path) -> list[str]:
    """What differs in content between two finished runs, a line each."""
    faults = [f"{found.table}: {found}" for found in diff(str(reference), str(output)) if not found.is_equal]
    if trace(reference) != trace(output):
        faults.append("train/metrics.jsonl: other losses")
    if evaluation(reference) != evaluation(output):
        faults.append("evaluation.json: other measurements")
    return faults


def evaluation(root: Path) -> object:
    """What was measured, without when and by which commit."""
    return json.loads((root / "evaluation.json").read_text())["stages"]


def modified(root: Path) -> dict[str, int]:
    """Modification time of every file that a finished run keeps."""
    return {
        str(path.relative_to(root)): path.stat().st_mtime_ns
        for path in root.rglob("*")
        if path.is_file() and path.name not in REWRITTEN and path.relative_to(root).parts[0] != lease.FOLDER
    }


def changed(before: dict[str, int], after: dict[str, int]) -> set[str]:
    """Names of files that came, went or were written again."""
    return {name for name in {*before, *after} if before.get(name) != after.get(name)}


if __name__ == "__main__":
    sys.exit(main())
