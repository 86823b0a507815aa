"""What the filters keep, drop and cost: run as `python tests/benchmarks/bench_filters.py --eval-data DIR`.

1. Survival: share of every good class and kind of junk that each preset keeps, datatrove's where given;
   and of one handbook in many languages.
2. Agreement: on real documents without math or code, our gopher, c4 and fineweb against datatrove's, every
   difference with its cause.
3. Decontamination: verbatim and re-typeset copies found, clean documents flagged.
4. Personal data planted and masked, look-alikes masked, by kind.
5. Speed of each filter on documents of 2.6 kB, in CPU time of this process.
Languages are not filtered here: Latin junk is judged as prose in another language (the gate filters them).
Sets absent from DIR are left out. datatrove lives in its own environment: --peer-python.
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

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from explain_differences import explain  # noqa: E402
from filter_corpora import (  # noqa: E402
    benchmark_problems,
    good_classes,
    is_problem_class,
    language_classes,
    real_texts,
)
from filter_junk import junk_classes  # noqa: E402
from pii_cases import look_alikes, planted  # noqa: E402
from retypeset import retypeset  # noqa: E402

from filters.decontaminate import Index, build_index, contaminated_by  # noqa: E402
from filters.language import identify  # noqa: E402
from filters.licences import licence_of  # noqa: E402
from filters.measure.stats import measure  # noqa: E402
from filters.minhash import shingles, signature  # noqa: E402
from filters.pii import mask_pii  # noqa: E402
from filters.presets import preset  # noqa: E402
from filters.rules import reject_reason  # noqa: E402
from filters.toxicity import SHIPPED_WORDS, build_word_list, toxicity  # noqa: E402

PRESETS = ("gopher", "c4", "fineweb", "dclm-rules", "dolma3", "openwebmath-rules", "bigcode", "reasonmill")
PEER_CHAINS = ("gopher", "c4", "fineweb")
NUM_COMPARED = 2_000
Decisions = dict[str, dict[str, str | None]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--peer-python", help="interpreter of an environment with datatrove 0.10.1 and spacy")
    arguments = parser.parse_args()
    good = good_classes(arguments.eval_data)
    if not good:
        sys.exit(f"{arguments.eval_data}: no evaluation set found; unpack them there")
    junk = junk_classes()
    compared = comparable(real_texts(arguments.eval_data)) if arguments.peer_python else []
    peer: Decisions = {}
    if arguments.peer_python:
        classes = [text for found in (*good.values(), *junk.values()) for text in found]
        peer = peer_decisions(arguments.peer_python, [*classes, *compared])
    print_survival("good, kept", good, peer)
    print_survival("junk, kept", junk, peer)
    print_survival("handbook by language, kept", language_classes(arguments.eval_data), {})
    if peer:
        print_agreement(compared, peer)
    clean = [text for name, texts in good.items() if not is_problem_class(name) for text in texts]
    problems = list(benchmark_problems(arguments.eval_data))
    index = build_index(problems)
    if problems:
        print_decontamination(problems, index, clean)
    print_personal_data()
    print_speed(clean, index)


def comparable(texts: list[str]) -> list[str]:
    """NUM_COMPARED of the texts without math or code, chosen by a seed."""
    random.Random(7).shuffle(texts)
    measured = ((text, measure(text)) for text in texts)
    found = (text for text, s in measured if s.code_char_fraction == s.math_char_fraction == 0)
    return [text for _, text in zip(range(NUM_COMPARED), found, strict=False)]


def peer_decisions(python: str, texts: list[str]) -> Decisions:
    """Text -> chain -> reason or None, by datatrove in its own process; prints its speed."""
    script = Path(__file__).with_name("datatrove_decisions.py")
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    done = subprocess.run([python, script], input=lines, capture_output=True, text=True, check=True)
    *decisions, speed = map(json.loads, done.stdout.splitlines())
    print("datatrove docs/s:", {chain: round(value) for chain, value in speed["docs_per_s"].items()})
    return dict(zip(texts, decisions, strict=True))


def print_survival(title: str, classes: dict[str, list[str]], peer: Decisions) -> None:
    peers = PEER_CHAINS if peer else ()
    print(f"\n{title:28s}", *(f"{name[:10]:>10s}" for name in (*PRESETS, *(f"dt:{p}" for p in peers))))
    for name, texts in classes.items():
        measured = [(measure(text), identify(text)) for text in texts]
        reasons = {p: [reject_reason(s, preset(p), lang.language) for s, lang in measured] for p in PRESETS}
        kept = [share(reason is None for reason in reasons[p]) for p in PRESETS]
        kept += [share(peer[text][p] is None for text in texts) for p in peers]
        print(f"{name:22s}{len(texts):6d}", *(f"{value:10.3f}" for value in kept))
        dropped = Counter(filter(None, reasons["reasonmill"]))
        if dropped:
            print("      reasonmill drops:", dict(dropped.most_common(4)))


def print_agreement(texts: list[str], peer: Decisions) -> None:
    print(f"\nagreement with datatrove on {len(texts)} real documents without math or code")
    for name in PEER_CHAINS:
        differing = Counter()
        for text in texts:
            stats = measure(text)
            theirs, ours = peer[text][name], reject_reason(stats, preset(name))
            if (theirs is None) != (ours is None):
                differing[theirs or "kept", ours or "kept", explain(name, stats, theirs, ours)] += 1
        print(f"{name}: {1 - differing.total() / len(texts):.4f}, {differing.total()} differ")
        for (theirs, ours, cause), count in differing.most_common():
            print(f"  {count:3d}  datatrove: {theirs:34s} ours: {ours:26s} {cause}")


def print_decontamination(problems: list[tuple[str, str]], index: Index, clean: list[str]) -> None:
    rng = random.Random(5)
    indexed = set(index.names)
    sample = rng.sample([problem for problem in problems if problem[0] in indexed], 1500)
    verbatim = share(contaminated_by(rng.choice(clean)[:800] + "\n" + text, index) for _, text in sample)
    copies = [rng.choice(clean)[:800] + "\n" + retypeset(text, rng) for _, text in sample]
    found = share(contaminated_by(copy, index) for copy in copies)
    flagged = [name for text in clean if (name := contaminated_by(text, index))]
    print(
        f"\ndecontamination: {len(indexed)} of {len(problems)} problem texts indexed (others too short), "
        f"{len(index.hashes)} windows\n  verbatim found {verbatim:.4f}, re-typeset found {found:.4f}, "
        f"clean flagged {len(flagged)} of {len(clean)} {flagged[:5]}"
    )


def print_personal_data() -> None:
    cases = planted()
    masked = Counter(kind for kind, text, part in cases if part not in mask_pii(text).text)
    alike = look_alikes()
    wrong = Counter(kind for kind, text in alike if mask_pii(text).text != text)
    print("\npersonal data masked, of planted:")
    for kind, total in Counter(kind for kind, _, _ in cases).items():
        print(f"  {kind:26s}{masked[kind]:5d} of {total}")
    print(f"  look-alikes masked        {wrong.total():5d} of {len(alike)} {dict(wrong)}")


def print_speed(texts: Iterable[str], index: Index) -> None:
    documents = [chunk for chunk in chunks(texts, 2600) if len(chunk) > 2000]
    num_kb = sum(map(len, documents)) / 1000
    print(f"\nspeed on {len(documents)} documents of {1000 * num_kb / len(documents):.0f} characters")
    words = build_word_list(SHIPPED_WORDS)
    steps: tuple[tuple[str, Callable[[str], object]], ...] = (
        ("measure", measure),
        ("identify", identify),
        ("toxicity", lambda text: toxicity(text, words)),
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


def share(outcomes: Iterable[object]) -> float:
    values = [bool(outcome) for outcome in outcomes]
    return sum(values) / len(values)


if __name__ == "__main__":
    main()
