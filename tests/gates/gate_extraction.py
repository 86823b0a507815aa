"""Quality gate of HTML extraction: `python tests/gates/gate_extraction.py --eval-data DIR [--json FILE]`.

Scores our extractor on the annotated sets under DIR (see each set's SOURCE.txt), trafilatura in the same run
on the main-text pages, and compares with the floors in extraction_floors.json. Exit code 1 when a measure is
below its floor, 2 when no set is there. A set that is absent is named and skipped.
"""

import argparse
import hashlib
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from sphinx_pages import five_grams, rst_prose, shown_blocks, sidebar_lines, words  # noqa: E402

from pipeline.extraction.code import canonical_language  # noqa: E402
from pipeline.extraction.html import extract_html  # noqa: E402
from pipeline.extraction.mathml import mathml_to_latex  # noqa: E402
from pipeline.extraction.plain import strip_markdown  # noqa: E402
from pipeline.extraction.tex_normal import normalise_tex  # noqa: E402

FLOORS = Path(__file__).with_name("extraction_floors.json")
FROM_MATHML = ("mjchtml", "mjsvg")
FROM_GLYPHS = ("katexhtml",)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)(?<!\\)\$", re.S)
FENCE = re.compile(r"^(`{3,})([\w+#.-]*)\n(.*?)\n?^\1$", re.S | re.M)
Measures = dict[str, float]


def main() -> int:
    """Measure every set that is there; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=2, help="alternating rounds of the speed measurement")
    options = parser.parse_args()
    gates: dict[str, Callable[[Path], Measures]] = {
        "extraction-maintext": lambda folder: main_text(folder, options.rounds),
        "extraction-math": formulas_and_code,
        "mathml-tex-pairs": mathml_pairs,
        "extraction-docs": documentation,
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
    seconds = dict.fromkeys(engines, 0.0)
    texts: dict[str, list[str]] = {}
    for name, engine in engines.items():
        texts[name] = [engine(page) for _, page in pages]
    for _ in range(rounds):
        for name, engine in engines.items():
            start = time.process_time()
            for _, page in pages:
                engine(page)
            seconds[name] += time.process_time() - start
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
            measures[f"{name}_pages_per_second_core"] = rounds * len(pages) / seconds[name]
    measures["f1_above_trafilatura"] = measures["ours_f1"] - measures["trafilatura_f1"]
    if rounds:
        measures["speed_ratio_to_trafilatura"] = seconds["trafilatura"] / seconds["ours"]
    return measures


def half_of(file: str) -> str:
    """The half a page belongs to: rules were first tuned on A with B unseen."""
    return "A" if hashlib.md5(file.encode(), usedforsecurity=False).digest()[0] % 2 else "B"


def segment_scores(pages: list[tuple[dict[str, list[str]], str]]) -> tuple[float, float, float]:
    """Precision, recall and F1 over wanted and unwanted segments, white space collapsed on both sides."""
    hits = misses = intruders = 0
    for entry, text in pages:
        found = [" ".join(segment.split()) in text for segment in entry["with"]]
        hits += sum(found)
        misses += len(found) - sum(found)
        intruders += sum(" ".join(segment.split()) in text for segment in entry["without"])
    precision, recall = hits / max(1, hits + intruders), hits / max(1, hits + misses)
    return precision, recall, 2 * precision * recall / max(1e-9, precision + recall)


def formulas_of(text: str) -> list[str]:
    """Formulas of a Markdown text, code left out."""
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", text))
    return [display or inline for display, inline in FORMULA.findall(prose)]


def formulas_and_code(folder: Path) -> Measures:
    """Formula recall by encoding (white space aside; after normalising for MathML and glyphs), repeats, code
    lines.
    """
    recalled: Counter[str] = Counter()
    wanted: Counter[str] = Counter()
    repeats = code_kept = code_wanted = 0
    for truth_file in sorted(folder.glob("*/*/gt.json")):
        truth = json.loads(truth_file.read_text())
        for page in sorted(truth_file.parent.glob("*.html")):
            normalise = (
                normalise_tex if page.stem in FROM_MATHML + FROM_GLYPHS else lambda tex: "".join(tex.split())
            )
            text = extract_html(page.read_bytes()).text
            gold = Counter(normalise(formula["tex"]) for formula in truth["formulas"])
            ours = Counter(map(normalise, formulas_of(text)))
            wanted[page.stem] += gold.total()
            recalled[page.stem] += (gold & ours).total()
            if page.stem not in FROM_GLYPHS:
                repeats += sum(max(0, ours[formula] - count) for formula, count in gold.items())
            lines = Counter(
                line.rstrip()
                for block in truth["code"]
                for line in code_of(block).split("\n")
                if line.strip()
            )
            code_wanted += lines.total()
            code_kept += (lines & code_lines(text)).total()
    measures = {f"recall_{name}": recalled[name] / wanted[name] for name in sorted(wanted)}
    return measures | {
        "repeated_formulas_max": float(repeats),
        "code_lines_exact": code_kept / max(1, code_wanted),
    }


def code_of(block: str | dict[str, str]) -> str:
    """The code of a ground-truth entry."""
    return block if isinstance(block, str) else block["code"]


def code_lines(text: str) -> Counter[str]:
    """Lines inside the fences of a Markdown text."""
    return Counter(
        line.rstrip() for _, _, code in FENCE.findall(text) for line in code.split("\n") if line.strip()
    )


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


def documentation(folder: Path) -> Measures:
    """Code lines and language against the page's own source, prose 5-grams, and what came from sidebars."""
    kept = wanted = right = stated = grams_kept = grams = boilerplate = chars = 0
    for line in (folder / "index.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if not entry["source_file"].endswith(".rst"):
            continue
        page = (folder / entry["file"]).read_bytes()
        source = (folder / entry["source_file"]).read_text("utf-8", "replace")
        text = extract_html(page).text
        blocks = shown_blocks(page)
        lines = Counter(code.rstrip() for _, block in blocks for code in block.split("\n") if code.strip())
        wanted += lines.total()
        kept += (lines & code_lines(text)).total()
        languages = {code.strip(): language for _, language, code in FENCE.findall(text)}
        for language, block in blocks:
            if language and block.strip() in languages:
                stated += 1
                right += canonical_language(language) == languages[block.strip()]
        ours = words(strip_markdown(FENCE.sub("", text)))
        have = set(five_grams(ours))
        paragraphs = [list(five_grams(words(paragraph))) for paragraph in rst_prose(source)]
        grams += sum(map(len, paragraphs))
        grams_kept += sum(gram in have for paragraph in paragraphs for gram in paragraph)
        foreign = sidebar_lines(page)
        chars += len(text)
        boilerplate += sum(len(part) for part in text.split("\n") if part.strip("-# ").strip() in foreign)
    return {
        "code_lines_exact": kept / max(1, wanted),
        "language_right": right / max(1, stated),
        "prose_5gram_recall": grams_kept / max(1, grams),
        "boilerplate_fraction_max": boilerplate / max(1, chars),
    }


if __name__ == "__main__":
    sys.exit(main())
