"""How an extractor is scored on the annotated sets: segments, formulas, code lines, prose, boilerplate.

An extractor is a function from a page's file to its Markdown; what the sets hold is in their SOURCE.txt.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from sphinx_pages import five_grams, rst_prose, shown_blocks, sidebar_lines, words

from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.math.tex_normal import normalise_tex
from tests.gates.plain_text import strip_markdown

FROM_MATHML = ("mjchtml", "mjsvg")
FROM_GLYPHS = ("katexhtml",)
FORMULA = re.compile(r"\$\$(.+?)\$\$|(?<![\\$])\$([^$\n]+?)(?<!\\)\$", re.S)
FENCE = re.compile(r"^(`{3,})([\w+#.-]*)\n(.*?)\n?^\1$", re.S | re.M)
Measures = dict[str, float]
Extract = Callable[[Path], str]


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


def formulas_and_code(folder: Path, extract: Extract) -> Measures:
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
            text = extract(page)
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


def documentation(folder: Path, extract: Extract) -> Measures:
    """`documentation_scores` of the pages of a folder that have a source in reStructuredText."""
    entries = [json.loads(line) for line in (folder / "index.jsonl").read_text().splitlines()]
    return documentation_scores(
        (
            (folder / entry["file"]).read_bytes(),
            (folder / entry["source_file"]).read_text("utf-8", "replace"),
            extract(folder / entry["file"]),
        )
        for entry in entries
        if entry["source_file"].endswith(".rst")
    )


def documentation_scores(pages: Iterable[tuple[bytes, str, str]]) -> Measures:
    """Code lines and language against the page itself, prose 5-grams against its source, and what came from
    sidebars, over (page, source, our text).
    """
    kept = wanted = right = stated = grams_kept = grams = boilerplate = chars = 0
    for page, source, text in pages:
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
