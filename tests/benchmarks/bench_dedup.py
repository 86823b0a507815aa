"""What deduplication finds and costs: run as `python tests/benchmarks/bench_dedup.py`.

1. Shingles and signature on documents of 2.6 kB, in CPU time of this process; datatrove's beside it with
   --peer-python.
2. The whole job on made documents with known duplicates (planted_corpus.py): `--documents 10000`, and again
   for each repetition of the option; a chain of documents each close to the next is in them. 100,000 take
   minutes, a million half an hour and 10 GB of disk.
3. Modelled from the largest run: what a day on N cores can do.
"""

import argparse
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).parent))

from planted_corpus import base_of, exact_jaccard, ids, text_of, write_corpus
from process_tree import Usage, measured

from configs import tables
from configs.loader import load
from filters.minhash import band_keys, shingles, signature
from pipeline.dedup.config import DedupConfig

ROOT = Path(__file__).resolve().parents[2]
PRESET = ROOT / "configs" / "tiny"
DOCUMENTS_PER_FILE = 10_000
# Documents whose similarity is computed by definition to check what was removed.
MAX_CHECKED = 20_000
SECONDS_A_DAY = 86_400
CORES = (100, 1_000, 10_000)


@dataclass(frozen=True)
class Run:
    """One run of the job on made documents."""

    documents: int
    usage: Usage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval-data", type=Path, help="not needed: the documents are made here")
    parser.add_argument("--peer-python", help="interpreter of an environment with datatrove 0.10.1 and spacy")
    parser.add_argument("--documents", type=int, action="append", help="size of a run; may be repeated")
    parser.add_argument("--chain", type=int, default=1_000, help="documents of the chain among them")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--driver-memory", default="5g", help="heap of the JVM")
    parser.add_argument("--scratch", type=Path, help="folder for documents, shuffles and results")
    options = parser.parse_args()
    config = load(PRESET, "dedup", DedupConfig)
    bench_signatures(config, options.peer_python)
    runs = []
    for documents in options.documents or [10_000]:
        with tempfile.TemporaryDirectory(prefix="dedup-", dir=options.scratch) as scratch:
            runs.append(bench_job(Path(scratch), documents, options))
    print_growth(runs)
    print_model(runs[-1])


def bench_signatures(config: DedupConfig, peer_python: str | None) -> None:
    """Documents a second and core of shingling and signing, ours and datatrove's on the same documents."""
    texts = [text_of(doc_id) for doc_id, _ in ids(3_000, 0)][-2_000:]
    num_perm = config.bands * config.rows_per_band

    def sign(text: str) -> list[int]:
        return band_keys(
            signature(shingles(text), num_perm, config.minhash_seed), config.bands, config.rows_per_band
        )

    rates = []
    for _ in range(3):
        start = time.process_time()
        for text in texts:
            sign(text)
        rates.append(len(texts) / (time.process_time() - start))
    chars = sum(map(len, texts)) / len(texts)
    print(
        f"shingles, {num_perm} permutations, band keys, {chars:.0f} characters: {max(rates):,.0f} docs/s/core"
    )
    if peer_python:
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts[:500])
        script = Path(__file__).with_name("datatrove_signatures.py")
        done = subprocess.run([peer_python, script], input=lines, capture_output=True, text=True, check=True)
        peer = json.loads(done.stdout)
        print(
            f"datatrove, 112 permutations, {peer['tokenizer']}: {peer['docs_per_s']:,.0f} docs/s/core; "
            f"ratio {max(rates) / peer['docs_per_s']:.1f}"
        )


def bench_job(scratch: Path, documents: int, options: argparse.Namespace) -> Run:
    """Make the documents, run the job in a process of its own, compare with the truth."""
    chain = min(options.chain, documents // 2)
    num_files = max(4, documents // DOCUMENTS_PER_FILE)
    num_same_page = write_corpus(scratch / "in", documents, chain, num_files)
    shutil.copytree(PRESET, scratch / "preset")
    num_bytes = sum(file.stat().st_size for file in (scratch / "in").iterdir())
    settings = (scratch / "preset" / "dedup.toml").read_text()
    bytes_per_task = f"bytes_per_task = {num_bytes // num_files} "
    (scratch / "preset" / "dedup.toml").write_text(re.sub(r"bytes_per_task = \S+ ", bytes_per_task, settings))
    submit = (
        f"--master local[{options.cores}] --driver-memory {options.driver_memory} "
        f"--conf spark.sql.shuffle.partitions={8 * options.cores} --conf spark.ui.enabled=false "
        f"--conf spark.ui.showConsoleProgress=false "
        f"--conf spark.local.dir={scratch} pyspark-shell"
    )
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": submit, "PYTHONPATH": str(ROOT)}
    job = ("-m", "pipeline.dedup_documents", "--preset", str(scratch / "preset"))
    place = ("--input", str(scratch / "in"), "--output", str(scratch / "out"))
    usage = measured((sys.executable, *job, *place), environment, scratch / "log")
    phases = [line for line in (scratch / "log").read_text().splitlines() if " pipeline." in line]
    print(*phases, sep="\n")
    print(
        f"{documents:,} documents, {options.cores} cores: wall {usage.wall_s:,.0f} s, "
        f"CPU {usage.cpu_s:,.0f} s, peak {usage.peak_rss_bytes / 1e9:.1f} GB (heap {options.driver_memory})"
    )
    compare_with_truth(scratch / "out", documents, chain, num_same_page)
    return Run(documents, usage)


def compare_with_truth(out: Path, documents: int, chain: int, num_same_page: int) -> None:
    """Recall of the planted pairs by similarity, and every kind of false merge."""
    rejects = tables.read(
        tables.open_table(str(out), "deduped_rejects"), ["doc_id", "reject_reason", "duplicate_of"]
    )
    removed = {row["doc_id"]: row for row in rejects.to_pylist()}
    found: Counter[int] = Counter()
    planted: Counter[int] = Counter()
    pairs = [(doc_id, base) for doc_id, _ in ids(documents, chain) if (base := base_of(doc_id))]
    step = max(1, len(pairs) // MAX_CHECKED)
    for doc_id, base in pairs[::step]:
        similarity = int(100 * exact_jaccard(text_of(doc_id), text_of(base)))
        planted[similarity // 5 * 5] += 1
        found[similarity // 5 * 5] += doc_id in removed or base in removed
    for low in sorted(planted):
        span = f"[{low / 100:.2f}, {low / 100 + 0.05:.2f})"
        print(f"  planted J in {span}: {found[low]} of {planted[low]} pairs lost one")
    similar = [
        (row["doc_id"], row["duplicate_of"])
        for row in removed.values()
        if row["reject_reason"] != "duplicate_url"
    ]
    strangers = sum(one.split(".")[0] != other.split(".")[0] for one, other in similar)
    least = min(
        exact_jaccard(text_of(one), text_of(other))
        for one, other in similar[:: max(1, len(similar) // MAX_CHECKED)]
    )
    reasons = Counter(row["reject_reason"] for row in removed.values())
    at_threshold = sum(found[low] for low in found if low >= 80) / sum(
        planted[low] for low in planted if low >= 80
    )
    print(
        f"  recall at J >= 0.8 {at_threshold:.5f}; removed {dict(reasons)}, URL duplicates planted "
        f"{num_same_page}; for a stranger {strangers}; least exact Jaccard of a removed pair {least:.3f}"
    )


def print_growth(runs: list[Run]) -> None:
    """Time between the runs against n log n."""
    for small, large in pairwise(runs):
        expected = n_log_n(large.documents) / n_log_n(small.documents)
        cpu, wall = large.usage.cpu_s / small.usage.cpu_s, large.usage.wall_s / small.usage.wall_s
        print(
            f"growth {small.documents:,} -> {large.documents:,}: CPU x {cpu:.1f}, wall x {wall:.1f}, "
            f"n log n x {expected:.1f}"
        )


def print_model(run: Run) -> None:
    """How many documents a day of N cores holds, if CPU time grows with n log n and all cores are busy."""
    rate = run.usage.cpu_s / n_log_n(run.documents)
    for cores in CORES:
        documents = 1e6
        for _ in range(100):
            documents = cores * SECONDS_A_DAY / (rate * math.log(documents))
        print(
            f"modelled from {run.documents:,} documents: {cores:,} cores deduplicate {documents:.2g} "
            f"documents ({documents * 2.6e3 / 1e12:.2g} TB of text) a day"
        )


def n_log_n(n: int) -> float:
    return n * math.log(n)


if __name__ == "__main__":
    main()
