"""Kill extend_mtp at random moments; what it leaves in the end must be what an unbroken run leaves.

    python tests/chaos/chaos_extend_mtp.py [--kills N] [--seed S] [--root runs/tiny] [--preset configs/tiny]

One unbroken run; then runs into one other folder, each killed (SIGKILL) at a random moment of the unbroken
one's time, until one comes to its end: its weights, its files and everything it measured but times must be
the unbroken run's. Then again in a new folder, until N were killed. Exit code 1 if anything differed.
Cost: about 30 s a kill on a busy core; needs a finished run.
"""

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from configs import tables  # noqa: E402

JOB = """
import runpy
import pretrain.decoding.acceptance
import pretrain.mtp_copies.state
pretrain.decoding.acceptance.SERVED_TOKENS = 8  # so that most of the time is the tuning's
pretrain.mtp_copies.state.SAVE_AFTER_S = 0.5
runpy.run_module("pretrain.extend_mtp", run_name="__main__", alter_sys=True)
"""
TIMES = ("draft_cost", "modelled_speedup", "measured_speedup", "tokens_per_second")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--root", default="runs/tiny", help="a finished run")
    parser.add_argument("--preset", type=Path, default=Path("configs/tiny"), help="of that run")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    num_killed, went_on, ended, wrong = 0, 0, 0, []
    with tempfile.TemporaryDirectory() as name:
        straight, killed = Path(name) / "straight", Path(name) / "killed"
        began = time.monotonic()
        extend(options, straight)
        seconds, expected = time.monotonic() - began, outcome(straight)
        while num_killed < options.kills or killed.exists():
            limit = rng.uniform(0.0, seconds) if num_killed < options.kills else None
            has_ended, log = extend(options, killed, limit)
            num_killed, went_on = num_killed + (not has_ended), went_on + ("continuing" in log)
            if has_ended:
                found, ended = outcome(killed), ended + 1
                wrong += [name for name, value in expected.items() if found[name] != value]
                shutil.rmtree(killed)
    print(f"{num_killed} kills, {went_on} runs went on in the tuning, {ended} came to their end")
    print(f"{len(wrong)} differences {wrong}")
    return int(bool(wrong))


def extend(
    options: argparse.Namespace, output: Path, killed_after_s: float | None = None
) -> tuple[bool, str]:
    """Run the job, to its end (True) or to its kill; what it logged."""
    command = [sys.executable, "-W", "ignore", "-c", JOB, "--preset", str(options.preset)]
    command += ["--input", options.root, "--output", str(output)]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=killed_after_s, check=False)
    except subprocess.TimeoutExpired as stopped:  # subprocess.run has sent SIGKILL
        return False, (stopped.stderr or b"").decode()
    if done.returncode:
        sys.exit(f"extend_mtp ended with exit code {done.returncode}\n{done.stderr.decode()[-4000:]}")
    return True, done.stderr.decode()


def outcome(root: Path) -> dict[str, object]:
    """What must not depend on kills."""
    manifest = tables.open_table(str(root), "extended").manifest
    facts = json.loads(json.dumps(manifest.facts))
    for way in (way for groups in facts["served"].values() for ways in groups.values() for way in ways):
        for name in TIMES:
            del way[name]
    files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
    return facts | {"digest": manifest.digest, "files": files}


if __name__ == "__main__":
    sys.exit(main())
