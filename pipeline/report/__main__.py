"""One self-contained HTML page per run: what went in, what was dropped and why, what was learned.

    python -m pipeline.report --preset configs/tiny    ->  runs/tiny/report.html, runs/tiny/summary.json

Works on a run that is not finished and says what is missing. No JVM, no network, no script in the page.
Cost: manifests, plus one pass over at most MAX_PARTS parts of each table for scores, sums and samples.
"""

import logging

from configs import tables
from configs.command import Place, main
from configs.contract import ContractError
from configs.job import run_job
from pipeline.inspection.run_tables import counts
from pipeline.inspection.summary import write_summary
from pipeline.report.page import page

logger = logging.getLogger(__name__)


def run(place: Place) -> str | None:
    """Write report.html and summary.json of the run; gives the page's path, None on a dry run."""
    where = f"{place.output.rstrip('/')}/report.html"
    return run_job(place, "report", f"write {where}", lambda: None, lambda: _write(place, where))


def _write(place: Place, where: str) -> str:
    if not counts(place.input):
        raise ContractError(f"{place.input}: no table there; remedy: run make demo, or name a run folder")
    summary = write_summary(place.input, place.output)
    data = page(place.input, summary).encode()
    tables.write_bytes(place.output, "report.html", data)
    logger.info("report: %s, %.1f MB", where, len(data) / 1e6)
    return where


if __name__ == "__main__":
    main(run)
