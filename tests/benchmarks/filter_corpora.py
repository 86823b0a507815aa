"""Texts for bench_filters.py: good classes read from evaluation data, junk made here from a seed."""

import gzip
import json
import lzma
import random
from collections.abc import Iterator
from pathlib import Path

_PER_CLASS = 600
_WORDS = str.split(
    "account agency album apple arrow autumn badge bakery banner basket beach bicycle border bottle "
    "bridge bucket budget button cabin camera candle canvas carbon carpet castle cattle cellar "
    "cheese cherry circle client coffee copper corner cotton couple credit dealer design desert "
    "dinner doctor dollar dragon driver editor engine estate fabric family farmer filter finger "
    "flight flower forest garden guitar hammer harbor hockey holiday insurance island jacket jersey "
    "kitchen ladder laptop leader leather lemon letter lounge luxury magnet market meadow mirror"
)
_LOREM = str.split(
    "lorem ipsum dolor sit amet consectetur adipiscing elit sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua ut enim ad minim veniam quis nostrud exercitation ullamco laboris "
    "nisi ut aliquip ex ea commodo"
)


def good_classes(eval_data: Path) -> dict[str, list[str]]:
    """Class -> texts, of the sets that lie under `eval_data`; absent sets are left out."""
    classes: dict[str, list[str]] = {}
    for name, texts in (
        ("MATH", _pairs(eval_data / "problems/MATH/math_test.jsonl", "problem", "solution")),
        ("GSM8K", _pairs(eval_data / "problems/gsm8k/test.jsonl", "question", "answer")),
        ("AQuA", _aqua(eval_data / "problems/aqua-rat/test.json")),
        ("MBPP", _code(eval_data / "problems/mbpp/mbpp.jsonl", "text", "code")),
        ("HumanEval", _code(eval_data / "problems/humaneval/data/HumanEval.jsonl.gz", None, "prompt")),
    ):
        found = list(texts)[:_PER_CLASS]
        if found:
            classes[name] = found
    for text, source in _labelled(eval_data / "quality-labels.jsonl.xz"):
        classes.setdefault(f"labelled {source}", []).append(text)
    return {name: texts for name, texts in classes.items() if len(texts) >= 20}


def benchmark_problems(eval_data: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of the questions, the answers and both of the sets that lie under `eval_data`."""
    for name, path, question, answer in (
        ("MATH", "problems/MATH/math_test.jsonl", "problem", "solution"),
        ("GSM8K", "problems/gsm8k/test.jsonl", "question", "answer"),
        ("MBPP", "problems/mbpp/mbpp.jsonl", "text", "code"),
        ("HumanEval", "problems/humaneval/data/HumanEval.jsonl.gz", "prompt", "canonical_solution"),
    ):
        for number, row in enumerate(_rows(eval_data / path)):
            yield f"{name}/{number}#question", row[question]
            yield f"{name}/{number}#answer", row[answer]
            yield f"{name}/{number}#both", row[question] + "\n" + row[answer]


def junk_classes(seed: int = 1, num_documents: int = 200) -> dict[str, list[str]]:
    """Five kinds of junk, made from word lists: deterministic under the seed."""
    rng = random.Random(seed)
    return {
        "word lists": [_word_list(rng) for _ in range(num_documents)],
        "SEO": [_seo(rng) for _ in range(num_documents)],
        "menus": [_menu(rng) for _ in range(num_documents)],
        "lorem ipsum": [_lorem(rng) for _ in range(num_documents)],
        "listings": [_listing(rng) for _ in range(num_documents)],
    }


def _word_list(rng: random.Random) -> str:
    separator = rng.choice((", ", " ", "\n", "; "))
    return separator.join(rng.choices(_WORDS, k=rng.randint(80, 400)))


def _seo(rng: random.Random) -> str:
    thing, place = rng.choice(_WORDS), rng.choice(_WORDS)
    sentences = [
        f"Buy the best {thing} in {place} with the cheapest {thing} deals.",
        f"Our {thing} {place} is the best {thing} for you.",
        f"Looking for {thing} {place}? Best {thing} {place} here!",
        f"{thing} {place}, cheap {thing}, best {thing}, {thing} online, {thing} near me.",
    ]
    return " ".join(rng.choices(sentences, k=rng.randint(15, 60)))


def _menu(rng: random.Random) -> str:
    lines = []
    for _ in range(rng.randint(30, 120)):
        line = " ".join(rng.choices(_WORDS, k=rng.randint(1, 4))).title()
        lines.append(rng.choice(("", "- ", "> ", "")) + line + rng.choice(("", "", " »", " (12)")))
    return "\n".join(lines)


def _lorem(rng: random.Random) -> str:
    sentences = ["Lorem ipsum dolor sit amet, consectetur adipiscing elit."]
    for _ in range(rng.randint(10, 40)):
        sentences.append(" ".join(rng.choices(_LOREM, k=rng.randint(6, 14))).capitalize() + ".")
    return " ".join(sentences)


def _listing(rng: random.Random) -> str:
    return "\n".join(
        f"{rng.randint(1, 99999):05d} {' '.join(rng.choices(_WORDS, k=2))} | ${rng.randint(1, 999)}.99 | "
        f"2024-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} {rng.randint(0, 23):02d}:00"
        for _ in range(rng.randint(20, 100))
    )


def _pairs(path: Path, *fields: str) -> Iterator[str]:
    for row in _rows(path):
        yield "\n\n".join(row[field] for field in fields)


def _aqua(path: Path) -> Iterator[str]:
    for row in _rows(path):
        yield "\n\n".join((row["question"], "\n".join(row["options"]), row["rationale"]))


def _code(path: Path, prose: str | None, code: str) -> Iterator[str]:
    for row in _rows(path):
        block = f"```python\n{row[code]}\n{row.get('canonical_solution', '')}\n```"
        yield f"{row[prose]}\n\n{block}" if prose else block


def _labelled(path: Path) -> Iterator[tuple[str, str]]:
    """Documents of which the labellers thought well (3 of 5 or more), code fenced as extraction does."""
    for row in _rows(path):
        if row["quality"] >= 3:
            yield (f"```\n{row['text']}\n```" if row["source"] == "code" else row["text"]), row["source"]


def _rows(path: Path) -> Iterator[dict]:
    openers = {".gz": gzip.open, ".xz": lzma.open}
    if path.exists():
        with openers.get(path.suffix, open)(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)
