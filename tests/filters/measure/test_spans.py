"""Where code and math lie: literal texts, the spans written by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.measure import spans
from filters.measure.spans import find_spans, without_spans
from tests.operations import growth


def pieces(text: str) -> list[tuple[str, str, bool]]:
    return [(text[s.start : s.end], s.kind, s.is_block) for s in find_spans(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain words only", []),
        ("let $x_1$ be", [("$x_1$", "math", False)]),
        ("pay $5 and $10 now", []),
        ("from $5 to$10 each", []),
        (r"an escaped \$5 and $y$", [("$y$", "math", False)]),
        ("$ x$ and $y $ have spaces inside", []),
        ("$$\na\n\nb\n$$", [("$$\na\n\nb\n$$", "math", True)]),
        (r"\(a\) and \[b\]", [(r"\(a\)", "math", False), (r"\[b\]", "math", True)]),
        (
            "\\begin{align*}a&=b\\\\[2pt]c\\end{align*}",
            [("\\begin{align*}a&=b\\\\[2pt]c\\end{align*}", "math", True)],
        ),
        (r"\begin{itemize}\item a\end{itemize}", []),
        ("use `f(x)` or ``a`b``", [("`f(x)`", "code", False), ("``a`b``", "code", False)]),
        ("a ` lonely backtick", []),
        ("inline `a\n\nb` never crosses a blank line", []),
        ("```py\ns = '$1'\n```\nrest $z$", [("```py\ns = '$1'\n```", "code", True), ("$z$", "math", False)]),
        ("~~~\n```\n~~~\nx", [("~~~\n```\n~~~", "code", True)]),
        ("```\nx ``` y\n```\nz", [("```\nx ``` y\n```", "code", True)]),
        ("````\n```\n````\nz", [("````\n```\n````", "code", True)]),
        ("```\nnever closed $x$", [("```\nnever closed $x$", "code", True)]),
        ("> ```c\n> int x;\n> ```\nz", [("> ```c\n> int x;\n> ```", "code", True)]),
        ("[asy]draw(a);[/asy] then", [("[asy]draw(a);[/asy]", "code", True)]),
    ],
)
def test_find_spans(text: str, expected: list[tuple[str, str, bool]]) -> None:
    assert pieces(text) == expected


def test_without_spans_leaves_one_space_for_each() -> None:
    text = "a `b` c $d$.\n```\ne\n```\nf"
    assert without_spans(text, find_spans(text)) == "a   c  .\n \nf"


@given(st.text(alphabet="a $`~\\\n[]()>5", max_size=80))
def test_spans_are_ordered_disjoint_and_within_the_text(text: str) -> None:
    spans = find_spans(text)
    borders = [border for span in spans for border in (span.start, span.end)]
    assert borders == sorted(borders)
    assert all(span.start < span.end <= len(text) for span in spans)


@pytest.mark.parametrize(
    ("unit", "closing"),
    [
        ("$", ""),
        ("$a ", "$$"),
        ("`", ""),
        ("`a\n\n", "`"),
        ("\\begin{align}", "\\end{align}"),
        ("\\[", "\\]"),
        ("```\n", ""),
        ("~~~~\n```\n", "~~~~"),
        ("``` ", "```"),
    ],
)
def test_work_is_linear_in_adversarial_text(unit: str, closing: str) -> None:
    assert growth(spans, find_spans, unit * 1_000 + closing, unit * 4_000 + closing) < 5
