"""TeX between delimiters: what is a formula and what is money."""

import time

import pytest

from pipeline.extraction.math.delimiters import scan
from pipeline.extraction.web.html import extract_html


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


@pytest.mark.parametrize("piece", [r"a \( b ", "$a ", r"\begin{align} ", "$|", r"\[ x "])
def test_time_is_linear_in_the_length(piece: str):
    def seconds(count: int) -> float:
        start = time.process_time()
        scan(piece * count, True)
        return time.process_time() - start

    seconds(100)
    assert seconds(80_000) < 8 * max(seconds(20_000), 0.01)
