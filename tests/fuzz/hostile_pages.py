"""Pages that hurt extractors: written by hand to be hostile, and real ones mutated with a seed."""

import gzip
import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from fastwarc.warc import ArchiveIterator, WarcRecordType

CORPUS = Path(__file__).resolve().parents[1] / "data" / "sample-corpus" / "web.warc.gz"
FRAGMENTS = (
    b"<!--", b"-->", b"]]>", b"<![CDATA[", b"\x00", b"&#xD800;", b"&#1;", b"&#99999999;", b"<?php", b"<![if",
    b"\xed\xa0\x80", b"\xff\xfe", b"<script>", b"</body>", b"</html>", b"<plaintext>", b"<frameset>", b"$$",
    b"\\(", b"\\begin{align}", b"<math><mrow>", b"<annotation encoding='application/x-tex'>", b"<pre>",
    b"<code>", b"```", b"<table><tr><td>", b"<ul><li>", b"<svg><foreignObject>", b"<sup>2</sup>", b"qx0z0e",
    b"<script type='math/tex'>", b"<span class='katex'>", b"<mjx-container>", b"<select><option>", b"' \" <",
)  # fmt: skip
NESTED = (
    b"div",
    b"span",
    b"b",
    b"table",
    b"ul",
    b"li",
    b"blockquote",
    b"math",
    b"mrow",
    b"sup",
    b"font",
    b"a",
)
# Our choice: more are refused unread, and would test only the refusal.
MAX_NESTED = 1_900


def poison_pages() -> dict[str, Callable[[], bytes]]:
    """Inputs on which C parsers and back-tracking expressions were seen to hang, crash or lose everything."""
    return {
        "nothing": lambda: b"",
        "100k attributes": lambda: b"<p " + b" ".join(b"a%d=1" % n for n in range(100_000)) + b">x",
        "1900 attributes": lambda: b"<p " + b" ".join(b"a%d=1" % n for n in range(1_900)) + b">x" * 200,
        "100k nested divs": lambda: b"<div>" * 100_000 + b"x",
        "5k nested divs": lambda: b"<div>" * 5_000 + b"x" + b"</div>" * 5_000,
        "1900 nested divs": lambda: b"<div>" * 1_900 + b"x" + b"</div>" * 1_900,
        "20k nested spans": lambda: b"<span>" * 20_000 + b"x",
        "50 MB of paragraphs": lambda: b"<p>some words</p>" * 3_000_000,
        "10 MB of paragraphs": lambda: b"<p>some words</p>" * 600_000,
        "4.9 MB of paragraphs": lambda: b"<p>some words</p>" * 288_000,
        "15 MB in one paragraph": lambda: b"<p>" + b"word " * 3_000_000,
        "4.9 MB in one paragraph": lambda: b"<p>" + b"word " * 980_000,
        "300k breaks": lambda: b"<p>a" + b"<br>a" * 300_000,
        "40k inline tags": lambda: b"<p>" + b"<b>a</b><i>b</i>" * 20_000,
        "20k table rows": lambda: b"<table>" + b"<tr><td>a</td><td>b</td></tr>" * 20_000,
        "50k opening delimiters": lambda: b"<p>" + b"\\( x " * 50_000,
        "50k dollars": lambda: b"<p>mathjax" + b"$a_1 $" * 50_000,
        "lone surrogate": lambda: b"<meta charset=utf-8><p>" + b"some words \xed\xa0\x80 and more " * 99,
        "surrogate references": lambda: b"<p>" + b"some &#xD800; words &#1; " * 99,
        "control characters": lambda: bytes(range(32)) * 50 + b"<p>some words</p>",
        "random bytes": lambda: random.Random(1).randbytes(300_000),
        "only brackets": lambda: b"<" * 1_000_000,
        "open comments": lambda: b"<!--" * 500_000,
        "2M entities": lambda: b"<p>" + b"&amp;" * 900_000,
        "deep mathml": lambda: b"<math>" + b"<mrow>" * 1_900 + b"<mi>x</mi>",
        "wide mathml": lambda: b"<math>" + b"<msup><mi>x</mi><mn>2</mn></msup>" * 50_000,
        "nested tables": lambda: b"<table><tr><td>" * 600 + b"x",
        "nested lists": lambda: b"<ul><li>" * 900 + b"x",
        "many scripts": lambda: b"<p>" + b"x<sup>2</sup>" * 100_000,
        "many katex spans": lambda: b"<p>" + b"<span class='katex'><span>x</span></span>" * 20_000,
        "unclosed quotes": lambda: b"<a href='" * 100_000,
        "backticks": lambda: b"<pre>" + b"`" * 1_000_000 + b"</pre>",
        "ordinals": lambda: b"<ol start='99999999999999999999'><li>a</li></ol>" * 10_000,
    }


def seed_pages(limit: int = 120) -> list[bytes]:
    """HTML pages of the shipped corpus, of at most 200 kB."""
    pages = []
    with CORPUS.open("rb") as stream:
        for record in ArchiveIterator(stream, record_types=WarcRecordType.response, parse_http=True):
            body = record.reader.read()
            if b"<" in body[:1000] and len(body) <= 200_000:
                pages.append(body)
            if len(pages) == limit:
                break
    return pages


def mutated_pages(pages: list[bytes], count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """`count` pages, each with its mutations' names; page n depends on `seed` and n alone."""
    for number in range(count):
        chance = random.Random(f"{seed}/{number}")
        page = chance.choice(pages)
        names = []
        for mutation in chance.choices(_MUTATIONS, k=chance.randint(1, 3)):
            page = mutation(page, chance, pages)
            names.append(mutation.__name__)
        yield "+".join(names), page


def flip_bytes(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """A few, or one in fifty, bytes replaced."""
    changed = bytearray(page)
    for _ in range(chance.choice((1, 10, len(page) // 50))):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def truncate(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """The start, or the end, alone."""
    cut = chance.randint(0, len(page))
    return page[:cut] if chance.random() < 0.7 else page[cut:]


def nest_tags(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """Tags opened again and again somewhere, closed in half the cases."""
    tag, depth, place = chance.choice(NESTED), chance.randint(1, MAX_NESTED), chance.randint(0, len(page))
    closing = b"</%s>" % tag * depth if chance.random() < 0.5 else b""
    return page[:place] + b"<%s>" % tag * depth + page[place:] + closing


def insert_fragments(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """Markup that changes how the rest is read."""
    for _ in range(chance.choice((1, 5, 50))):
        place = chance.randint(0, len(page))
        page = page[:place] + chance.choice(FRAGMENTS) * chance.choice((1, 1, 20)) + page[place:]
    return page


def move_slice(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """A slice taken out, and put back elsewhere once, twice or never."""
    start, place = chance.randint(0, len(page)), chance.randint(0, len(page))
    part = page[start : start + chance.randint(0, 5_000)]
    rest = page[:start] + page[start + len(part) :]
    return rest[:place] + part * chance.randint(0, 2) + rest[place:]


def splice(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """The start of this page and the end of another."""
    other = chance.choice(pages)
    return page[: chance.randint(0, len(page))] + other[chance.randint(0, len(other)) :]


def compress(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """What a server sends that forgot to say so."""
    return gzip.compress(page, 1, mtime=0) if chance.random() < 0.5 else zlib.compress(page, 1)


def reencode(page: bytes, chance: random.Random, pages: list[bytes]) -> bytes:
    """Another charset than the page says."""
    return page.decode("utf-8", "replace").encode(
        chance.choice(("utf-16", "utf-32", "cp1252", "shift_jis")), "replace"
    )


# The usual ones three times as often.
_MUTATIONS = (flip_bytes, truncate, nest_tags, insert_fragments, move_slice, splice) * 3 + (
    compress,
    reencode,
)
