"""Presentation MathML to LaTeX, and the normal form that compares formulas."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from pipeline.extraction.math.mathml import mathml_to_latex
from pipeline.extraction.math.mathml_leaves import balance
from pipeline.extraction.math.tex_normal import normalise_tex

X, Y = "<mi>x</mi>", "<mi>y</mi>"


def latex(inner: str) -> str:
    return mathml_to_latex(etree.fromstring(f"<math>{inner}</math>"))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f"<mfrac>{X}{Y}</mfrac>", r"\frac{x}{y}"),
        (f"<msqrt>{X}<mo>+</mo>{Y}</msqrt>", r"\sqrt{x+y}"),
        (f"<mroot>{X}<mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        (f"<msup><mrow>{X}<mo>+</mo>{Y}</mrow><mn>10</mn></msup>", "{x+y}^{10}"),
        (f"<msubsup>{X}<mi>i</mi><mn>2</mn></msubsup>", "x_i^2"),
        (
            "<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover>",
            r"\sum_{i=1}^n",
        ),
        (
            "<munder><mo>lim</mo><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder>",
            r"\lim_{x\rightarrow 0}".replace(" ", ""),
        ),
        (f"<mover>{X}<mo>^</mo></mover>", r"\hat{x}"),
        (f"<mover><mrow>{X}{Y}</mrow><mo stretchy='true'>¯</mo></mover>", r"\overline{xy}"),
        ("<mi>sin</mi><mo>\u2061</mo><mi>x</mi>", r"\sin x"),
        ("<mi>foo</mi>", r"\operatorname{foo}"),
        ("<mi>α</mi><mi>x</mi>", r"\alpha x"),
        ("<mi>α</mi><mn>2</mn>", r"\alpha2"),
        ("<mi mathvariant='bold'>v</mi>", r"\mathbf{v}"),
        ("<mi>ℝ</mi><mi>𝒞</mi>", r"\mathbb{R}\mathcal{C}"),
        (f"<mfenced open='[' close='|'>{X}{Y}</mfenced>", r"\left[x,y\right|"),
        ("<mtext>50% of {a}</mtext>", r"\text{50\% of \{a\}}"),
        (
            f"<mmultiscripts>{X}<mi>a</mi><mi>b</mi><mprescripts/><mi>c</mi><none/></mmultiscripts>",
            "{}_cx_a^b",
        ),
        (
            "<mrow><mo>(</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd><mn>0</mn></mtd><mtd><mn>1</mn></mtd></mtr></mtable><mo>)</mo></mrow>",
            "\\begin{pmatrix}\n1 & 0 \\\\\n0 & 1\n\\end{pmatrix}",
        ),
        (
            "<mo>{</mo><mtable><mtr><mtd><mn>1</mn></mtd><mtd><mtext>if</mtext></mtd></mtr></mtable>",
            "\\begin{cases}\n1 & \\text{if}\n\\end{cases}",
        ),
        (
            f"<mi>C</mi><mo>=</mo><mo>(</mo><mfrac linethickness='0'>{X}{Y}</mfrac><mo>)</mo>",
            r"C=\binom{x}{y}",
        ),
        (f"<mfenced><mfrac linethickness='0px'>{X}{Y}</mfrac></mfenced>", r"\binom{x}{y}"),
        (
            f"<mo>(</mo><mrow><mfrac linethickness='0'>{X}{Y}</mfrac><mo>+</mo>{X}</mrow><mo>)</mo>",
            r"(\genfrac{}{}{0pt}{}{x}{y}+x)",
        ),
        ("<menclose notation='box top'><mi>x</mi></menclose>", r"\overline{\boxed{x}}"),
        ("<mi>x</mi><mo>≤</mo><mi>y</mi>", r"x\leq y"),
        ("<msup><mi>f</mi><mo>′</mo></msup>", "f'"),
    ],
)
def test_elements(source: str, expected: str):
    assert latex(source) == expected


names = st.sampled_from(
    [
        "mi",
        "mo",
        "mn",
        "mtext",
        "mrow",
        "mfrac",
        "msqrt",
        "mroot",
        "msub",
        "msup",
        "msubsup",
        "mover",
        "munder",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mfenced",
        "mmultiscripts",
        "mspace",
        "bogus",
    ]
)
trees = st.recursive(
    st.builds(lambda name, text: (name, text, []), names, st.text(max_size=3)),
    lambda children: st.builds(lambda name, inner: (name, "", inner), names, st.lists(children, max_size=4)),
    max_leaves=12,
)


def build(tree: tuple[str, str, list]) -> etree._Element:
    element = etree.Element(tree[0])
    element.text = "".join(char for char in tree[1] if char.isprintable())
    element.extend(build(child) for child in tree[2])
    return element


@settings(max_examples=200, deadline=None)
@given(trees)
def test_any_tree_converts_with_balanced_braces(tree):
    math = etree.Element("math")
    math.append(build(tree))
    result = mathml_to_latex(math)
    assert balance(result) == result
    assert isinstance(normalise_tex(result), str)


def test_hostile_depth_ends():
    math = innermost = etree.Element("math")
    for _ in range(3_000):
        innermost = etree.SubElement(innermost, "mrow")
    etree.SubElement(innermost, "mi").text = "x"
    assert mathml_to_latex(math) == "x"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"x^2_1", r"x_{1}^{2}"),
        (r"\left( a \right)\,b", "(a)b"),
        (r"a \le b", "a≤b"),
        (r"\mathrm{d}x", r"\text{d}x"),
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\begin{pmatrix}a&b\\c&d\\\end{pmatrix}", r"\left(\begin{array}{cc}a&b\\c&d\end{array}\right)"),
        ("{a \\over b}", r"\frac{a}{b}"),
        (r"\mathbb R", "ℝ"),
        (r"f'", r"f^{\prime}"),
        (r"\widehat{ab}", r"\hat{ab}"),
    ],
)
def test_same_formula_has_one_normal_form(one: str, other: str):
    assert normalise_tex(one) == normalise_tex(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [("x^2", "x_2"), ("ab", "ba"), (r"\frac12", r"\frac21"), (r"\alpha", "a"), ("x^{ab}", "x^ab")],
)
def test_different_formulas_stay_different(one: str, other: str):
    assert normalise_tex(one) != normalise_tex(other)
