"""A preset end to end: Spark jobs in one driver, the other jobs as child processes, in order.

Every step skips work whose manifest matches, so a killed run continues and a second run does nothing.
Ends with ten lines and the path of the report; writes summary.json.
"""

import subprocess
import sys
import time
from collections.abc import Callable

from pyspark.sql import SparkSession

from configs.command import EXIT_HELD, EXIT_REFUSED, Place, main
from configs.loader import ConfigError
from configs.storage.files import local_folder
from configs.text_files import write_json
from pipeline import (
    dedup_documents,
    extract_documents,
    filter_documents,
    ingest_sources,
    plan_mixture,
    score_documents,
    tokenize_corpus,
    train_tokenizer,
)
from pipeline.inspection.summary import summarise, summary_lines
from pipeline.spark.session import spark_session

SparkJob = Callable[[SparkSession, Place], object]

STEPS: tuple[tuple[str, SparkJob | str], ...] = (
    ("benchmarks", "pipeline.index_benchmarks"),
    ("ingest", ingest_sources.run),
    ("extract", extract_documents.run),
    ("filter", filter_documents.run),
    ("dedup", dedup_documents.run),
    ("tokenizer", train_tokenizer.run),
    ("score", score_documents.run),
    ("synth", "synth.generate"),
    ("plan", plan_mixture.run),
    ("tokenize", tokenize_corpus.run),
    ("preflight", "pretrain.preflight"),
    ("stages 1-3", "pretrain.train"),
    ("export", "pretrain.export_hf"),
    ("evaluate", "pretrain.evaluate"),
    ("report", "pipeline.report"),
)
"""A function runs in this driver; a string is a module run as a child process."""


def run(place: Place) -> None:
    """Run every step, then print and write the summary. Raises ConfigError where a step refuses."""
    if local_folder(place.output) is None:
        raise ConfigError(
            f"{place.output}: the training stages need a folder; remedy: run the jobs up to tokenize with "
            "this --output, and the later ones with it as --input and --output DIR"
        )
    started = time.monotonic()
    spark = spark_session("demo")
    seconds: dict[str, float] = {}
    for number, (name, step) in enumerate(STEPS, 1):
        print(f"[{number:2}/{len(STEPS)}] {name} ...", flush=True)
        before = time.monotonic()
        if isinstance(step, str):
            if name == "preflight":  # no Spark job follows: give its memory to the trainer
                spark.stop()
            _run_module(step, place)
        else:
            step(spark, place)
        seconds[name] = round(time.monotonic() - before, 1)
        print(f"[{number:2}/{len(STEPS)}] {name}: {seconds[name]} s", flush=True)
    if place.dry_run:
        return
    summary = summarise(place.output) | {"seconds_of_this_run": seconds}
    path = f"{place.output}/summary.json"
    write_json(path, summary)
    print("\n".join(["", *summary_lines(summary)]))
    print(f"{time.monotonic() - started:.0f} s; summary: {path}; report: {place.output}/report.html")


def _run_module(module: str, place: Place) -> None:
    """Run a job as its own process; its refusal, one line, ends this run with the same exit code."""
    options = ["--preset", str(place.preset), "--input", place.input, "--output", place.output]
    switches = {
        "--overwrite": place.overwrite,
        "--dry-run": place.dry_run,
        "--accept-code": place.accept_code,
    }
    chosen = [switch for switch, is_on in switches.items() if is_on]
    done = subprocess.run([sys.executable, "-m", module, *options, *chosen])
    if done.returncode in (EXIT_REFUSED, EXIT_HELD):
        raise SystemExit(done.returncode)
    if done.returncode:
        raise ConfigError(f"{module}: ended with exit code {done.returncode}; remedy: see its output above")


if __name__ == "__main__":
    main(run)
