"""What stands between two dollars: a formula, money, a variable."""

import pytest

from pipeline.extraction.math import dollars
from pipeline.extraction.math.dollars import MAX_INLINE_CHARS, is_dollar_formula, reads_as_prose
from pipeline.extraction.math.scanning import scan
from tests.operations import growth


def marked(text: str, is_marked: bool = True) -> str:
    """The text with its formulas between angle brackets."""
    pieces, _ = scan(text, is_marked)
    return "".join(content if kind == "text" else f"<{content}>" for kind, content in pieces)


@pytest.mark.parametrize(
    "formula",
    [
        "0", "17", "2n", "5k+3", "1, 2, 4", "-1", "1/2", "2.5", "10\\%", "1 < y < 2", "x", "xyz", "G",
        "(a,b)", "[0,1]", "f'(x)", "m!", "a|b", "P = NP", "O(n \\log n)", "f: A \\to B", "\\{1, 2\\}",
        "n = 7", "y^2", "a_{ij}", "score",
    ],
)  # fmt: skip
def test_formulas_of_pages_with_a_renderer(formula: str):
    assert marked(f"So ${formula}$ holds.") == f"So <{formula}> holds."
    assert marked(f"So $ {formula} $ holds.") == (
        f"So < {formula} > holds."
        if formula not in ("score", "xyz", "P = NP")
        else f"So $ {formula} $ holds."
    )


@pytest.mark.parametrize(
    "text",
    [
        "It is 7$ or 9$, rarely $30.",
        "One has $3,000 here and $4,000 there.",
        "A sum of $700 was lent, and later $770 was due (c+d).",
        "From $5-$10 to $6/$7, or US$8 and HK$9.",
        "I have $30. You have $40.",
        "In PHP, $new_sum = $old_sum; and echo $new_sum.",
        "Put $HOME/bin before $PATH or ${LANG}${TERM}.",
        "The regex ^abc$ or xyz$ or $1 and $2.",
        "With jQuery, $('.menu').hide() and $('#top').",
        "($3, $4, and $5)",
        "cheap $$ to dear $$$ and $$$$",
    ],
)
def test_money_variables_and_regexes_stay_text_even_with_a_renderer(text: str):
    assert marked(text) == text


def test_formulas_among_money():
    assert marked("I paid $90 for $k$ pens, $x$ each.") == "I paid $90 for <k> pens, <x> each."
    assert marked("the $n$-th, $m$th, $5$-fold, 3$\\times$3") == "the <n>-th, <m>th, <5>-fold, 3<\\times>3"
    assert marked("$a$,$b$ and $p$/$q$") == "<a>,<b> and <p>/<q>"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a $y_1$ b", "a <y_1> b"),
        ("a $y$ b", "a $y$ b"),
        ("a $ y_1 $ b", "a $ y_1 $ b"),
        ("the $new_sum$ and $old_sum$", "the $new_sum$ and $old_sum$"),
        ("$a_b=$c_d and $list[$i_1]", "$a_b=$c_d and $list[$i_1]"),
        (r"$latex \beta_2 - 1$ and $latex y&s=2&bg=fff$", r"<\beta_2 - 1> and <y>"),
        (r"\\(c^2\\) and $$$m$$$", "<c^2> and <m>"),
    ],
)
def test_pages_without_a_renderer_need_evidence(text: str, expected: str):
    assert marked(text, False) == expected


def test_long_text_is_no_formula_in_the_line():
    assert is_dollar_formula("x" + "+x" * (MAX_INLINE_CHARS // 2 - 1), " ", " ", True)
    assert not is_dollar_formula("x" + "+x" * (MAX_INLINE_CHARS // 2), " ", " ", True)


def test_prose_between_double_dollars():
    assert reads_as_prose("a cheap meal and a dear one")
    assert not reads_as_prose(r"\text{a cheap meal} = x_1")


@pytest.mark.parametrize("unit", ["word ", "a", "a_b", "\\text{", "_{", "Aa. ", "\\a"])
def test_work_is_linear(unit: str):
    few = unit * (2_500 // len(unit))
    assert growth(dollars, reads_as_prose, few, few * 4) < 5
