"""Kill the trainer at random steps and around stage boundaries; damage checkpoints in a thousand ways.

    python tests/chaos/chaos_training.py [--kills N] [--damages M] [--seed S]

A small run is trained unbroken, then again for every kill: SIGKILL after a random step, or one step before,
at and after each boundary; the log of the resumed run must equal the unbroken one's to the last digit. Then a
random file of a checkpoint is flipped, cut, emptied or deleted; every damage must be found before it is used.
`--broken` trains with an optimizer that forgets its state on resume, which must be noticed. Exit code 1 if
anything fails. Cost: about 25 s a kill on two cores, 20 ms a damage.
"""

import argparse
import json
import random
import shutil
import signal
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pretrain.model import compat  # noqa: E402
from pretrain.model.mimo import start_single_process  # noqa: E402
from pretrain.run import checkpoint  # noqa: E402
from pretrain.run.checkpoint import CheckpointError  # noqa: E402
from tests.pretrain import test_train  # noqa: E402
from tests.pretrain.run.test_checkpoint import damage, newest  # noqa: E402
from tests.pretrain.small_run import write_run  # noqa: E402
from tests.pretrain.test_train import interrupt, trace, train  # noqa: E402

BOUNDARIES = (10, 14)
"""Last steps of the small run's stages 1 and 2."""
BREAKER = """
import runpy
import megatron.core.optimizer.distrib_optimizer as upstream
upstream.DistributedOptimizer.load_state_dict = lambda self, state: None
runpy.run_module("pretrain.train", run_name="__main__", alter_sys=True)
"""


def main() -> int:
    """Kill, damage, print one line and write chaos_training.json into the current folder's runs/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--broken", action="store_true", help="must fail")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    around = [boundary + offset for boundary in BOUNDARIES for offset in (-1, 0, 1)]
    kills = (around + [rng.randrange(1, 18) for _ in range(options.kills)])[: options.kills]
    with tempfile.TemporaryDirectory() as folder:
        straight = Path(folder) / "straight"
        write_run(straight)
        train(straight)
        if options.broken:
            break_resume()
        faults = [fault for step in kills if (fault := kill_after(straight, Path(folder) / "run", step))]
        faults += damages(straight, Path(folder), options.damages, rng)
    for fault in faults:
        print(fault)
    report = {"kills": kills, "damages": options.damages, "failed": faults, "seed": options.seed}
    Path("runs").mkdir(exist_ok=True)
    Path("runs/chaos_training.json").write_text(json.dumps(report, indent=1) + "\n")
    tried = len(kills) + options.damages
    print(f"{tried} tried ({len(kills)} kills), {len(faults)} failed, seed {options.seed}")
    return 1 if faults else 0


def break_resume() -> None:
    """Let every later run forget the optimizer's state when it goes on."""
    whole = test_train.command

    def broken(root: Path, *options: str) -> list[str]:
        python, *_, module = whole(root)[:5]
        assert module == "pretrain.train"
        return [python, "-W", "ignore", "-c", BREAKER, *whole(root, *options)[5:]]

    test_train.command = broken


def kill_after(straight: Path, root: Path, step: int) -> str:
    """Kill a fresh run once `step` is logged, resume it, compare; the fault, or nothing."""
    shutil.rmtree(root, ignore_errors=True)
    write_run(root)
    code = interrupt(root, signal.SIGKILL, step)
    done = train(root)
    print(f"kill after step {step}: exit codes {code}, {done.returncode}", flush=True)
    if done.returncode:
        return f"kill after step {step}: the resumed run ended with {done.returncode}: {done.stderr[-300:]}"
    return "" if trace(root) == trace(straight) else f"kill after step {step}: other losses"


def damages(straight: Path, folder: Path, count: int, rng: random.Random) -> list[str]:
    """Damage copies of a checkpoint; what was not found."""
    compat.install()
    start_single_process()
    missed = []
    for _ in range(count):
        copy = folder / "copy"
        shutil.copytree(newest(straight, 3), copy)
        done = damage(copy, rng)
        try:
            checkpoint.verify(copy)
            missed.append(f"damage not found: {done}")
        except CheckpointError:
            pass
        shutil.rmtree(copy)
    return missed


if __name__ == "__main__":
    sys.exit(main())
