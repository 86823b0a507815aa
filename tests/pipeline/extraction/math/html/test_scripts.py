# ruff: noqa: E501 - markup is easier to read in one piece
"""Powers and indices that a page writes in plain HTML."""

import pytest

from pipeline.extraction.math.html import scripts
from pipeline.extraction.tree import lines
from pipeline.extraction.web.html import extract_html
from pipeline.extraction.web.page import read
from tests.operations import operations

FILLER = (
    "A number is prime if it has exactly two divisors, which are one and the number itself, so one is none. "
    * 4
)


def line(markup: str, language: str = "en") -> str:
    """The text of a line of prose with this markup in it."""
    page = f"<html lang='{language}'><body><article><p>{FILLER}</p><p>{FILLER}See {markup} here.</p></article></body></html>"
    return extract_html(page.encode()).text.rsplit("See ", 1)[1].removesuffix(" here.")


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("7<sup>12</sup>", "$7^{12}$"),
        ("2.5<sup>3</sup> and 1,200<sup>2</sup>", "$2.5^3$ and $1,200^2$"),
        ("n<sup>k</sup>", "$n^k$"),
        ("10<sup>&minus;9</sup> s", "$10^{-9}$ s"),
        ("e<sup>&minus;t/2</sup>", "$e^{-t/2}$"),
        ("b<sub>k + 1</sub> = 3b<sub>k</sub>", "$b_{k+1}$ = 3$b_k$"),
        ("2<sup>3<sup>n</sup></sup>", "$2^{3^n}$"),
        ("<i>z</i><sup><i>m</i>+1</sup>", "$z^{m+1}$"),
        ("<i>w<sup>4</sup></i>", "$w^4$"),
        ("<b>R</b><sup>3</sup>", "$R^3$"),
        ("(a+b)<sup>2</sup>", "$(a+b)^2$"),
        ("|v|<sup>2</sup> and [0,1]<sup>3</sup>", "$|v|^2$ and $[0,1]^3$"),
        ("(observed - expected)<sup>2</sup>", "$(observed - expected)^2$"),
        ("m!<sup>2</sup>", "$m!^2$"),
        ("f&prime;<sub>x</sub> and g<sup>&prime;</sup>", "$f'_x$ and $g'$"),
        ("cos<sup>2</sup> t and log<sub>3</sub> n", r"$\cos^2$ t and $\log_3$ n"),
        ("&sigma;<sup>2</sup> and x<sub>&alpha;</sub>", r"$\sigma^2$ and $x_{\alpha}$"),
        ("&sum;<sub>i=1</sub><sup>n</sup>", r"$\sum_{i=1}^n$"),
        ("E<sub>kinetic energy</sub>", r"$E_{\text{kinetic energy}}$"),
        ("y<sup>&dagger;</sup> and y<sup>*</sup>", r"$y^{\dagger}$ and $y^*$"),
        ("m/s<sup>2</sup>, 3 cm<sup>3</sup>, 8 in<sup>2</sup>, kg m<sup>-3</sup>", "m/$s^2$, 3 $cm^3$, 8 $in^2$, kg $m^{-3}$"),
        ("5 m/sec<sup>2</sup>", "5 m/$sec^2$"),
        ("O(k<sup>3</sup>)", "O($k^3$)"),
        ("Mg<sup>2+</sup>, Br<sup>-</sup>, NH<sub>4</sub><sup>+</sup>", "$Mg^{2+}$, $Br^-$, $NH_4^+$"),
        ("C<sub>2</sub>H<sub>6</sub> and H<sub>2</sub>O", "$C_2H_6$ and $H_2$O"),
        ("(CH<sub>3</sub>)<sub>3</sub>N", "$(CH_3)_3$N"),
        ("<sup>12</sup>C and <sup>238</sup><sub>92</sub>U", "$^{12}C$ and $^{238}_{92}U$"),
        ("<sup>m</sup>C<sub>k</sub> ways", "$^mC_k$ ways"),
        ("a<sub>1</sub><sub>2</sub>", "$a_1{}_2$"),
        ("2<sup>2</sup>3<sup>4</sup>", "$2^2 3^4$"),
        ("10<sup>4 </sup>times", "$10^4$ times"),
        ("10<sup>1/3</sup> and 4<sup>1</sup>/<sub>2</sub> and k<sup>1</sup>/<sub>2</sub>", "$10^{1/3}$ and 4 1/2 and $k^{1/2}$"),
        (r"\(x\)<sup>2</sup>", "$x^2$"),
        (r"\(x\)<i>y</i><sub>1</sub>", "$x$ $y_1$"),
        (r"4<sup>\(m\)</sup>", "$4^m$"),
        ("SO<sup>2-</sup><br><sub>4</sub>", "$SO^{2-}_4$"),
        ("q<span style='vertical-align: super; font-size: 70%'>5</span>", "$q^5$"),
        ("q<span class='subscript'>5</span>", "$q_5$"),
    ],
)  # fmt: skip
def test_powers_and_indices(markup: str, expected: str):
    assert line(markup) == expected


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("the 2<sup>nd</sup>, the n<sup>th</sup> and the (n+1)<sup>st</sup>", "the 2nd, the nth and the (n+1)st"),
        ("as Miller showed<sup>2</sup>", "as Miller showed2"),
        ("it ends.<sup>3</sup> And", "it ends.3 And"),
        ("it<sup>2</sup>", "it2"),
        ("in 1987<sup>2</sup>", "in 1987[2]"),
        ("(Miller 1987)<sup>2</sup>", "(Miller 1987)2"),
        ("Anna Wu<sup>1,2</sup> and Bo Wu<sup>2</sup>", "Anna Wu1,2 and Bo Wu2"),
        ("a price<sup>*</sup> of x<sup>[4]</sup>", "a price* of x[4]"),
        ("Acme<sup>TM</sup>, Acme<sup>&reg;</sup>, Acme<sup>R</sup>, 7<sup>(R)</sup>", "AcmeTM, Acme®, AcmeR, 7(R)"),
        ("3<sup><a href='#fn3'>4</a></sup> or 3<a href='#fn3'><sup>4</sup></a>", "34 or 34"),
        ("M<sup>me</sup> Curie, n<sup>o</sup> 5", "Mme Curie, no 5"),
        ("21<sup>o</sup>C or 90<sup>&#8728;</sup>", "21°C or 90°"),
        ("see<sup class='reference'><a href='#n'>[1]</a></sup>", "see"),
        ("Reader<sup>preview</sup>", "Reader preview"),
        ("12.5<sup>a</sup> in a table", "12.5a in a table"),
        ("L<sup>A</sup>T<sub>E</sub>X and T<sub>e</sub>X", "LATEX and TeX"),
    ],
)  # fmt: skip
def test_other_raised_text_stays_what_it_is(markup: str, expected: str):
    assert line(markup) == expected


def test_ordinals_depend_on_the_language():
    assert line("le 2<sup>e</sup> jour", "fr") == "le 2e jour"
    assert line("at 2<sup>e</sup> bytes", "en") == "at $2^e$ bytes"


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<code>1 &lt;= k &lt;= 10<sup>5</sup></code>", "`1 <= k <= 10^5`"),
        ("<code>2<sup>k-1</sup> + a<sub>i</sub></code>", "`2^(k-1) + a_i`"),
        ("<code>2<sup>2<sup>k</sup></sup></code>", "`2^(2^k)`"),
        ("<code>f(x)<sup>[2]</sup> the 1<sup>st</sup></code>", "`f(x)[2] the 1st`"),
        ("<code>k</code><sup>3</sup>", "`k^3`"),
        ("<code>O(k)</code><sup>3</sup>", "`O(k)^3`"),
        ("<code>main()</code><sup>3</sup>", "`main()`3"),
        ("<code>rows</code><sub>3</sub>", "`rows_3`"),
    ],
)
def test_code_gets_carets(markup: str, expected: str):
    assert line(markup) == expected


def test_blocks_of_code_get_what_their_language_writes():
    html = "<p>{}</p><pre><code class='language-{}'>y = x<sup>2</sup></code></pre>"
    assert "```c\ny = x^2\n```" in extract_html(html.format(FILLER, "c").encode()).text
    assert "```python\ny = x**2\n```" in extract_html(html.format(FILLER, "python").encode()).text


def test_every_power_is_counted_once():
    result = extract_html(
        f"<article><p>{FILLER}</p><p>x<sup>2</sup>, H<sub>2</sub>SO<sub>4</sub></p></article>".encode()
    )
    assert (result.math_seen, result.math_kept) == (2, 2)


def test_powers_survive_the_second_engine():
    """A page without running text goes to the second engine, which drops the tags of scripts."""
    assert "$2^{10}$" in extract_html(b"<body><div>It is 2<sup>10</sup>.</div></body>").text


@pytest.mark.parametrize(
    "unit",
    [
        "x<sup>2</sup> ",
        "a<sub>1</sub>",
        "<sup>1</sup>",
        "(x<sub>1</sub>",
        "<i></i>2<sup>n</sup>",
        "<i>x<sup>2</sup>",
        "x<sup><a href='#1'>2</a></sup>",
    ],
)
def test_work_is_linear_in_the_number_of_scripts(unit: str, monkeypatch: pytest.MonkeyPatch):
    # Formulas grow up to a bound; here they reach it early, so that the growth shows what comes after.
    monkeypatch.setattr(scripts, "MAX_JOINED_CHARS", 20)

    def work(count: int) -> int:
        page = f"<body><p>{unit * count}</p></body>"
        return operations(scripts, read, page) + operations(lines, read, page)

    assert work(1_000) < 5 * work(250)


def test_scripts_without_a_space_between_them_become_formulas_of_bounded_length():
    page = read(f"<body><p>{'a<sub>1</sub>' * 1_000}</p></body>")
    assert page is not None
    assert scripts.MAX_JOINED_CHARS <= max(map(len, page.slots.pieces)) < scripts.MAX_JOINED_CHARS + 10
    assert "".join(page.slots.pieces).count("a_1") == 1_000
