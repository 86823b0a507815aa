"""How planning, commit and the data jobs grow: `make bench-scale`.

1. Lists. Tables of 10^4 to 10^6 parts, lists only: the parts have no data. For each size, in a process of its
   own: open the table, look for finished shards (none, then all), group them into tasks, commit what the
   tasks would have returned, with one part and one reject part a shard. extract, filter and score plan and
   commit in just this way, whatever their rows are; ingest differs by its shards (files).
2. Documents. Tables of 10^4 and 10^5 documents of about 600 characters (--documents for more) through filter,
   dedup, tokenizer, score and tokenize, in one driver (plan's one pass is the first of tokenize).

Prints microseconds per part or per document, how the cost grows from one size to the next (1.0: linear), and
the largest resident size of the driver: Python and, where Spark runs, its JVM.
Cost: five minutes on two cores.
"""

import argparse
import json
import math
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from configs import tables  # noqa: E402
from configs.command import Place  # noqa: E402
from configs.contract import DOCUMENTS, Manifest, Part  # noqa: E402
from configs.job import Job, commit, find_table  # noqa: E402
from configs.shards import find_log  # noqa: E402
from configs.storage.part_list import PARTS, PartList  # noqa: E402
from configs.storage.shard_log import Record, ShardLog  # noqa: E402
from pipeline.spark.tables import group_shards, part_shards  # noqa: E402

SHARDS_PER_TASK = 300
NOUNS = (
    "water", "river", "teacher", "number", "garden", "engine", "winter", "letter", "market", "window",
    "theory", "planet", "colour", "method", "farmer", "island", "mirror", "problem", "answer", "machine",
    "village", "reason", "morning", "student", "picture", "station", "weather", "kitchen", "factory",
)  # fmt: skip
VERBS = (
    "describes", "follows", "carries", "explains", "repairs", "watches", "measures", "changes", "remembers",
    "reaches", "builds", "studies", "crosses", "answers", "collects",
)  # fmt: skip
SYLLABLES = [f"{a}{b}" for a in ("b", "dr", "f", "gl", "k", "m", "n", "sh", "t", "v") for b in "aeiou"]
ADJECTIVES = ("old", "quiet", "large", "narrow", "simple", "distant", "useful", "heavy", "early", "common")


def bench_lists(num_parts: int, root: str) -> dict[str, float]:
    """Seconds of each step for a table of this many parts."""
    tables.MAX_PARTS_LISTED = 0  # the parts have no data to look for
    laps: dict[str, float] = {}
    started = time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        laps[name] = time.perf_counter() - started
        started = time.perf_counter()

    manifest = Manifest("raw", "ingest", "mark", "digest", 100 * num_parts, 100 * num_parts)
    listed = list_of(num_parts)
    lap("(made up)")
    tables.commit(root, manifest, listed)
    del listed
    lap("commit a list")
    shards = part_shards(tables.open_table(root, "raw"))
    lap("open")
    job = Job("extract", "documents", "code", {}, {"raw": "digest"})
    place = Place(Path(root), root, root)
    assert not len(find_log(place, job, shards))
    lap("plan: nothing is done")
    pending = list(shards)
    assert group_shards(pending, 6)
    lap("group")
    log = ShardLog.joined(returned_logs(job, iter(pending)))
    del pending
    lap("(made up) ")
    commit(root, job, log, 0.0, shard_log=log)
    lap("commit a job")
    assert find_table(place, job) is not None
    lap("find it done")
    assert len(find_log(place, job, shards)) == num_parts
    lap("plan: all is done")
    return laps


def list_of(num_parts: int) -> PartList:
    """A list of parts with random digests."""
    digests = np.random.default_rng(0).bytes(16 * num_parts)
    columns = [
        pa.array((f"data/part-{number:012x}.parquet" for number in range(num_parts)), pa.string()),
        pa.array(np.full(num_parts, 100)),
        pa.array(np.full(num_parts, 100_000)),
        pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), num_parts, [None, pa.py_buffer(digests)]),
    ]
    return PartList(pa.table(columns, schema=PARTS))


def returned_logs(job: Job, shards: Iterator) -> Iterator[ShardLog]:
    """What Spark's tasks would return for these shards."""
    while some := list(islice(shards, SHARDS_PER_TASK)):
        records = {}
        for shard in some:
            kept = Part(f"data/part-{shard.name}-0123456789ab.parquet", 99, 90_000, shard.digest)
            reject = Part(f"data/part-{shard.name}-ba9876543210.parquet", 1, 1_000, shard.digest)
            mark = job.shard_fingerprint(shard)
            records[shard.name] = Record(mark, (kept,), (reject,), 99, {"too_short": 1})
        yield ShardLog.of(records)


def bench_documents(num_documents: int, root: str) -> dict[str, float]:
    """Seconds of each job on a table of this many small documents."""
    from pipeline import (
        dedup_documents,
        filter_documents,
        index_benchmarks,
        score_documents,
        tokenize_corpus,
        train_tokenizer,
    )
    from pipeline.spark.session import spark_session

    write_documents(num_documents, root)
    place = Place(ROOT / "configs" / "tiny", root, root)
    index_benchmarks.run(place)
    spark = spark_session("bench-scale")
    spark.range(1).count()
    laps = {}
    for job in (
        filter_documents, dedup_documents, train_tokenizer, score_documents, tokenize_corpus,
    ):  # fmt: skip
        started = time.perf_counter()
        job.run(spark, place)
        laps[job.__name__.partition(".")[2]] = time.perf_counter() - started
    return laps


def write_documents(num_documents: int, root: str) -> None:
    """A `documents` table in parts of 2,000 rows; one document in ten repeats another one."""
    rng = random.Random(0)
    parts: list[Part] = []
    for start in range(0, num_documents, 2_000):
        writer = tables.PartWriter(f"{root}/documents", DOCUMENTS, f"{start:09d}")
        numbers = range(start, min(start + 2_000, num_documents))
        writer.write(pa.Table.from_pylist([document(number, rng) for number in numbers], schema=DOCUMENTS))
        parts += writer.close()
    manifest = Manifest(
        "documents", "extract", "mark", PartList.of(parts).digest(), num_documents, num_documents
    )
    tables.commit(root, manifest, parts)


def document(number: int, rng: random.Random) -> dict[str, object]:
    """A document of eight English sentences that say nothing."""
    if number % 10 == 9:
        rng = random.Random(number // 20)  # two documents in ten share their text
    text = " ".join(sentence(rng) for _ in range(8))
    url = f"https://site{number % 997}.example/{number}"
    return {
        "doc_id": f"{number:032x}", "source": "made-up", "url": url,
        "text": text, "kind": "html", "engine": "main", "code_seen": 0, "code_kept": 0,
        "math_seen": 0, "math_kept": 0, "origin": {"file": "made-up", "offset": number, "length": 1},
    }  # fmt: skip


def sentence(rng: random.Random) -> str:
    """For example: The old teacher describes a river of the village and the letter that it carries."""
    noun, verb, adjective = (lambda some=some: rng.choice(some) for some in (NOUNS, VERBS, ADJECTIVES))
    return (
        f"The {adjective()} {noun()} {verb()} a {noun()} of {name(rng)}, and the {noun()} that was "
        f"{adjective()} {verb()} it with {rng.randrange(1_000)} {noun()}s from the {noun()} near {name(rng)}."
    )


def name(rng: random.Random) -> str:
    """A name of two or three syllables: thousands of them, so that a tokenizer has words to learn."""
    return "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((2, 3)))).capitalize()


# ---- processes and tables ------------------------------------------------------------------------------


def in_a_process(kind: str, size: int) -> tuple[dict[str, float], dict[str, float]]:
    """Seconds by step, and gigabytes of the largest resident size by process, of one size."""
    folder = tempfile.mkdtemp(prefix="bench-scale-")
    try:
        command = [sys.executable, __file__, "--child", kind, str(size), folder]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True)
        laps, peaks = json.loads(done.stdout.splitlines()[-1])
        return laps, peaks
    finally:
        shutil.rmtree(folder)


def child(kind: str, size: int, folder: str) -> None:
    """One size in this process; prints what `in_a_process` gives."""
    bench = {"lists": bench_lists, "documents": bench_documents}[kind]
    laps = bench(size, folder)
    peaks = {"Python": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20)}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            text = status.read_text()
        except OSError:
            continue
        if f"PPid:\t{os.getpid()}\n" in text and "Name:\tjava\n" in text:
            [line] = [line for line in text.splitlines() if line.startswith("VmHWM:")]
            peaks["JVM"] = int(line.split()[1]) / (1 << 20)
    print(json.dumps([laps, peaks]))


def report(kind: str, sizes: list[int], unit: str) -> None:
    """Run all sizes and print a table: a row a step, a column a size, and the growth at the end."""
    found = [in_a_process(kind, size) for size in sizes]
    steps = [step for step in found[0][0] if not step.startswith("(")]
    print(f"\n{'µs per ' + unit:26}" + "".join(f"{size:>12,}" for size in sizes) + "      growth")
    for step in steps:
        costs = [laps[step] / size * 1e6 for (laps, _), size in zip(found, sizes, strict=True)]
        exponent = 1 + math.log(costs[-1] / costs[-2]) / math.log(sizes[-1] / sizes[-2])
        print(f"{step:26}" + "".join(f"{cost:12,.2f}" for cost in costs) + f"{exponent:12.2f}")
    for name in found[0][1]:
        print(f"{'peak of ' + name + ', GB':26}" + "".join(f"{peaks[name]:12.2f}" for _, peaks in found))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--parts", type=int, nargs="*", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--documents", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--child", nargs=3, metavar=("KIND", "SIZE", "FOLDER"))
    arguments, _ = parser.parse_known_args()  # make gives every benchmark the evaluation data
    if arguments.child:
        kind, size, folder = arguments.child
        child(kind, int(size), folder)
        return
    report("lists", arguments.parts, "part")
    report("documents", arguments.documents, "document")


if __name__ == "__main__":
    main()
