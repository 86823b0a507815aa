"""Quality gate of pages as the web has them: `python tests/gates/gate_pages.py --eval-data DIR --cases DIR`.

Two things are measured and compared with pages_floors.json:
1. Powers and indices on documentation pages (the set `extraction-docs`, `html-docs` with the HTML of any
   documentation packages, and the folders of `--docs`): how many are kept, and how many are glued to the text
   before them. `page_scripts` counts them by itself, from the pages' `<sup>` and `<sub>`.
2. Small pages that show one kind of markup each, and what their text must and must not hold: `pages.jsonl` in
   the folder of `--cases`, or of the variable EVAL_CASES. `--show` names those that do not hold.
Exit code 1 when a measure is beyond its floor, 2 when no set is there. Cost: a minute.
"""

import argparse
import base64
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from extraction_scores import Measures  # noqa: E402
from gate_extraction import report  # noqa: E402
from page_scripts import script_counts  # noqa: E402

from pipeline.extraction.web.html import extract_html  # noqa: E402

FLOORS = Path(__file__).with_name("pages_floors.json")
DOCUMENTATION = ("extraction-docs", "html-docs")
_BRACES_OF_ONE = re.compile(r"([\^_])\{(\w)\}")
_POWER_IN_CODE = re.compile(r"(?<=[\w)\]])\*\*(?=[\w(-])")


def main() -> int:
    """Measure every set that is there; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--docs", type=Path, nargs="*", default=[], help="more folders of HTML documentation")
    parser.add_argument("--cases", type=Path, default=Path(os.environ.get("EVAL_CASES", "runs/eval-cases")))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--show", action="store_true", help="name the cases that do not hold")
    options = parser.parse_args()
    measures: Measures = {}
    folders = [options.eval_data / name for name in DOCUMENTATION] + options.docs
    for folder in folders:
        if folder.is_dir():
            measures |= scripts(folder)
        else:
            print(f"skipped: {folder} is not there")
    if (options.cases / "pages.jsonl").is_file():
        measures |= cases(options.cases / "pages.jsonl", options.show)
    else:
        print(f"skipped: {options.cases} has no pages.jsonl")
    if not measures:
        print(f"nothing to measure in {options.eval_data} and {options.cases}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(measures, indent=1, sort_keys=True) + "\n")
    return report(measures, floors_of(measures))


def floors_of(measures: Measures) -> Measures:
    """The floors of the measures; a floor without a folder is that of every folder."""
    floors: Measures = json.loads(FLOORS.read_text())
    return {name: floor for name in measures if (floor := floors.get(name.rpartition("/")[2])) is not None}


def scripts(folder: Path) -> Measures:
    """Powers and indices of the pages below `folder`: wanted, the fraction kept, the number glued."""
    wanted = kept = glued = 0
    for path in sorted(folder.rglob("*.htm*")):
        if path.is_file() and re.search(rb"(?i)<su[bp]\b", page := path.read_bytes()):
            counts = script_counts(page, extract_html(page).text)
            wanted, kept, glued = wanted + counts[0], kept + counts[1], glued + counts[2]
    name = folder.name
    measures = {f"{name}/scripts": float(wanted), f"{name}/scripts_glued_max": float(glued)}
    return measures | ({f"{name}/scripts_kept": kept / wanted} if wanted else {})


def cases(file: Path, show: bool) -> Measures:
    """The fraction of small pages whose text holds all that it must and nothing that it must not."""
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    wrong = [row for row in rows if not holds(row)]
    for row in wrong if show else ():
        print(f"does not hold: {row['name']} ({row['kind']})")
    return {"cases/cases": float(len(rows)), "cases/cases_hold": 1 - len(wrong) / max(1, len(rows))}


def holds(row: dict[str, str | list[str]]) -> bool:
    """Whether a page's text holds every string of `must`, in one of its spellings, and none of `must_not`."""
    data = base64.b64decode(row["html_base64"]) if "html_base64" in row else row["html"].encode()
    text = extract_html(data).text
    both = (text, spelling(text))
    has_all = all(
        any(form in written for written in both for form in forms(wanted)) for wanted in row["must"]
    )
    return has_all and not any(unwanted in text for unwanted in row["must_not"])


def forms(wanted: str) -> Iterable[str]:
    return wanted, spelling(wanted)


def spelling(text: str) -> str:
    """`text` in one spelling: no braces around a script of one character, `^` for the `**` of code."""
    return _BRACES_OF_ONE.sub(r"\1\2", _POWER_IN_CODE.sub("^", text))


if __name__ == "__main__":
    sys.exit(main())
