"""Gate of deduplication: `python tests/gates/gate_dedup.py --eval-data DIR`.

1. 1,000 planted pairs at each Jaccard similarity 0.5, 0.55 .. 1: the share that meets in a bucket against
   1 - (1 - J^rows)^bands, in standard errors.
2. neardup-django (1,491 documents, all pairs with their exact Jaccard): the share of pairs that lost at least
   one of their two documents, for [0.8, 0.9) and from 0.9; and the removed documents whose named neighbour
   has an exact Jaccard, computed here by definition, below 0.7.
3. The same documents in another order and number of files, on one core with clusters decided on in rounds of
   two documents, and on a cluster of two executors: rows of the outcome that differ from the first run's.
Exit code 1 when a measure is beyond its bound. Part 1 needs no data; absent data is named and skipped.
"""

import argparse
import json
import math
import os
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import pyarrow as pa
import pyarrow.parquet as pq

from configs import tables
from configs.loader import load
from filters.minhash import band_keys, shingles, signature
from pipeline.dedup.config import DedupConfig

ROOT = Path(__file__).resolve().parents[2]
PRESET = ROOT / "configs" / "tiny"  # the presets differ in the size of parts and in the split
PAIRS_A_STEP = 1_000
UNION = 200  # shingles of a pair together; the similarities are whole shares of it
Outcome = dict[str, tuple[object, ...]]
# (lowest, highest) that passes.
BOUNDS = {
    "planted/standard_errors": (-3.0, 3.0),
    "django/removed_08_to_09": (0.97, 1.0),
    "django/removed_from_09": (0.995, 1.0),
    "django/removed_below_07": (0.0, 0.0),
    "django/rows_that_differ": (0.0, 0.0),
}


def main() -> int:
    """Measure what is there; print measure, value, bounds; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    options = parser.parse_args()
    measures = planted_pairs(load(PRESET, "dedup", DedupConfig))
    folder = options.eval_data / "neardup-django"
    if folder.is_dir():
        with tempfile.TemporaryDirectory(prefix="gate-dedup-") as scratch:
            measures |= django(folder, Path(scratch))
    else:
        print(f"skipped: {folder} is not there")
    failed = 0
    for name, value in measures.items():
        bounds = next((b for key, b in BOUNDS.items() if name.startswith(key)), None)
        is_beyond = bounds is not None and not bounds[0] <= value <= bounds[1]
        failed += is_beyond
        print(f"{name:44s} {value:9.4f} {bounds or ''} {'BEYOND' if is_beyond else ''}")
    print(f"{len(measures)} measured, {failed} beyond their bounds")
    return int(failed > 0)


def planted_pairs(config: DedupConfig) -> dict[str, float]:
    """For each similarity: share of the pairs with a common bucket, minus the formula, in standard errors."""
    measures = {}
    for percent in range(50, 101, 5):
        similarity = percent / 100
        expected = 1 - (1 - similarity**config.rows_per_band) ** config.bands
        met = sum(meets(f"{percent}-{n}", similarity, config) for n in range(PAIRS_A_STEP)) / PAIRS_A_STEP
        error = math.sqrt(expected * (1 - expected) / PAIRS_A_STEP)
        measures[f"planted/share_{similarity:.2f}"] = met
        # At J = 1 the formula leaves no room: any miss is infinitely many standard errors.
        off = (met - expected) / error if error else (0.0 if met == expected else -math.inf)
        measures[f"planted/standard_errors_{similarity:.2f}"] = off
    return measures


def meets(seed: str, similarity: float, config: DedupConfig) -> bool:
    """Whether two texts of exactly this similarity share a bucket: windows of one text of UNION shingles."""
    rng = random.Random(seed)
    words = [f"w{rng.getrandbits(60)}" for _ in range(UNION + 4)]
    own = UNION - round(similarity * UNION)  # shingles that only one of the two has
    one, other = words[: len(words) - own // 2], words[own - own // 2 :]
    keys = []
    for text in (one, other):
        places = signature(shingles(" ".join(text)), config.bands * config.rows_per_band, config.minhash_seed)
        keys.append(set(band_keys(places, config.bands, config.rows_per_band)))
    return not keys[0].isdisjoint(keys[1])


def django(folder: Path, scratch: Path) -> dict[str, float]:
    """Parts 2 and 3 of the gate."""
    texts = {row["id"]: row["text"] for row in map(json.loads, (folder / "docs.jsonl").open())}
    lines = (folder / "pairs_jaccard5.tsv").read_text().splitlines()
    pairs = [(float(value), one, other) for value, one, other in (line.split("\t") for line in lines)]
    outcome = deduplicated(texts, scratch / "first", 3, 1, "local[2]", 1_000_000)
    removed = {doc_id for doc_id, row in outcome.items() if row[0]}
    measures = {}
    for name, low, high in (("removed_08_to_09", 0.8, 0.9), ("removed_from_09", 0.9, 1.1)):
        of_span = [one in removed or other in removed for value, one, other in pairs if low <= value < high]
        measures[f"django/{name}"] = sum(of_span) / len(of_span)
    neighbours = [(doc_id, row[1]) for doc_id, row in outcome.items() if row[0]]
    exact = [jaccard_by_definition(texts[one], texts[other]) for one, other in neighbours]
    measures["django/removed"] = float(len(removed))
    measures["django/least_jaccard_of_a_removal"] = min(exact)
    measures["django/removed_below_07"] = float(sum(value < 0.7 for value in exact))
    for name, num_files, seed, master, max_round_documents in (
        ("one_core", 1, 2, "local[1]", 2),
        ("cluster", 7, 3, "local-cluster[2,1,1024]", 1_000_000),
    ):
        other = deduplicated(texts, scratch / name, num_files, seed, master, max_round_documents)
        differ = sum(outcome.get(doc_id) != other.get(doc_id) for doc_id in outcome.keys() | other.keys())
        measures[f"django/rows_that_differ_{name}"] = float(differ)
    return measures


def deduplicated(
    texts: dict[str, str], scratch: Path, num_files: int, seed: int, master: str, max_round_documents: int
) -> Outcome:
    """doc_id -> (reason, neighbour, measurements) or (None, cluster, size, listed, split), by the job."""
    (scratch / "in").mkdir(parents=True)
    order = random.Random(seed).sample(sorted(texts), len(texts))
    for number in range(num_files):
        ids = order[number::num_files]
        columns = {
            "doc_id": ids,
            "url": pa.nulls(len(ids), pa.string()),
            "text": [texts[name] for name in ids],
        }
        pq.write_table(pa.table(columns), scratch / "in" / f"{number}.parquet")
    config = load(PRESET, "dedup", DedupConfig)
    values = config.model_dump(exclude_none=True) | {"max_round_documents": max_round_documents}
    settings = "\n".join(f"{key} = {json.dumps(value)}" for key, value in values.items())
    (scratch / "dedup.toml").write_text(settings)
    submit = (
        f"--master {master} --driver-memory 1g --conf spark.executor.memory=1g --conf spark.ui.enabled=false "
        f"--conf spark.sql.shuffle.partitions={4 + num_files} --conf spark.local.dir={scratch} "
        f"--conf spark.ui.showConsoleProgress=false --conf spark.executorEnv.PYTHONPATH={ROOT} pyspark-shell"
    )
    environment = {**os.environ, "PYSPARK_SUBMIT_ARGS": submit, "PYTHONPATH": str(ROOT)}
    job = [sys.executable, "-m", "pipeline.dedup_documents", "--preset", str(scratch)]
    place = ["--input", str(scratch / "in"), "--output", str(scratch / "out")]
    with (scratch / "log").open("w") as log:
        done = subprocess.run([*job, *place], env=environment, cwd=scratch, stdout=log, stderr=log)
    if done.returncode:
        sys.exit(f"deduplication on {master} ended with {done.returncode}:\n{(scratch / 'log').read_text()}")
    outcome: Outcome = {}
    for row in tables.read(tables.open_table(str(scratch / "out"), "deduped_rejects")).to_pylist():
        outcome[row["doc_id"]] = (row["reject_reason"], row["duplicate_of"], row["measurements"])
    for row in tables.read(tables.open_table(str(scratch / "out"), "deduped")).to_pylist():
        listed = (tuple(row["duplicate_urls"]), tuple(row["duplicate_domains"]))
        outcome[row["doc_id"]] = (None, row["cluster_id"], row["cluster_size"], *listed, row["split"])
    return outcome


def jaccard_by_definition(one: str, other: str) -> float:
    """Jaccard similarity of the sets of lower-cased word 5-grams."""
    a, b = (five_grams(text) for text in (one, other))
    return len(a & b) / len(a | b)


def five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    width = min(5, len(words))
    return set(zip(*(words[n:] for n in range(width)), strict=False))


if __name__ == "__main__":
    sys.exit(main())
