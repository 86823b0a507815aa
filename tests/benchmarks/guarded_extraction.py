"""Speed of the extract job with its guard: `python tests/benchmarks/guarded_extraction.py FOLDER`.

Runs the real job in local[1] over the pages of FOLDER, few times and many, and prints pages per second of CPU
time for the difference, so that the start of Java, Python and Spark, paid once, is left out. CPU time is of
every process of the job: Java, Spark's Python worker and the guarded child. About 90 s.
"""

import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from process_tree import tree

from configs.command import Place
from pipeline.extract_documents import run
from pipeline.spark.session import spark_session
from tests.run_tables import write_table

FEW, MANY = 1, 6
PRESET = "timeout_s = 20.0\nmax_memory_bytes = 2000000000\nmax_error_fraction = 0.02\n"


def main() -> None:
    """Print pages per CPU second."""
    pages = [file.read_bytes() for file in sorted(Path(sys.argv[1]).iterdir())]
    os.environ["PYSPARK_SUBMIT_ARGS"] = "--master local[1] --driver-memory 2g pyspark-shell"
    spark = spark_session("extract")
    with tempfile.TemporaryDirectory() as folder:
        preset = Path(folder) / "preset"
        preset.mkdir()
        (preset / "extract.toml").write_text(PRESET)
        # Not counted: Java compiles, workers and their child start.
        cpu_seconds_of_job(spark, preset, f"{folder}/warm", pages[:50], 1)
        few = cpu_seconds_of_job(spark, preset, f"{folder}/few", pages, FEW)
        many = cpu_seconds_of_job(spark, preset, f"{folder}/many", pages, MANY)
    print(f"{(MANY - FEW) * len(pages) / (many - few):.1f}")
    spark.stop()


def cpu_seconds_of_job(spark: object, preset: Path, root: str, pages: list[bytes], copies: int) -> float:
    """CPU seconds of every process of ours while the job reads `copies` parts of the pages."""
    parts = [
        [
            {
                "doc_id": f"{copy}-{number}",
                "source": "web",
                "kind": "html",
                "content": page,
                "origin": {"file": f"{number}.html", "offset": 0, "length": len(page)},
            }
            for number, page in enumerate(pages)
        ]
        for copy in range(copies)
    ]
    write_table(root, "raw", *parts)
    before = cpu_seconds_of_tree(os.getpid())
    manifest = run(spark, Place(preset, root, root))
    assert manifest is not None
    assert manifest.rows_out + sum(manifest.rejected.values()) == copies * len(pages)
    return cpu_seconds_of_tree(os.getpid()) - before


def cpu_seconds_of_tree(root: int) -> float:
    """CPU seconds of a process and of all its descendants that live, ended children of theirs included."""
    return sum(process.cpu_s + process.reaped_s for process in tree(root))


if __name__ == "__main__":
    main()
