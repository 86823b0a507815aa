"""What the filters keep, drop and cost: run as `python tests/benchmarks/bench_filters.py --eval-data DIR`.

1. Survival: share of every good class and every kind of junk that each preset keeps, datatrove's where given.
2. Agreement: on documents without math or code, our gopher, c4 and fineweb against datatrove's decisions.
3. Decontamination: verbatim and re-typeset copies found, clean documents flagged, cost.
4. Speed of each filter on documents of 2.6 kB, in CPU time of this process.
Sets absent from DIR are left out and named. datatrove lives in its own environment: --peer-python.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from filter_corpora import benchmark_problems, good_classes, junk_classes
from retypeset import retypeset

from filters.decontaminate import Index, build_index, contaminated_by
from filters.language import identify
from filters.licences import licence_of
from filters.minhash import shingles, signature
from filters.pii import mask_pii
from filters.rules import preset, reject_reason
from filters.stats import measure

PRESETS = ("gopher", "c4", "fineweb", "dclm-rules", "dolma3", "openwebmath-rules", "bigcode", "reasonmill")
PEER_CHAINS = ("gopher", "c4", "fineweb")
PROBLEM_CLASSES = ("MATH", "GSM8K", "MBPP", "HumanEval", "AQuA")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--peer-python", help="interpreter of an environment with datatrove 0.10.1 and spacy")
    arguments = parser.parse_args()
    good = good_classes(arguments.eval_data)
    if not good:
        sys.exit(f"{arguments.eval_data}: no evaluation set found; unpack them there")
    junk = junk_classes()
    peer = {}
    if arguments.peer_python:
        texts = [text for classes in (good, junk) for found in classes.values() for text in found]
        peer = peer_decisions(arguments.peer_python, texts)
    print_survival("good, kept", good, peer)
    print_survival("junk, kept", junk, peer)
    prose = [text for name, texts in good.items() if not is_problem_class(name) for text in texts]
    if peer:
        print_agreement(prose, peer)
    problems = list(benchmark_problems(arguments.eval_data))
    index = build_index(problems)
    if problems:
        print_decontamination(problems, index, prose)
    print_speed(prose, index)


def is_problem_class(name: str) -> bool:
    return name.removeprefix("labelled ").lower() in {c.lower() for c in (*PROBLEM_CLASSES, "omi2")}


def peer_decisions(python: str, texts: list[str]) -> dict[str, dict[str, str | None]]:
    """Text -> chain -> reason or None, by datatrove in its own process; prints its speed."""
    script = Path(__file__).with_name("datatrove_decisions.py")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run([python, script], input=lines, capture_output=True, text=True, check=True)
    *decisions, speed = map(json.loads, done.stdout.splitlines())
    print("datatrove docs/s:", {chain: round(value) for chain, value in speed["docs_per_s"].items()})
    return dict(zip(texts, decisions, strict=True))


def print_survival(title: str, classes: dict[str, list[str]], peer: dict[str, dict[str, str | None]]) -> None:
    peers = PEER_CHAINS if peer else ()
    print(f"\n{title:28s}", *(f"{name[:10]:>10s}" for name in (*PRESETS, *(f"dt:{p}" for p in peers))))
    for name, texts in classes.items():
        measured = [measure(text) for text in texts]
        kept = [mean(reject_reason(stats, preset(p)) is None for stats in measured) for p in PRESETS]
        kept += [mean(peer[text][p] is None for text in texts) for p in peers]
        print(f"{name:22s}{len(texts):6d}", *(f"{share:10.3f}" for share in kept))
        reasons = Counter(reject_reason(stats, preset("reasonmill")) for stats in measured)
        del reasons[None]
        if reasons:
            print("      reasonmill drops:", dict(reasons.most_common(4)))


def print_agreement(texts: list[str], peer: dict[str, dict[str, str | None]]) -> None:
    measured = [(measure(text), peer[text]) for text in texts]
    measured = [(s, p) for s, p in measured if s.code_char_fraction == s.math_char_fraction == 0]
    print(f"\nagreement with datatrove on {len(measured)} documents without math or code")
    for name in PEER_CHAINS:
        pairs = [(p[name], reject_reason(s, preset(name))) for s, p in measured]
        differences = Counter(pair for pair in pairs if (pair[0] is None) != (pair[1] is None))
        share = 1 - sum(differences.values()) / len(pairs)
        print(f"{name:10s} {share:.4f}  datatrove, ours: {dict(differences)}")


def print_decontamination(problems: list[tuple[str, str]], index: Index, clean: list[str]) -> None:
    rng = random.Random(5)
    indexed = set(index.names)
    sample = rng.sample([problem for problem in problems if problem[0] in indexed], 1500)
    verbatim = mean(contaminated_by(rng.choice(clean)[:800] + "\n" + text, index) for _, text in sample)
    copies = [rng.choice(clean)[:800] + "\n" + retypeset(text, rng) for _, text in sample]
    found = mean(contaminated_by(copy, index) for copy in copies)
    flagged = [name for text in clean if (name := contaminated_by(text, index))]
    print(
        f"\ndecontamination: {len(indexed)} of {len(problems)} problem texts indexed (others too short), "
        f"{len(index.hashes)} windows\n  verbatim found {verbatim:.4f}, re-typeset found {found:.4f}, "
        f"clean flagged {len(flagged)} of {len(clean)} {flagged[:5]}"
    )


def print_speed(texts: Iterable[str], index: Index) -> None:
    documents = [chunk for chunk in chunks(texts, 2600) if len(chunk) > 2000]
    num_kb = sum(map(len, documents)) / 1000
    print(f"\nspeed on {len(documents)} documents of {1000 * num_kb / len(documents):.0f} characters")
    steps: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("measure", measure),
        ("identify", identify),
        ("mask_pii", mask_pii),
        ("licence_of", licence_of),
        ("contaminated_by", lambda text: contaminated_by(text, index)),
        ("shingles + signature(112)", lambda text: signature(shingles(text), 112, 1)),
    )
    for name, step in steps:
        seconds = min(cpu_seconds(step, documents) for _ in range(3))
        print(f"  {name:26s}{len(documents) / seconds:8.0f} docs/s {1e6 * seconds / num_kb:8.0f} us/kB")


def chunks(texts: Iterable[str], size: int) -> Iterable[str]:
    """Documents joined until they reach `size`, then cut to it."""
    held = ""
    for text in texts:
        held = f"{held}\n\n{text}" if held else text
        if len(held) >= size:
            yield held[:size]
            held = ""


def cpu_seconds(step: Callable[[str], object], documents: list[str]) -> float:
    start = time.process_time()
    for document in documents:
        step(document)
    return time.process_time() - start


def mean(values: Iterable[object]) -> float:
    outcomes = [bool(value) for value in values]
    return sum(outcomes) / len(outcomes)


if __name__ == "__main__":
    main()
