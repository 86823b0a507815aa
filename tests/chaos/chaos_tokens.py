"""Damage token files in a thousand ways; nothing that differs from what tokenize wrote may reach the loss.

    python tests/chaos/chaos_tokens.py [--damages N] [--seed S] [--careless]

A small root of tokens that preflight has passed is damaged again and again: bits flipped, files cut, disk
blocks zeroed, two files swapped, older files put back, in .bin, .idx, spans.parquet, blocks.parquet,
manifest.json and the list of parts. Each time preflight must refuse the root, and the trainer's loader must
refuse it too or draw exactly the undamaged tokens. `--careless` ignores the digests that tokenize wrote,
which must be noticed.
Exit code 1 if anything fails. Cost: about 0.1 s a damage.
"""

import argparse
import contextlib
import io
import json
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from pretrain.plan import token_files, verify_tokens  # noqa: E402
from tests.pretrain.token_damage import (  # noqa: E402
    KINDS,
    TARGETS,
    read_any_digests,
    try_damage,
    write_token_root,
)


def main() -> int:
    """Damage, print one line and write chaos_tokens.json into the current folder's runs/."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--damages", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--careless", action="store_true", help="must fail")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    tried: Counter[str] = Counter()
    faults = []
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        tokens = write_token_root(Path(folder))
        if options.careless:
            for module in (token_files, verify_tokens):
                module.read_digests = read_any_digests
        for number in range(options.damages):
            # Every kind with every file in turn; tokens themselves twice as often.
            kind = list(KINDS)[number % len(KINDS)]
            target = (*TARGETS, "*.bin")[number // len(KINDS) % (len(TARGETS) + 1)]
            tried[f"{kind} {target}"] += 1
            faults += [fault for fault in [try_damage(tokens, kind, target, rng)] if fault]
    for fault in faults:
        print(fault)
    report = {"tried": dict(sorted(tried.items())), "failed": faults, "seed": options.seed}
    Path("runs").mkdir(exist_ok=True)
    Path("runs/chaos_tokens.json").write_text(json.dumps(report, indent=1) + "\n")
    print(f"{options.damages} tried, {len(faults)} failed, seed {options.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
