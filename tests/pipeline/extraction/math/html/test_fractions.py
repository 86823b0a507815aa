# ruff: noqa: E501 - markup is easier to read in one piece
"""Fractions, roots and bars that pages draw with spans."""

import pytest

from pipeline.extraction.web.html import extract_html

FILLER = (
    "Half of a cake and a third of another one are together five sixths of a whole cake of that size. " * 4
)


def line(markup: str) -> str:
    """The text of a line of prose with this markup in it."""
    page = f"<article><p>{FILLER}</p><p>{FILLER}See {markup} here.</p></article>"
    return extract_html(page.encode()).text.rsplit("See ", 1)[1].removesuffix(" here.")


STACK = "<span style='display:inline-block; vertical-align:-0.5em'><span style='display:block;{rule}'>{above}</span><span style='display: block'>{below}</span></span>"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<span class='sfrac tion'><span class='num'>5</span><span class='sr-only'>/</span><span class='den'>8</span></span>", "5/8"),
        ("<span class='sfrac'>\u2060<span class='tion'><span class='num'>5</span><span class='sr-only'>/</span><span class='den'>8</span></span>\u2060</span>", "5/8"),
        ("2<span class='frac'><span class='num'>1</span>&frasl;<span class='den'>3</span></span>", "2 1/3"),
        ("<span class='fraction'><span class='numerator'>a + b</span><span class='denominator'>2</span></span>", r"$\frac{a+b}{2}$"),
        ("<span class='mq-fraction'><span class='mq-numerator'>x<sup>2</sup></span><span class='mq-denominator'>y</span></span>", r"$\frac{x^2}{y}$"),
        ("<span class='sfrac'><span style='display:block'>5</span><span class='visualhide'>/</span><span style='display:block'>8</span></span>", "5/8"),
        ("2<sup>1</sup>&frasl;<sub>3</sub> and <sup>5</sup>/<sub>8</sub>", "2 1/3 and 5/8"),
        (STACK.format(rule="border-bottom:1px solid", above="5", below="8"), "5/8"),
        (STACK.format(rule="border-bottom:1px solid", above="p+q", below="r"), r"$\frac{p+q}{r}$"),
        (f"({STACK.format(rule='', above='n', below='k')}) ways", r"$\binom{n}{k}$ ways"),
        ("&radic;<span style='border-top:1px solid'>x+1</span>", r"$\sqrt{x+1}$"),
        ("<sup>3</sup>&radic;<span style='text-decoration:overline'>x</span>", r"$\sqrt[3]{x}$"),
        ("&radic;<b style='text-decoration:overline'>x</b> of &radic;<span style='text-decoration:overline'>y</span><sup><span style='text-decoration:overline'>2</span></sup><span style='text-decoration:overline'>+1</span>, k", r"√x of $\sqrt{y^2+1}$, k"),
        ("<span style='text-decoration:overline'>AB</span> and <span class='ovl'>z</span>", r"$\overline{AB}$ and $\overline{z}$"),
    ],
)  # fmt: skip
def test_drawn_formulas(markup: str, expected: str):
    assert line(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<span class='num'>5</span> of <b>8</b>", "5 of 8"),
        ("<span style='display:inline-block;vertical-align:top'><span style='display:block'>left</span></span>", "left"),
        ("<span style='border-top:1px solid'>a line above</span>", "a line above"),
        (f"<span style='text-decoration:overline'>{'long ' * 30}</span>", ("long " * 30).strip()),
        ("2/3 and 1⁄2", "2/3 and 1⁄2"),
    ],
)  # fmt: skip
def test_what_only_looks_alike_stays(markup: str, expected: str):
    assert line(markup) == expected
