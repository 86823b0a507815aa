"""The one tokenisation."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.measure.characters import classify
from filters.measure.words import tokenise


def texts(text: str) -> list[str]:
    tokens = tokenise(classify(text))
    return [text[start:end] for start, end in zip(tokens.starts, tokens.ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  \n\t ", []),
        ("a", ["a"]),
        ("Hello, world!", ["Hello", ",", "world", "!"]),
        ("It's 1,000.5 or 3.", ["It", "'s", "1,000.5", "or", "3", "."]),
        ("don’t 'quote' it", ["don", "’t", "'", "quote", "'", "it"]),
        ("wait... what", ["wait", "...", "what"]),
        ("x=y_1 and x=2", ["x", "=", "y_1", "and", "x=2"]),
        ("mail a.b@web.de, 3/2 or and/or", ["mail", "a.b@web.de", ",", "3/2", "or", "and", "/", "or"]),
        ("the U.S., i.e. X. End.Next", ["the", "U.S.", ",", "i.e.", "X.", "End", ".", "Next"]),
        ("well-known -x 230- 1-2 .5 /a", ["well", "-", "known", "-x", "230-", "1", "-", "2", ".5", "/a"]),
        ("---- == a,b 1,b", ["----", "==", "a", ",", "b", "1,b"]),
        (r"@name _a_b_ \cmd", ["@name", "_", "a_b", "_", r"\cmd"]),
        ("naïve café", ["naïve", "café"]),
        ("我们 use 数学3次", ["我", "们", "use", "数", "学", "3", "次"]),
        ("a\U0001f600b", ["a", "\U0001f600", "b"]),
        ("my pH. USA. 2X.", ["my", "pH.", "USA", ".", "2X."]),
        ("p. 1. 2", ["p.", "1", ".", "2"]),
        (
            "Dr. Lee met Prof. Poe on Jan. 5, Miss. Ray",
            str.split("Dr. Lee met Prof. Poe on Jan. 5 , Miss . Ray"),
        ),
        (r"it cost \$2,100 or a \| b", ["it", "cost", r"\$2,100", "or", "a", r"\|", "b"]),
        ("so\u00adft diced\u2063 end", ["so\u00adft", "diced\u2063", "end"]),
        ("3.Next 15-Minute x-2", ["3.Next", "15", "-", "Minute", "x-2"]),
        ("(see http://a.de/b-c/?x=1).", ["(", "see", "http://a.de/b-c/?x=1", ")", "."]),
    ],
)
def test_tokenise(text: str, expected: list[str]) -> None:
    assert texts(text) == expected


def test_distinct_tokens() -> None:
    tokens = tokenise(classify("b a b c a b"))
    words = ["b", "a", "b", "c", "a", "b"]
    assert [words[first] for first in tokens.first[tokens.ids]] == words
    assert sorted(zip(tokens.first.tolist(), tokens.counts.tolist(), strict=True)) == [(0, 3), (1, 2), (3, 1)]


def test_hashes_do_not_depend_on_the_text_around() -> None:
    [alone] = tokenise(classify("word")).hashes
    assert alone in tokenise(classify("another word, é")).hashes


def test_order_of_letters_matters() -> None:
    assert len(tokenise(classify("abc acb bac cab " + "x" * 300 + " " + "x" * 301)).hashes) == 6


@given(st.text(alphabet="ab_ .'\n,-é数1", max_size=60))
def test_tokens_are_the_visible_characters_in_order(text: str) -> None:
    found = texts(text)
    assert "".join(found) == re.sub(r"\s", "", text)
    tokens = tokenise(classify(text))
    assert [found.index(token) for token in found] == tokens.first[tokens.ids].tolist()
