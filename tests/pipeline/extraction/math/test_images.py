# ruff: noqa: E501 - markup is easier to read in one piece
"""Formulas that a page shows as images."""

import pytest

from pipeline.extraction.web.html import extract_html

FILLER = (
    "A triangle with a right angle has two short sides and a long one, which is opposite to that angle. " * 4
)
WIRIS = "«math xmlns=¨http://www.w3.org/1998/Math/MathML¨»«msup»«mi»c«/mi»«mn»2«/mn»«/msup»«mo»-«/mo»«mn»1«/mn»«/math»"


def text_of(markup: str) -> str:
    page = f"<article><p>{FILLER}</p><p>{FILLER}Then {markup} holds.</p></article>"
    return extract_html(page.encode()).text.rsplit("Then", 1)[1].lstrip(" ")


@pytest.mark.parametrize(
    "image",
    [
        "<img src='https://www.zhihu.com/equation?tex=c%5E2-1' alt='c^2-1' class='ee_img'>",
        "<img src='/images/equations/Circle/Inline1.svg' class='inlineformula' alt='c^2-1'>",
        "<img src='/ql-cache/quicklatex.com-ab_l3.png' class='ql-img-inline-formula quicklatex-auto-format' alt='c^2-1' title='Rendered by QuickLaTeX.com'>",
        "<img src='img7.png' alt='$c^2-1$'>",
        "<span class='MATH'><img src='img7.svg' alt='$c^2-1$'></span>",
        "<img class='texrender' src='/filter/tex/pix.php/ab.gif' alt='c^2-1' title='c^2-1'>",
        "<img src='/latexrender/pictures/ab.png' alt='c^2-1'>",
        "<img class='equation_image' src='/equation_images/c%255E2-1' alt='LaTeX: c^2-1' data-equation-content='c^2-1'>",
        "<img src='/equation_images/c%255E2-1'>",
        "<img src='//latex.artofproblemsolving.com/c/1.png' class='latex' alt='$c^2-1$'>",
        f"<img class='Wirisformula' src='a.png' alt='c squared minus one' data-mathml='{WIRIS}'>",
        "<img class='MathType' src='a.png' alt='<math><msup><mi>c</mi><mn>2</mn></msup><mo>-</mo><mn>1</mn></math>'>",
        "<img class='ltx_Math' src='m1.png' alt='c^2-1'>",
        "<img src='https://chart.googleapis.com/chart?cht=tx&chl=c%5E2-1'>",
        "<img src='https://math.now.sh?from=c%5E2-1'>",
        "<img src='https://example.org/svg.latex?c^2-1' alt='a formula' class='tex'>",
    ],
)
def test_images_of_formulas(image: str):
    assert text_of(image).replace("{2}", "2") == "$c^2-1$ holds."


def test_a_single_letter_is_a_formula_by_its_class_or_url():
    assert text_of("<img class='ee_img' alt='k'> and <img class='latex' alt='m'>") == "$k$ and $m$ holds."
    assert text_of("<img src='/filter/tex/pix.php/ab.gif' alt='k'>") == "$k$ holds."


@pytest.mark.parametrize(
    ("alt", "expected"),
    [
        ("\\begin{displaymath}c^2\\end{displaymath}", "$$c^2$$"),
        ("\\begin{equation*}c^2\\end{equation*}", "$$c^2$$"),
        ("\\[c^2\\]", "$$c^2$$"),
        (
            "\\begin{eqnarray*}\na &=& b\\\\\nc &=& d\n\\end{eqnarray*}",
            "$$\n\\begin{aligned}\na &=& b\\\\\nc &=& d\n\\end{aligned}\n$$",
        ),
    ],
)
def test_displays(alt: str, expected: str):
    assert f"\n\n{expected}\n\n" in text_of(f"<img src='img8.png' alt='{alt.replace('&', '&amp;')}'>")


@pytest.mark.parametrize(
    "image",
    [
        "<img src='dog.jpg' alt='A dog_in_the {park}'>",
        "<img src='a.png' class='Wirisformula' alt='c squared minus one'>",
        "<img src='a.png' class='latex' alt='The LaTeX logo'>",
        "<img src='a.png' alt='$20 bill'>",
    ],
)
def test_other_images_stay_out(image: str):
    assert text_of(image) == "holds."
