"""One self-contained HTML page per run: what went in, what was dropped and why, what was learned.

    python -m pipeline.report --preset configs/tiny    ->  runs/tiny/report.html, runs/tiny/summary.json

Works on a run that is not finished and says what is missing. No JVM, no network, no script in the page.
Cost: manifests, plus one pass over at most MAX_PARTS parts of each table for scores, sums and samples.
"""

import logging

from configs import tables
from configs.command import Place, main
from configs.contract import ContractError
from pipeline.inspection.run_tables import counts
from pipeline.inspection.summary import write_summary
from pipeline.report.page import page

logger = logging.getLogger(__name__)


def run(place: Place) -> str:
    """Write report.html and summary.json of the run at `place.input`; returns the page's path."""
    where = f"{place.output.rstrip('/')}/report.html"
    if place.dry_run:
        logger.info("would write %s", where)
        return where
    if not counts(place.input):
        raise ContractError(f"{place.input}: no table there; remedy: run make demo, or name a run folder")
    summary = write_summary(place.input, place.output)
    data = page(place.input, summary).encode()
    tables.write_bytes(place.output, "report.html", data)
    logger.info("report: %s, %.1f MB", where, len(data) / 1e6)
    return where


def report(place: Place) -> None:
    """The job of the command line."""
    run(place)


if __name__ == "__main__":
    main(report)
