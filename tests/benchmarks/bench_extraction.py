"""Extraction beside its peers, one table: `python tests/benchmarks/bench_extraction.py --eval-data DIR`.

Engines: ours, trafilatura and resiliparse of this environment, and datatrove's extraction (trafilatura with
precision and deduplication) in the environment that --peer-python names. All read the same bytes. Speed is
CPU time of the extracting process, engines by turns; the guarded Spark job is ours once more, in local[1].
Measures that need delimiters or fences, which peers do not write, look for the bare TeX or line anywhere in
the text. About 5 minutes.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "gates"))

import trafilatura
from extraction_scores import FENCE, FROM_GLYPHS, FROM_MATHML, segment_scores
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.encoding import bytes_to_str, detect_encoding
from sphinx_pages import shown_blocks, sidebar_lines

from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.web.html import extract_html
from tests.gates.plain_text import strip_markdown

Run = Callable[[list[Path]], tuple[list[str], float]]
COLUMNS = (
    "segment F1",
    "formulas, TeX in page",
    "formulas, MathML alone",
    "code lines exact",
    "fenced with language",
    "boilerplate %",
    "pages/s/core",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--peer-python", help="interpreter of an environment with datatrove")
    parser.add_argument("--rounds", type=int, default=3, help="alternating rounds of the speed measurement")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    runs: dict[str, Run] = {
        "ours": in_process(lambda page: extract_html(page).text),
        f"trafilatura {trafilatura.__version__}": in_process(lambda page: trafilatura.extract(page) or ""),
        "resiliparse": in_process(resiliparse_text),
    }
    if options.peer_python:
        runs["datatrove"] = Peer(options.peer_python)
    else:
        print("datatrove left out: no --peer-python")
    # The peers' text is plain already.
    plain = runs | {"ours": in_process(lambda page: strip_markdown(extract_html(page).text))}
    table: dict[str, dict[str, float]] = {name: {} for name in runs}
    sets = {"extraction-maintext": main_text, "extraction-math": math_pages, "extraction-docs": documentation}
    for name, score in sets.items():
        folder = options.eval_data / name
        if not folder.is_dir():
            print(f"left out: {folder} is not there")
            continue
        for engine, run in (plain if score is main_text else runs).items():
            table[engine].update(score(folder, run))
    pages = sorted((options.eval_data / "extraction-maintext" / "html").glob("*"))
    if pages:
        for engine, speed in speeds(runs, pages, options.rounds).items():
            table[engine]["pages/s/core"] = speed
        table["ours, guarded job"] = {"pages/s/core": guarded_speed(pages[0].parent)}
    print_table(table)
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n")


def in_process(extract: Callable[[bytes], str]) -> Run:
    """Run an extractor here, in CPU time of this process."""

    def run(files: list[Path]) -> tuple[list[str], float]:
        pages = [file.read_bytes() for file in files]
        start = time.process_time()
        texts = [extract(page) for page in pages]
        return texts, time.process_time() - start

    return run


def resiliparse_text(page: bytes) -> str:
    """Main content as resiliparse sees it, layout kept."""
    html = bytes_to_str(page, detect_encoding(page))
    return extract_plain_text(html, main_content=True, preserve_formatting=True)


class Peer:
    """datatrove's extraction in a process of its own."""

    def __init__(self, python: str) -> None:
        script = Path(__file__).with_name("datatrove_extraction.py")
        self._process = subprocess.Popen(
            [python, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def __call__(self, files: list[Path]) -> tuple[list[str], float]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([str(file.resolve()) for file in files]) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return answer["texts"], answer["seconds"]


def speeds(runs: dict[str, Run], pages: list[Path], rounds: int) -> dict[str, float]:
    """Pages per CPU second, engines by turns."""
    seconds = dict.fromkeys(runs, 0.0)
    for _ in range(rounds):
        for name, run in runs.items():
            seconds[name] += run(pages)[1]
    return {name: rounds * len(pages) / spent for name, spent in seconds.items()}


def guarded_speed(folder: Path) -> float:
    """Pages per CPU second of the extract job, all its processes counted."""
    script = Path(__file__).with_name("guarded_extraction.py")
    done = subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"the guarded job failed:\n{done.stderr[-3000:]}")
    return float(done.stdout.split()[-1])


def main_text(folder: Path, run: Run) -> dict[str, float]:
    """Segment F1 of plain text, white space collapsed."""
    entries = list(json.loads((folder / "evaldata.json").read_text()).values())
    texts, _ = run([folder / "html" / entry["file"] for entry in entries])
    collapsed = [" ".join(text.split()) for text in texts]
    return {"segment F1": segment_scores(list(zip(entries, collapsed, strict=True)))[2]}


def squeezed(text: str) -> str:
    """Text without white space and without the escapes that Markdown adds."""
    return "".join(text.split()).replace("\\_", "_").replace("\\*", "*")


def math_pages(folder: Path, run: Run) -> dict[str, float]:
    """Formulas whose TeX is in the text, white space aside."""
    files = [
        page
        for truth in sorted(folder.glob("*/*/gt.json"))
        for page in sorted(truth.parent.glob("*.html"))
        if page.stem not in FROM_GLYPHS
    ]
    found = {"formulas, TeX in page": [0, 0], "formulas, MathML alone": [0, 0]}
    for page, text in zip(files, run(files)[0], strict=True):
        counts = found["formulas, MathML alone" if page.stem in FROM_MATHML else "formulas, TeX in page"]
        ours = squeezed(text)
        for formula in json.loads(page.with_name("gt.json").read_text())["formulas"]:
            counts[0] += squeezed(formula["tex"]) in ours
            counts[1] += 1
    return {name: hits / max(1, total) for name, (hits, total) in found.items()}


def documentation(folder: Path, run: Run) -> dict[str, float]:
    """Lines of code with their indentation, blocks fenced with the stated language, text of sidebars."""
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    files = [folder / entry["file"] for entry in entries if entry["source_file"].endswith(".rst")]
    kept = wanted = fenced = stated = boilerplate = chars = 0
    for file, text in zip(files, run(files)[0], strict=True):
        page = file.read_bytes()
        lines = {line.rstrip() for line in text.split("\n")}
        languages = {code.strip(): language for _, language, code in FENCE.findall(text)}
        for language, block in shown_blocks(page):
            code = [line.rstrip() for line in block.split("\n") if line.strip()]
            wanted += len(code)
            kept += sum(line in lines for line in code)
            if language:
                stated += 1
                fenced += languages.get(block.strip()) == canonical_language(language)
        foreign = sidebar_lines(page)
        chars += len(text)
        boilerplate += sum(len(part) for part in text.split("\n") if part.strip("-#* ").strip() in foreign)
    return {
        "code lines exact": kept / max(1, wanted),
        "fenced with language": fenced / max(1, stated),
        "boilerplate %": 100 * boilerplate / max(1, chars),
    }


def print_table(table: dict[str, dict[str, float]]) -> None:
    """Markdown, one line per engine."""
    print(f"| engine | {' | '.join(COLUMNS)} |\n|{' --- |' * (len(COLUMNS) + 1)}")
    for engine, measures in table.items():
        cells = [f"{measures[name]:.4g}" if name in measures else "" for name in COLUMNS]
        print(f"| {engine} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
