"""Documents a second and core of the students: `python tests/benchmarks/bench_taggers.py --eval-data DIR
[--encoder DIR]`.

CPU time of this process, one thread, over labelled documents of 2.3 to 2.9 kB (mean 2.6 kB). NeMo Curator's
floor for two fastText models is 470-550 documents a second and core. --peer-python is accepted and unused: no
peer has a student of these dimensions.
"""

import argparse
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from filters import taggers
from filters.taggers.fasttext import features
from filters.taggers.statistics import statistics
from pipeline.taggers.labels import read_labels

ROUNDS = 5
NUM_ENCODED = 20
"""Documents for the encoder, which takes about a hundred times as long."""


def main() -> int:
    """Print one line per student and part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, help="folder made by pipeline.taggers.train_encoder")
    parser.add_argument("--peer-python", help="unused")
    options = parser.parse_args()
    labels = read_labels(options.eval_data / "quality-labels.jsonl")
    texts = [label.text for label in labels if 2_300 <= len(label.text) <= 2_900]
    print(f"{len(texts)} documents, mean {sum(map(len, texts)) / len(texts):,.0f} characters")
    student = taggers.load()
    report("fasttext student, all dimensions", texts, student.score, ROUNDS)
    report("  of it features", texts, features, ROUNDS)
    report("  of it measurements", texts, statistics, ROUNDS)
    if options.encoder:
        import torch

        torch.set_num_threads(1)
        report("encoder student", texts[:NUM_ENCODED], taggers.load(options.encoder).score, 2)
    return 0


def report(name: str, texts: list[str], function: object, rounds: int) -> None:
    """The best round, as other processes can only slow one down."""
    seconds = []
    for _ in range(rounds):
        started = time.process_time()
        for text in texts:
            function(text)  # type: ignore[operator]
        seconds.append(time.process_time() - started)
    per_document = min(seconds) / len(texts)
    print(f"{name}: {1 / per_document:,.0f} documents/s/core, {1e3 * per_document:.2f} ms a document")


if __name__ == "__main__":
    sys.exit(main())
