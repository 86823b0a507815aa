"""Benchmark problems are found however they are typeset."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.decontaminate import Index, build_index, contaminated_by, index_of_windows, normalise

QUESTION = (
    r"A farmer sells $\frac{1}{2}$ of his $1{,}200$ sheep at the first market and $\dfrac{2}{3}$ of those "
    r"that remain at the second. Let $x_1$ be the number left. "
    r"Compute $\sin\left(\pi x_1\right) + \sqrt{x_1}$."
)
RETYPESET = (
    "A farmer sells 1/2 of his 1200 sheep at the first market and ⅔ of those that\nremain at the second.  "
    "Let x₁ be the number left. Compute sin(π·x₁) + √x₁."
)
MATHML = QUESTION.replace(r"$\frac{1}{2}$", "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>")
OTHER = "Write a function that takes a list of intervals and merges all those that overlap, in sorted order."
FILLER = "The harbour was quiet that morning, and only two boats had gone out before the fog came in. "


@pytest.fixture(scope="module")
def index() -> Index:
    return build_index([("sheep", QUESTION), ("merge", OTHER), ("short", "What is 1+1?")])


@pytest.mark.parametrize(
    "typeset",
    [
        r"$\frac{1}{2}$",
        r"\(\dfrac12\)",
        "1/2",
        "½",
        "<math><mfrac><mn>1</mn><mn>2</mn></mfrac></math>",
        "1 / 2",
    ],
)
def test_one_half_is_one_half(typeset: str) -> None:
    assert normalise(typeset) == b"12"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"$\sin 2x \le 1{,}000$", b"sin2x1000"),
        ("π and \\pi and pi", b"piandpiandpi"),
        (r"\begin{align*}a&=b\end{align*}", b"ab"),
        ("half = <<48/2=24>>24", b"half24"),
        ("<math><annotation>x^2</annotation><mi>x</mi></math>", b"x"),
        ("", b""),
        ("Ärger", "ärger".encode()),
    ],
)
def test_normalise(text: str, expected: bytes) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize("copy", [QUESTION, RETYPESET, MATHML, QUESTION.upper().replace("FRAC", "frac")])
def test_copies_are_found_inside_documents(index: Index, copy: str) -> None:
    assert contaminated_by(FILLER * 5 + copy + FILLER * 5, index) == "sheep"


def test_most_of_a_problem_counts_and_little_of_it_does_not(index: Index) -> None:
    assert contaminated_by(FILLER + OTHER[: len(OTHER) * 3 // 4], index) == "merge"
    assert contaminated_by(FILLER + OTHER[: len(OTHER) // 2], index) is None


def test_clean_text_is_clean(index: Index) -> None:
    assert contaminated_by(FILLER * 20, index) is None
    assert contaminated_by("What is 1+1?", index) is None
    assert contaminated_by("", index) is None


def test_the_most_complete_copy_is_named(index: Index) -> None:
    assert contaminated_by(QUESTION[: len(QUESTION) * 3 // 4] + FILLER + OTHER, index) == "merge"


def test_an_index_is_made_again_from_its_windows(index: Index) -> None:
    again = index_of_windows(index.names, index.hashes, index.owners)
    assert again.num_windows.tolist() == index.num_windows.tolist()
    assert contaminated_by(RETYPESET, again) == "sheep"


def test_empty_index_finds_nothing() -> None:
    empty = build_index([])
    assert contaminated_by(QUESTION, index_of_windows((), empty.hashes, empty.owners)) is None


@given(st.text(min_size=0, max_size=40), st.text(min_size=0, max_size=40))
def test_surrounding_text_never_hides_a_copy(index: Index, before: str, after: str) -> None:
    assert contaminated_by(f"{before}. {OTHER} .{after}", index) == "merge"


@pytest.mark.parametrize("unit", ["<math><annotation>", "\\begin{a", "</m<m", "<<1"])
def test_time_is_linear_in_adversarial_text(unit: str) -> None:
    def seconds(copies: int) -> float:
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            normalise(unit * copies + "</m")
            best = min(best, time.process_time() - start)
        return best

    assert seconds(40_000) < 3.3 * seconds(20_000) + 0.01
