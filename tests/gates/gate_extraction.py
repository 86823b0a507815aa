"""Quality gate of HTML extraction: `python tests/gates/gate_extraction.py --eval-data DIR [--json FILE]`.

Scores our extractor on the annotated sets under DIR (see each set's SOURCE.txt), trafilatura in the same run
on the main-text pages, and compares with the floors in extraction_floors.json. Speed is held as the ratio to
trafilatura, which hardly differs between machines. Exit code 1 when a measure is below its floor, 2 when no
set is there. A set that is absent is named and skipped.
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from extraction_scores import Measures, documentation, formulas_and_code, segment_scores  # noqa: E402

from pipeline.extraction.math.mathml import mathml_to_latex  # noqa: E402
from pipeline.extraction.math.tex_normal import normalise_tex  # noqa: E402
from pipeline.extraction.web.html import extract_html  # noqa: E402
from tests.gates.plain_text import strip_markdown  # noqa: E402

FLOORS = Path(__file__).with_name("extraction_floors.json")


def main() -> int:
    """Measure every set that is there; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=2, help="rounds of the speed measurement; 0 for none")
    options = parser.parse_args()
    gates: dict[str, Callable[[Path], Measures]] = {
        "extraction-maintext": lambda folder: main_text(folder, options.rounds),
        "extraction-math": lambda folder: formulas_and_code(folder, ours),
        "mathml-tex-pairs": mathml_pairs,
        "extraction-docs": lambda folder: documentation(folder, ours),
    }
    measures: Measures = {}
    for name, gate in gates.items():
        folder = options.eval_data / name
        if folder.is_dir():
            measures.update({f"{name}/{key}": value for key, value in gate(folder).items()})
        else:
            print(f"skipped: {folder} is not there")
    if not measures:
        print(f"nothing to measure: {options.eval_data} holds none of {', '.join(gates)}", file=sys.stderr)
        return 2
    if options.json:
        options.json.write_text(json.dumps(measures, indent=1, sort_keys=True) + "\n")
    return report(measures, json.loads(FLOORS.read_text()))


def ours(page: Path) -> str:
    """Markdown of a page."""
    return extract_html(page.read_bytes()).text


def report(measures: Measures, floors: Measures) -> int:
    """Print measure, value, floor; 1 when one is below its floor (a name ending in `_max` is a ceiling)."""
    failed = 0
    for name, value in measures.items():
        floor = floors.get(name)
        wrong = floor is not None and (value > floor if name.endswith("_max") else value < floor)
        failed += wrong
        print(
            f"{name:58s} {value:9.4f} {'' if floor is None else f'{floor:9.4f}'} {'BELOW' if wrong else ''}"
        )
    print(f"{len(measures)} measured, {failed} beyond the floor")
    return int(failed > 0)


def main_text(folder: Path, rounds: int) -> Measures:
    """Segment F1 and speed on annotated pages, ours and trafilatura's by turns."""
    import trafilatura

    annotations = json.loads((folder / "evaldata.json").read_text())
    pages = [(entry, (folder / "html" / entry["file"]).read_bytes()) for entry in annotations.values()]
    engines: dict[str, Callable[[bytes], str]] = {
        "ours": lambda page: extract_html(page).text,
        "trafilatura": lambda page: trafilatura.extract(page) or "",
    }
    texts = {name: [engine(page) for _, page in pages] for name, engine in engines.items()}
    seconds = dict.fromkeys(engines, 0.0)
    if rounds:
        for _, page in pages:
            for name, spent in page_seconds(page, engines, rounds).items():
                seconds[name] += spent
    plain = {"ours": [strip_markdown(text) for text in texts["ours"]]}
    plain["trafilatura"] = [" ".join(text.split()) for text in texts["trafilatura"]]
    measures: Measures = {}
    for name in engines:
        everything = list(zip((entry for entry, _ in pages), plain[name], strict=True))
        precision, recall, f1 = segment_scores(everything)
        measures |= {f"{name}_f1": f1, f"{name}_precision": precision, f"{name}_recall": recall}
        for half in "AB":
            measures[f"{name}_f1_half_{half}"] = segment_scores(
                [pair for pair in everything if half_of(pair[0]["file"]) == half]
            )[2]
        if rounds:
            measures[f"{name}_pages_per_second_core"] = len(pages) / seconds[name]
    measures["f1_above_trafilatura"] = measures["ours_f1"] - measures["trafilatura_f1"]
    if rounds:
        measures["speed_ratio_to_trafilatura"] = seconds["trafilatura"] / seconds["ours"]
    return measures


def page_seconds(page: bytes, engines: dict[str, Callable[[bytes], str]], rounds: int) -> dict[str, float]:
    """CPU seconds of each engine on a page: the least of the rounds, in which the engines take turns, so that
    what else the machine does falls on both alike.
    """
    least = dict.fromkeys(engines, float("inf"))
    for _ in range(rounds):
        for name, engine in engines.items():
            start = time.process_time()
            engine(page)
            least[name] = min(least[name], time.process_time() - start)
    return least


def half_of(file: str) -> str:
    """The half a page belongs to: rules were first tuned on A with B unseen."""
    return "A" if hashlib.md5(file.encode(), usedforsecurity=False).digest()[0] % 2 else "B"


def mathml_pairs(folder: Path) -> Measures:
    """Pairs whose MathML, converted, equals the TeX after normalising."""
    equal = total = 0
    for mathml_file in sorted((folder / "test/reader/mml").glob("*.test")):
        tex_file = folder / "test/writer/tex" / mathml_file.name
        if not tex_file.exists():
            continue
        total += 1
        source = mathml_file.read_text("utf-8").split(">>> native")[0].split("<<< mml", 1)[1].strip()
        tex = tex_file.read_text("utf-8").split(">>> tex", 1)[1].strip()
        math = etree.fromstring(source.encode(), etree.XMLParser(recover=True, resolve_entities=False))
        equal += math is not None and normalise_tex(mathml_to_latex(math)) == normalise_tex(tex)
    return {"equal": equal / max(1, total), "pairs": float(total)}


if __name__ == "__main__":
    sys.exit(main())
