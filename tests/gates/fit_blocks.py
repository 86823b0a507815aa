"""Fit the weights of pipeline/extraction/web/blocks.py: `python tests/gates/fit_blocks.py --eval-data DIR`.

Blocks that hold a wanted segment of the annotated pages are content, those that hold an unwanted one are not.
Prints segment F1 without the model, F1 of the model under cross-validation by site (a page is scored by
weights that saw no page of its site), and the weights fitted on all pages, as they stand in the module.
"""

import argparse
import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
from lxml import etree

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(Path(__file__).parent))

from extraction_scores import segment_scores  # noqa: E402

from pipeline.extraction.encodings import decode_source  # noqa: E402
from pipeline.extraction.web import blocks as model  # noqa: E402
from pipeline.extraction.web import maintext  # noqa: E402
from pipeline.extraction.web.html import extract_html  # noqa: E402
from pipeline.extraction.web.page import read  # noqa: E402
from tests.gates.plain_text import strip_markdown  # noqa: E402

NUM_FOLDS = 10
# Our choice: swept .02 to 1, flat. The bias is not penalised.
RIDGE = 10.0
# Our choice: a block that the rules kept weighs more than a dropped one, as only kept ones are judged.
# Swept 1 to 4, flat.
KEPT_WEIGHT = 3.0


@dataclass(frozen=True)
class Page:
    """Blocks of one annotated page."""

    fold: int
    entry: dict[str, list[str]]
    html: bytes
    values: np.ndarray
    """[blocks, features]"""
    texts: list[str]


def main() -> None:
    """Fit, cross-validate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    folder = parser.parse_args().eval_data / "extraction-maintext"
    annotations = json.loads((folder / "evaldata.json").read_text())
    pages = [
        read_page(url, entry, (folder / "html" / entry["file"]).read_bytes())
        for url, entry in annotations.items()
    ]
    everything = fit(pages)
    by_fold = [fit([page for page in pages if page.fold != fold]) for fold in range(NUM_FOLDS)]
    print(f"rules alone: F1 {segment_f1(pages, [everything] * NUM_FOLDS, 0.0):.4f}")
    for threshold in (0.2, 0.3, 0.35, 0.4, 0.5):
        print(
            f"threshold {threshold}: F1 {segment_f1(pages, by_fold, threshold):.4f} cross-validated by site, "
            f"{segment_f1(pages, [everything] * NUM_FOLDS, threshold):.4f} on the pages fitted"
        )
    print(f"BIAS = {everything[-1]:.3f}")
    for name, weight in zip(model.Features._fields, everything[:-1], strict=True):
        print(f"    {name}={weight:.3f},")


def read_page(url: str, entry: dict, html: bytes) -> Page:
    """Features of every block of a page, before the rules drop any, and whether the rules kept it."""
    source = decode_source(html)
    page = read(source)
    assert page is not None
    measured = maintext.measured(page.tree)
    judge = model.BlockModel(measured.blocks, page.title, measured.mass)
    raw = ["".join(block.element.itertext()) if block.is_leaf else "" for block in measured.blocks]
    rows = [judge.features(place, text) for place, text in enumerate(raw)]
    content = set(maintext.content_by_rules(measured).iter(etree.Element))
    kept = np.array([block.element in content for block in measured.blocks], dtype=bool)
    values = np.array(rows, dtype=float).reshape(len(rows), len(model.Features._fields))
    values[:, model.Features._fields.index("is_kept")] = kept
    site = ".".join(urlsplit(url).netloc.split(".")[-2:]) or entry["file"]
    fold = hashlib.sha256(site.encode()).digest()[0] % NUM_FOLDS
    return Page(fold, entry, html, values, [collapsed(text) for text in raw])


def collapsed(text: str) -> str:
    """Text with single spaces."""
    return " ".join(text.split())


def labels(page: Page) -> list[tuple[int, int]]:
    """(block, 1 content or 0 not) for blocks that hold segments of one kind only."""
    found = []
    for place, text in enumerate(page.texts):
        good = any(collapsed(segment) in text for segment in page.entry["with"])
        bad = any(collapsed(segment) in text for segment in page.entry["without"])
        if good != bad:
            found.append((place, int(good)))
    return found


def fit(pages: list[Page]) -> np.ndarray:
    """Weights and bias of a ridge logistic regression, by Newton's method."""
    rows = [(page.values[place], label) for page in pages for place, label in labels(page)]
    values = np.array([row for row, _ in rows])
    wanted = np.array([label for _, label in rows], dtype=float)
    importance = np.where(values[:, model.Features._fields.index("is_kept")] > 0, KEPT_WEIGHT, 1.0)
    scale = values.std(axis=0) + 1e-9
    design = np.hstack([values / scale, np.ones((len(values), 1))])
    penalty = np.diag([RIDGE] * values.shape[1] + [0.0])
    weights = np.zeros(design.shape[1])
    for _ in range(30):
        chance = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (importance * (chance - wanted)) + penalty @ weights
        curvature = (design * (importance * chance * (1 - chance))[:, None]).T @ design + penalty
        weights -= np.linalg.solve(curvature, gradient)
    return np.append(weights[:-1] / scale, weights[-1])


def segment_f1(pages: list[Page], weights: list[np.ndarray], threshold: float) -> float:
    """Segment F1 of the extractor, pages of fold k with weights k."""
    model.MIN_PROBABILITY = threshold
    texts = []
    for page in pages:
        model.WEIGHTS = model.Features(*weights[page.fold][:-1])
        model.BIAS = weights[page.fold][-1]
        texts.append((page.entry, strip_markdown(extract_html(page.html).text)))
    return segment_scores(texts)[2]


if __name__ == "__main__":
    main()
