"""Documents of about 2.6 kB with known duplicates, made from real text: for bench_dedup.py.

1. The words are those of the sources of Python's own library; a document is runs of twelve words in a row,
   each from another place, so that documents are distinct and read like text and code.
2. Of 20 documents 12 are single, 4 are families of two, 4 are one of four: a base and edits of it, in which
   a number of words, each at another place, is replaced by new words. Some edits fall below the threshold.
3. One document in a hundred belongs to one large family; one in fifty is a single with another's URL.
4. A chain is a window that slides over one long text, each document close to the next two alone.
Any document can be made again from its id. Cost: about 100 us a document, 0.5 ms for a pair's exact Jaccard.
"""

import json
import random
import re
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

RUN_WORDS = 12
DOCUMENT_CHARS = 2_600
CHAIN_STEP = 16
CHAIN_WORDS = 300
PATTERN = 20
# Words replaced in the edits, by turns. Of some 390 shingles each replacement takes five: Jaccard 1 to 0.5.
REPLACED = (0, 1, 2, 3, 4, 5, 6, 8, 10, 16, 30)


@lru_cache(maxsize=1)
def pool() -> list[str]:
    """The words of Python's library sources, in order, repeated lines left out."""
    lines: dict[str, None] = {}
    for path in sorted(Path(sysconfig.get_paths()["stdlib"]).rglob("*.py")):
        if "site-packages" not in path.parts:
            lines.update(dict.fromkeys(path.read_text("utf-8", "replace").splitlines()))
    return [word for line in lines for word in line.split() if len(word) < 40]


def mixed_words(seed: str, num_chars: int) -> list[str]:
    """Runs of words from random places of the pool, `num_chars` characters in all when joined."""
    rng = random.Random(seed)
    words: list[str] = []
    length = 0
    while length < num_chars:
        start = rng.randrange(len(pool()) - RUN_WORDS)
        run = pool()[start : start + RUN_WORDS]
        words += run
        length += sum(map(len, run)) + len(run)
    return words


@lru_cache(maxsize=1)
def _chain_words(length: int) -> list[str]:
    return mixed_words("chain", 20 * (length * CHAIN_STEP + CHAIN_WORDS))  # words have some 8 characters


def text_of(doc_id: str) -> str:
    """The text of `<family>.<number of the edit>.<words replaced>` or `chain.<place>.<length>`."""
    family, number, third = doc_id.split(".")
    if family == "chain":
        start = int(number) * CHAIN_STEP
        return " ".join(_chain_words(int(third))[start : start + CHAIN_WORDS])
    words = mixed_words(family, DOCUMENT_CHARS)
    rng = random.Random(doc_id)
    for position in rng.sample(range(len(words)), int(third)):
        words[position] = f"edit{rng.getrandbits(40)}"
    # Where nothing is replaced the white space differs: an exact duplicate.
    return ("\n" if number != "0" else " ").join(words)


def base_of(doc_id: str) -> str | None:
    """The document that this one is an edit of, or the one before it in the chain."""
    family, number, third = doc_id.split(".")
    if number == "0":
        return None
    return f"chain.{int(number) - 1}.{third}" if family == "chain" else f"{family}.0.0"


def ids(num_documents: int, chain: int) -> Iterator[tuple[str, str]]:
    """(doc_id, url) of every document."""
    num_giant = num_documents // 100
    for number in range(num_giant):
        yield f"giant.{number}.{min(number, 1 + number % 3)}", f"https://farm{number}.example/"
    for number in range(chain):
        yield f"chain.{number}.{chain}", f"https://chain.example/{number}"
    edits = 0
    for number in range(num_documents - num_giant - chain):
        block, place = divmod(number, PATTERN)
        # Of each block of 20 the places 12-13 and 14-15 are families of two, 16-19 one of four.
        first = place if place < 12 else (place // 2 * 2 if place < 16 else 16)
        edits += place != first
        replaced = REPLACED[edits % len(REPLACED)] if place != first else 0
        doc_id = f"{block * PATTERN + first}.{place - first}.{replaced}"
        same_page = number % 50 == 1 and place < 12
        page = f"https://site{(number - same_page) % 997}.example/{number - same_page}"
        yield doc_id, f"http://www.{page[8:]}/?utm_source=feed" if same_page else page


def write_corpus(folder: Path, num_documents: int, chain: int, num_files: int) -> int:
    """Write the documents as Parquet, neighbours in different files; the number of planted URL duplicates."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = list(ids(num_documents, chain))
    num_same_page = 0
    for file in range(num_files):
        of_file = rows[file::num_files]
        columns = {
            "doc_id": [doc_id for doc_id, _ in of_file],
            "url": [url for _, url in of_file],
            "text": [text_of(doc_id) for doc_id, _ in of_file],
            "note": [json.dumps({"base": base_of(doc_id)}) for doc_id, _ in of_file],
        }
        num_same_page += sum("utm_source" in url for _, url in of_file)
        pq.write_table(pa.table(columns), folder / f"{file:05d}.parquet", compression="zstd")
    return num_same_page


def exact_jaccard(one: str, other: str) -> float:
    """Jaccard similarity of the sets of lower-cased word 5-grams, by definition; Han characters are words."""
    a, b = (five_grams(text) for text in (one, other))
    return len(a & b) / len(a | b)


def five_grams(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[㐀-鿿]|[^\W㐀-鿿]+", text.lower())
    return set(zip(*(words[n:] for n in range(5)), strict=False))
