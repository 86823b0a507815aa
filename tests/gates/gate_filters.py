"""Quality gate of the filters: `python tests/gates/gate_filters.py --eval-data DIR [--json FILE]`.

By the rules of configs/mimo7b: survival of every good class under DIR, a handbook in many languages among
them, with all languages allowed; of made junk with those of the preset. Copies of problems found, clean text
flagged; personal data masked, look-alikes masked. Compares with filter_floors.json, where a floor without a
class is for every class. Of classes of 100 and more each half (chosen by a seed) must hold too, less what
chance explains. Exit code 1 when a measure is beyond its floor, 2 when no set is there. Cost: 20 s.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))

from filter_corpora import benchmark_problems, good_classes, is_problem_class, language_classes  # noqa: E402
from filter_junk import junk_classes  # noqa: E402
from pii_cases import look_alikes, planted  # noqa: E402
from retypeset import retypeset  # noqa: E402

from configs.loader import load  # noqa: E402
from filters.decontaminate import build_index, contaminated_by  # noqa: E402
from filters.language import identify  # noqa: E402
from filters.measure.stats import measure  # noqa: E402
from filters.pii import mask_pii  # noqa: E402
from filters.presets import preset  # noqa: E402
from filters.rules import reject_reason  # noqa: E402
from pipeline.filter_documents import FilterConfig, language_reason, rule_reason  # noqa: E402

FLOORS = Path(__file__).with_name("filter_floors.json")
NUM_COPIES = 1_500
CONTEXT_CHARS = 800  # of clean text before each planted problem
MIN_PAGES = 10
Measures = dict[str, float]


def main() -> int:
    """Measure every set that is there; print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--eval-data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    good = good_classes(options.eval_data)
    if not good:
        print(f"nothing to measure: {options.eval_data} holds no set of good documents", file=sys.stderr)
        return 2
    config = load(ROOT / "configs/mimo7b", "filter", FilterConfig)
    languages = language_classes(options.eval_data).items()
    handbook = {f"handbook {name}": texts for name, texts in languages if len(texts) >= MIN_PAGES}
    measures = survival(good | handbook, config.model_copy(update={"languages": None}))
    measures |= junk_kept(junk_classes(), config)
    clean = [text for name, texts in good.items() if not is_problem_class(name) for text in texts]
    problems = list(benchmark_problems(options.eval_data))
    if problems and clean:
        measures |= contamination(problems, clean)
    else:
        print(f"skipped: contamination, {options.eval_data} lacks problems or labelled documents")
    measures |= personal_data()
    if options.json:
        options.json.write_text(json.dumps(measures, indent=1, sort_keys=True) + "\n")
    return report(measures, json.loads(FLOORS.read_text()))


def survival(classes: dict[str, list[str]], config: FilterConfig) -> Measures:
    """Share of each class that is kept; of large classes also the worse half, with two standard errors."""
    measures: Measures = {}
    for name, texts in classes.items():
        outcomes = [is_kept(text, config) for text in texts]
        measures[f"survival/{name}"] = share(outcomes)
        if len(outcomes) >= 100:
            random.Random(name).shuffle(outcomes)
            middle = len(outcomes) // 2
            worse = min(share(outcomes[:middle]), share(outcomes[middle:]))
            chance = 2 * math.sqrt(0.95 * 0.05 / middle)
            measures[f"survival_half/{name}"] = min(worse + chance, 1.0)
    return measures


def is_kept(text: str, config: FilterConfig) -> bool:
    """Whether the rules and the languages of the preset keep the text."""
    language, stats = identify(text), measure(text)
    return not (language_reason(language, stats, config) or rule_reason(language, stats, config))


def junk_kept(junk: dict[str, list[str]], config: FilterConfig) -> Measures:
    """For each kind, the share that we keep and how much more that is than FineWeb's rules keep."""
    measures: Measures = {}
    for name, texts in junk.items():
        ours = share(is_kept(text, config) for text in texts)
        theirs = share(reject_reason(measure(text), preset("fineweb")) is None for text in texts)
        measures |= {f"junk/{name}": ours, f"junk/{name}/kept_beyond_fineweb_max": ours - theirs}
    return measures


def contamination(problems: list[tuple[str, str]], clean: list[str], seed: int = 5) -> Measures:
    """Shares found of problems copied into clean text, and of the clean texts taken for copies."""
    rng = random.Random(seed)
    index = build_index(problems)
    indexed = set(index.names)
    indexable = [text for name, text in problems if name in indexed]
    copied = rng.sample(indexable, min(NUM_COPIES, len(indexable)))
    contexts = [rng.choice(clean)[:CONTEXT_CHARS] + "\n" for _ in copied]
    verbatim = [context + text for context, text in zip(contexts, copied, strict=True)]
    set_anew = [context + retypeset(text, rng) for context, text in zip(contexts, copied, strict=True)]
    return {
        "contamination/verbatim_found": share(contaminated_by(text, index) for text in verbatim),
        "contamination/retypeset_found": share(contaminated_by(text, index) for text in set_anew),
        "contamination/clean_flagged_max": share(contaminated_by(text, index) for text in clean),
    }


def personal_data() -> Measures:
    """Shares of planted cases masked, by kind, and of look-alikes masked."""
    found: dict[str, list[bool]] = {}
    for kind, text, part in planted():
        found.setdefault(kind, []).append(part not in mask_pii(text).text)
    measures = {f"pii/{kind}_masked": share(outcomes) for kind, outcomes in found.items()}
    alike = [mask_pii(text).text != text for _, text in look_alikes()]
    return measures | {"pii/look_alikes_masked_max": share(alike)}


def share(outcomes: Iterable[object]) -> float:
    """Fraction of true ones."""
    values = [bool(outcome) for outcome in outcomes]
    return sum(values) / len(values)


def report(measures: Measures, floors: Measures) -> int:
    """Print measure, value, floor; 1 when one is below its floor (a name ending in `_max` is a ceiling)."""
    failed = 0
    for name, value in measures.items():
        first, last = name.split("/")[0], name.split("/")[-1]
        floor = floors.get(name, floors.get(first, floors.get(f"{first}/{last}")))
        wrong = floor is not None and (value > floor if name.endswith("_max") else value < floor)
        failed += wrong
        shown = "" if floor is None else f"{floor:9.4f}"
        print(f"{name:52s} {value:9.4f} {shown} {'BEYOND' if wrong else ''}")
    print(f"{len(measures)} measured, {failed} beyond the floor")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
