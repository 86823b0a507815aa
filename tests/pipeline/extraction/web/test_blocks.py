"""The model that judges blocks: what it sees, and what it may never touch."""

import math

from lxml import etree

from pipeline.extraction.web import blocks as model
from pipeline.extraction.web.html import extract_html
from pipeline.extraction.web.maintext import measured

FILLER = (
    "The derivative of a function describes how fast its value changes when the argument changes a little. "
)


def article(body: str) -> bytes:
    head = "<html><head><title>Rates of change</title></head><body>"
    return (
        f"{head}<div><h1>Rates</h1><p>{FILLER * 3}</p>{body}<p>{FILLER * 3}</p></div></body></html>".encode()
    )


def test_blocks_are_measured_once_and_in_order():
    tree = etree.HTML("<body><div>one<p>two <a>three</a></p><span><p>four</p></span></div><p></p></body>")
    page = measured(tree)
    seen = [(block.element.tag, block.chars, block.links, block.is_leaf) for block in page.blocks]
    assert seen == [("p", 8, 5, True), ("p", 4, 0, True), ("div", 3, 0, False)]
    assert page.sizes[page.root].chars == 15


def test_features_of_a_block():
    tree = etree.HTML(
        "<body><article><p>a</p><p class=x>Rates | of growth</p><p>b</p><p><a>link</a></p></article></body>"
    )
    page = measured(tree)
    seen = model.BlockModel(page.blocks, "Rates of change", 1000).features(1, "Rates | of growth")
    assert seen == model.Features(
        is_kept=1,
        is_label=1,
        is_sentence=0,
        link_fraction=0,
        has_no_name=0,
        sibling_before=0,
        sibling_after=1,
        next_link_fraction=0,
        log_blocks_after=math.log(3),
        log_page_mass=math.log(1000),
        has_signs=1,
        title_words=1 / 2,
        in_article=1,
        in_table=0,
        in_figure=0,
    )


def test_notices_under_any_name_go_and_parts_of_wholes_stay():
    notice = "<div class=xyz>© <a href=x>Agency | Desk</a></div>"
    parts = "<ul><li>see → a | b</li></ul><table><tr><td>» x<td>2<tr><td>3<td>4</table>"
    text = extract_html(article(notice + parts)).text
    assert "Agency" not in text
    assert "see → a" in text
    assert "» x" in text


def test_formulas_and_code_stay():
    assert "$x_1$" in extract_html(article(r"<div class=xyz>» \(x_1\) © |</div>")).text
    assert "→ `f` |" in extract_html(article("<div class=xyz>see → <code>f</code> | x</div>")).text.replace(
        "\\", ""
    )
