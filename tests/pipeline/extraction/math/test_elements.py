# ruff: noqa: E501 - markup is easier to read in one piece
"""Raw TeX in elements and attributes, and between the marks of single sites."""

import pytest

from pipeline.extraction.math import delimiters
from pipeline.extraction.math.delimiters import shield_less_than
from pipeline.extraction.web.html import extract_html
from tests.operations import growth

FILLER = (
    "A sequence has a limit if all but finitely many of its members lie as near to it as anyone asks for. "
    * 4
)
MATHJAX = "<script src='https://example.org/mathjax/tex-chtml.js'></script>"


def text_of(markup: str, head: str = "") -> str:
    page = f"<html><head>{head}</head><body><article><p>{FILLER}</p><p>{FILLER}Then {markup} holds.</p></article></body></html>"
    return extract_html(page.encode()).text.rsplit("Then", 1)[1].lstrip(" ")


INLINE = [
    "<span data-latex='c^2-1'></span>",
    "<span class='ztext-math' data-eeimg='1' data-tex='c^2-1'>c^2-1</span>",
    "<span class='ql-formula' data-value='c^2-1'><span>rendered</span></span>",
    "<span class='mq-math-mode' data-content='c^2-1'></span>",
    "<span class='math'>c^2-1</span>",
    "<span class='math inline'>c^2-1</span>",
    "<tt class='math'>c^2-1</tt>",
    "<code class='code math js-render-math' data-math-style='inline'>c^2-1</code>",
    "<code class='language-math math-inline'>c^2-1</code>",
    "<span class='katex-error' title='error'>c^2-1</span>",
    "<d-math>c^2-1</d-math>",
    "<math-renderer class='js-inline-math'>$c^2-1$</math-renderer>",
    "<amp-mathml inline data-formula='\\(c^2-1\\)'></amp-mathml>",
    "<tex-math>c^2-1</tex-math>",
    "<inline-formula><alternatives><tex-math>\\documentclass{a}\\begin{document}$c^2-1$\\end{document}</tex-math><mml:math><mml:mi>c</mml:mi></mml:math></alternatives></inline-formula>",
    "<inline-formula><mml:math><mml:msup><mml:mi>c</mml:mi><mml:mn>2</mml:mn></mml:msup><mml:mo>-</mml:mo><mml:mn>1</mml:mn></mml:math></inline-formula>",
    "<eq><span class='katex'><span class='katex-mathml'><math><semantics><mi>c</mi><annotation encoding='application/x-tex'>c^2-1</annotation></semantics></math></span></span></eq>",
    "<var>c^2-1</var>",
    "$<code>c^2-1</code>$",
    "$latex c^2-1$",
    "[itex]c^2-1[/itex]",
    "[tex]c^2-1[/tex]",
    "[LATEX]c^2-1[/LATEX]",
    "\\\\(c^2-1\\\\)",
]  # fmt: skip


@pytest.mark.parametrize("markup", INLINE)
def test_formulas_in_the_line(markup: str):
    assert text_of(markup).replace("{2}", "2") == "$c^2-1$ holds."


@pytest.mark.parametrize(
    "markup",
    [
        "<div data-latex='c^2-1'></div>",
        "<div class='math'>\nc^2-1\n</div>",
        "<span class='math display'>c^2-1</span>",
        "<pre class='code math js-render-math' data-math-style='display'><code>c^2-1</code></pre>",
        "<pre><code class='language-math math-display'>c^2-1</code></pre>",
        "<d-math block>c^2-1</d-math>",
        "<amp-mathml layout='container' data-formula='\\[c^2-1\\]'></amp-mathml>",
        "<disp-formula><label>(1)</label><tex-math>c^2-1</tex-math></disp-formula>",
        "\\\\[c^2-1\\\\]",
        "$$$$$$c^2-1$$$$$$",
        "<span>with [itex]c[/itex]</span> and [tex]c^2-1[/tex]",
    ],
)
def test_displays(markup: str):
    assert text_of(markup).endswith("\n\n$$c^2-1$$\n\nholds.")


@pytest.mark.parametrize(
    ("markup", "head", "expected"),
    [
        ("##c^2## and ##\\beta##", MATHJAX, r"$c^2$ and $\beta$"),
        ("`c = sqrt(2)/2`", "<script src='MathJax.js?config=AM_HTMLorMML'></script>", r"$c=\frac{\sqrt{2}}{2}$"),
        ("`c = sqrt(2)/2`", MATHJAX, "`c = sqrt(2)/2`"),
        ("##c^2##", "", "##c^2##"),
        ("$$$m$$$", MATHJAX, "$m$"),
        ("$a<b_1 + c$ and $0<i<n$", MATHJAX, "$a<b_1 + c$ and $0<i<n$"),
        ("<b>Set</b> \\(c_1<em>d</em>_2\\)", "", "Set $c_1d_2$"),
        ("<span class='tex2jax_ignore'>$c_1$ or $d_2$</span>", MATHJAX, r"\$c_1\$ or \$d_2\$"),
        ("<var>K</var> and <var>1 \\leq K \\leq 10^9</var>", "", r"$K$ and $1 \leq K \leq 10^9$"),
        ("the <var>file</var> named <var>k</var>", "", "the file named k"),
        ("<span class='math'>see the proof</span>", "", "see the proof"),
        ("<span class='equation'>(4)</span>", "", "(4)"),
        ("the [tex] tag", "", "the [tex] tag"),
        ("<code>$c</code> for $5", "", r"`$c` for \$5"),
    ],
)  # fmt: skip
def test_marks_of_single_sites(markup: str, head: str, expected: str):
    assert text_of(markup, head) == f"{expected} holds."


def test_clear_tex_makes_the_other_dollars_formulas():
    assert text_of(r"$2m+1$ of $10^4$ with $m \le 3$") == r"$2m+1$ of $10^4$ with $m \le 3$ holds."
    assert text_of(r"$2m+1$ of many") == r"\$2m+1\$ of many holds."


def test_what_cannot_be_read_counts_as_seen():
    page = f"<article><p>{FILLER}</p><p>{FILLER}<math></math> and \\(c\\)</p></article>"
    result = extract_html(page.encode())
    assert (result.math_seen, result.math_kept) == (2, 1)


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("$x<y$", "$x&lt;y$"),
        ("$x<y_1 z$ <b>w</b>", "$x&lt;y_1 z$ <b>w</b>"),
        (
            "<g id='a'></g><my_tag></my_tag><o:p></o:p><br/>",
            "<g id='a'></g><my_tag></my_tag><o:p></o:p><br/>",
        ),
        ("<script>a<b(c)</script><p>$a<b(c)$", "<script>a<b(c)</script><p>$a&lt;b(c)$"),
    ],
)
def test_a_less_than_that_begins_no_tag_is_shielded(page: str, expected: str):
    assert shield_less_than(page) == expected


@pytest.mark.parametrize("unit", ["<a_", "<a_1 ", "<a<", "<x ", "<script", "<!--", "</a_1>", "<b$"])
def test_shielding_is_linear(unit: str):
    few = unit * (5_000 // len(unit))
    assert growth(delimiters, shield_less_than, few, few * 4) < 5
