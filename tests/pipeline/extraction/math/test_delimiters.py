"""TeX between delimiters: what is a formula and what is money."""

import pytest

from pipeline.extraction.math import scanning
from pipeline.extraction.math.scanning import scan
from pipeline.extraction.web.html import extract_html
from tests.operations import growth


@pytest.mark.parametrize(
    ("text", "marked", "expected"),
    [
        (r"a \(x\) b", False, [("text", "a "), ("math", "x"), ("text", " b")]),
        (r"\[x=1\]", False, [("display", "x=1")]),
        ("a $x_1$ b", False, [("text", "a "), ("math", "x_1"), ("text", " b")]),
        ("a $x$ b", False, [("text", "a $x$ b")]),
        ("a $x$ b", True, [("text", "a "), ("math", "x"), ("text", " b")]),
        ("pay $5 or $10 now", True, [("text", "pay $5 or $10 now")]),
        ("from $5a_1$ to", True, [("text", "from "), ("math", "5a_1"), ("text", " to")]),
        (r"costs \$5 and \$6", True, [("text", r"costs \$5 and \$6")]),
        ("$$a+b$$", False, [("display", "a+b")]),
        (r"\begin{align*}a&=b\end{align*}", False, [("display", r"\begin{aligned}a&=b\end{aligned}")]),
        (r"\begin{equation}a\end{equation}", False, [("display", "a")]),
        (r"open \( never closed", False, [("text", r"open \( never closed")]),
    ],
)
def test_scan(text: str, marked: bool, expected: list[tuple[str, str]]):
    assert scan(text, marked)[0] == expected


def test_formula_cut_by_inline_tags_is_put_together():
    body = (
        r"<article><p>"
        + "Some words stand here. " * 10
        + r"</p><p>Now \(a_1<em>b</em>_2\) and $$x<br>=y^2$$ end.</p></article>"
    )
    text = extract_html(body.encode()).text
    assert "$a_1b_2$" in text
    assert "x\n=y^2" in text


def test_code_is_not_searched():
    body = (
        "<article><p>"
        + "Some words stand here. " * 10
        + r"</p><pre>re.sub(r'\(x\)', '$a_1$')</pre></article>"
    )
    assert r"re.sub(r'\(x\)', '$a_1$')" in extract_html(body.encode()).text


@pytest.mark.parametrize(
    ("unit", "closing"),
    [
        (r"a \( b ", r"\)"),
        ("$a ", "$"),
        (r"\begin{align} ", r"\end{align}"),
        ("$|", "$"),
        (r"\[ x ", r"\]"),
        ("$$ ", "$$"),
    ],
)
@pytest.mark.parametrize("is_closed", [False, True])
def test_work_is_linear_in_adversarial_text(unit: str, closing: str, is_closed: bool):
    """Bound 8, not 4: of 20,000 characters half, of 80,000 an eighth is nearer to the end than a formula's
    greatest length, and openings further away cost more.
    """
    few, end = unit * (20_000 // len(unit)), closing if is_closed else ""
    assert growth(scanning, lambda text: scan(text, True), few + end, few * 4 + end) < 8
