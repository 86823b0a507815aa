# ruff: noqa: E501 - markup is easier to read in one piece
"""One formula in every encoding of the web comes out as LaTeX, once."""

import pytest

from pipeline.extraction.math.formulas import tidy_tex
from pipeline.extraction.web.html import extract_html

FILLER = "The sum of the squares of the two shorter sides is the square of the longest side of it. " * 4
MATHML = "<msup><mi>x</mi><mn>2</mn></msup><mo>+</mo><mi>α</mi>"
ANNOTATED = f'<math><semantics><mrow>{MATHML}</mrow><annotation encoding="application/x-tex">x^2+\\alpha</annotation></semantics></math>'


def text_of(formula: str, head: str = "") -> str:
    return extract_html(
        f"<html><head>{head}</head><body><article><p>{FILLER}</p><p>We know {formula} holds.</p></article></body></html>".encode()
    ).text


@pytest.mark.parametrize(
    "formula",
    [
        r"<script type='math/tex'>x^2+\alpha</script>",
        r"<span class='MathJax_Preview'>x2+α</span><span class='MathJax'><nobr>x2+α</nobr></span><script type='math/tex'>x^2+\alpha</script>",
        f"<script type='math/mml'><math>{MATHML}</math></script>",
        "<script type='math/asciimath'>x^2+alpha</script>",
        f"<span class='katex'><span class='katex-mathml'>{ANNOTATED}</span><span class='katex-html' aria-hidden='true'>x2+α</span></span>",
        ANNOTATED,
        f"<math>{MATHML}</math>",
        f"<m:math xmlns:m='http://www.w3.org/1998/Math/MathML'>{MATHML}</m:math>",
        r"<math class='ltx_Math' alttext='x^{2}+\alpha'><mi>x</mi></math>",
        f"<mjx-container class='MathJax' jax='SVG'><svg><g></g></svg><mjx-assistive-mml><math>{MATHML}</math></mjx-assistive-mml></mjx-container>",
        "<mjx-container class='MathJax' jax='SVG'><svg><g data-mml-node='math'><g data-mml-node='msup'><g data-mml-node='mi'><path data-c='1D465'/></g>"
        "<g data-mml-node='mn' transform='x'><path data-c='32'/></g></g><g data-mml-node='mo'><path data-c='2B'/></g><g data-mml-node='mi'><path data-c='1D6FC'/></g></g></svg></mjx-container>",
        "<mjx-container class='MathJax' jax='CHTML'><mjx-math><mjx-msup><mjx-mi><mjx-c class='mjx-c1D465 TEX-I'></mjx-c></mjx-mi><mjx-script><mjx-mn><mjx-c class='mjx-c32'>"
        "</mjx-c></mjx-mn></mjx-script></mjx-msup><mjx-mo><mjx-c class='mjx-c2B'></mjx-c></mjx-mo><mjx-mi><mjx-c class='mjx-c1D6FC TEX-I'></mjx-c></mjx-mi></mjx-math></mjx-container>",
        f"<span class='MathJax_SVG' data-mathml='<math>{MATHML}</math>'><svg></svg></span>",
        f"<span class='mwe-math-element'><span class='mwe-math-mathml-inline' style='display: none;'>{ANNOTATED}</span><img class='mwe-math-fallback-image-inline' alt='{{\\displaystyle x^2+\\alpha}}'></span>",
        r"<img class='mwe-math-fallback-image-inline' src='/media/math/render/svg/ab' alt='{\displaystyle x^2+\alpha }'>",
        r"<img src='https://latex.codecogs.com/svg.latex?x^2+\alpha'>",
        "<img src='https://latex.codecogs.com/png.latex?%5Cdpi%7B120%7D%20x%5E2%2B%5Calpha' alt='equation'>",
        r"<img class='latex' src='/latex.php?latex=x%5E2%2B%5Calpha&bg=ffffff' alt='x^2+\alpha' title='x^2+\alpha'>",
        r"\(x^2+\alpha\)",
        "<code class='math'>x^2+\\alpha</code>",
    ],
)
def test_every_encoding_once(formula: str):
    text = "".join(text_of(formula).replace("{2}", "2").split())
    assert r"Weknow$x^2+\alpha$holds." in text


@pytest.mark.parametrize(
    "formula",
    [
        r"<script type='math/tex; mode=display'>x^2</script>",
        "<div class='katex-display'><span class='katex'><math display='block'><semantics><mi>x</mi><annotation encoding='application/x-tex'>x^2</annotation></semantics></math></span></div>",
        "<math display='block'><msup><mi>x</mi><mn>2</mn></msup></math>",
        r"\[x^2\]",
        "<img class='math display' src='https://latex.codecogs.com/png.latex?x' alt='x^2'>",
        r"<pre><code class='language-math'>x^2</code></pre>",
    ],
)
def test_display_formulas(formula: str):
    assert "We know\n\n$$x^2$$\n\nholds." in text_of(formula).replace("$$\nx^2\n$$", "$$x^2$$")


def test_latexml_equation_table_is_one_display():
    table = (
        "<table class='ltx_equation ltx_eqn_table'><tr><td><math alttext='a\\displaystyle' display='inline'></math></td>"
        "<td><math alttext='\\displaystyle=b'></math></td><td>(1)</td></tr></table>"
    )
    assert "$$" in text_of(table)
    assert text_of(table).count("$$") == 2


def test_images_that_are_no_formulas_stay_out():
    assert "$" not in text_of("<img src='/photo.jpg' alt='The context of a text_file {x}'>")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (r"{\displaystyle x^{2}}", "x^{2}"),
        (r"\displaystyle x", "x"),
        ("$$a$$", "a"),
        (r"\(a\)", "a"),
        ("% <![CDATA[\na %]]>", "a"),
        ("a}", "a"),
        ("{a", "{a}"),
        (r"\{a", r"\{a"),
        (r"{\displaystyle a}+{b}", r"{\displaystyle a}+{b}"),
    ],
)
def test_tidy_tex(source: str, expected: str):
    assert tidy_tex(source) == expected


def test_katex_glyphs_alone():
    html = (
        "<span class='katex'><span class='katex-html' aria-hidden='true'><span class='base'><span class='mord'><span class='mord mathnormal'>x</span>"
        "<span class='msupsub'><span class='vlist-t'><span class='vlist-r'><span class='vlist'><span style='top:-3.063em;'><span class='pstrut'></span>"
        "<span class='sizing reset-size6 size3 mtight'><span class='mord mtight'>2</span></span></span></span></span></span></span></span>"
        "<span class='mbin'>−</span><span class='mord mathnormal'>α</span></span></span></span>"
    )
    assert r"$x^{2}-\alpha$" in text_of(html)
