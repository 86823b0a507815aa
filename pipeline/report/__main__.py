"""Write a report of a run as one self-contained HTML page: documents, rejects, scores, mixtures, training.

    python -m pipeline.report --preset configs/tiny    ->  runs/tiny/report.html, runs/tiny/summary.json

The report also works on a run that is not finished; it then says what is missing. It needs no JVM and no
network, and the page contains no script.
Cost: reading all manifests, and one pass over at most MAX_PARTS parts per table for scores, sums and samples.
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
    """Write report.html and summary.json of the run at `place.input`.

    Returns the path of the page, None on a dry run. Raises ContractError if the run has no table.
    """
    where = f"{place.output.rstrip('/')}/report.html"
    if not place.dry_run and not counts(place.input):
        raise ContractError(f"{place.input}: no table there; remedy: run make demo, or name a run folder")
    return run_job(place, "report", f"write {where}", lambda: None, lambda: _write(place, where))


def _write(place: Place, where: str) -> str:
    summary = write_summary(place.input, place.output)
    data = page(place.input, summary).encode()
    tables.write_bytes(place.output, "report.html", data)
    logger.info("report: %s, %.1f MB", where, len(data) / 1e6)
    return where


if __name__ == "__main__":
    main(run)
