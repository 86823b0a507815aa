"""Hostile programs, answers, files and servers: `python tests/security/check_security.py`.

Options: [--count N] [--seed S] [--broken] [--json F] [--area A]. Six areas, one module each; every attempt
must end as its module says. `--broken` sabotages one defence of each area and must turn every area red: a
battery that cannot fail proves nothing. The last line is `N tried, K failed, seed S`; exit code 1 when K > 0.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.security import (
    api_faults,
    evil_artefacts,
    gaming_programs,
    math_answers,
    sandbox_escapes,
    secret_canaries,
)
from tests.security.attempts import Attempt, Setup

AREAS: dict[str, Callable[[Setup], Iterator[Attempt]]] = {
    "sandbox escapes": sandbox_escapes.attempts,
    "verifier gaming": gaming_programs.attempts,
    "math answers": math_answers.attempts,
    "evil artefacts": evil_artefacts.attempts,
    "API faults": api_faults.attempts,
    "secret canaries": secret_canaries.attempts,
}


@dataclass
class Report:
    """What became of the attempts."""

    seed: int
    tried: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[dict[str, str]] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Everything, for other programs."""
        return json.dumps(vars(self) | {"failed": len(self.failures)}, indent=1) + "\n"

    def line(self) -> str:
        """The closing line."""
        return f"{sum(self.tried.values())} tried, {len(self.failures)} failed, seed {self.seed}"


def main() -> int:
    """Try every area; print and write the report; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=1, help="repetitions of every kind, each drawn anew")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--broken", action="store_true", help="sabotage one defence of each area")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--area", choices=[*AREAS], action="append", help="only these areas")
    options = parser.parse_args()
    # What the product warns of is expected here; what it logs of secrets is looked at in its own area.
    logging.disable(logging.WARNING)
    report = Report(options.seed)
    for area in options.area or AREAS:
        with tempfile.TemporaryDirectory(prefix="security-") as folder:
            setup = Setup(options.count, options.seed, Path(folder), options.broken)
            try_area(area, setup, report)
    if options.json:
        options.json.write_text(report.as_json())
    for absent in report.left_out:
        print(f"left out: {absent}")
    print(report.line())
    return int(bool(report.failures))


def try_area(area: str, setup: Setup, report: Report) -> None:
    """Make every attempt of an area and note in `report` what must not happen."""
    started, failed_before = time.monotonic(), len(report.failures)
    report.tried[area] = 0
    with closing(AREAS[area](setup)) as tried:
        for attempt in tried:
            if not attempt.trials:
                report.left_out.append(f"{area}: {attempt.name}")
                continue
            try:
                fault = attempt.fault()
            except Exception as error:  # whatever reaches us would have reached the job
                fault = f"raised {type(error).__name__}: {str(error)[:300]}"
            report.tried[area] += attempt.trials
            if fault is not None:
                report.failures.append({"area": area, "attempt": attempt.name, "fault": fault})
                print(f"  {area}: {attempt.name}: {fault}", flush=True)
    report.seconds[area] = round(time.monotonic() - started, 1)
    failed = len(report.failures) - failed_before
    print(f"{area}: {report.tried[area]} tried, {failed} failed in {report.seconds[area]} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
