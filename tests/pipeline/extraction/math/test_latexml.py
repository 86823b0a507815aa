# ruff: noqa: E501 - markup is easier to read in one piece
"""Pages that LaTeXML made."""

from pipeline.extraction.web.html import extract_html

FILLER = (
    "The bound of this section holds for every norm, and the constant in it depends on the dimension alone. "
    * 4
)


def paper(markup: str) -> str:
    body = f"<p class='ltx_p'>{FILLER}</p>{markup}<p class='ltx_p'>{FILLER}</p>"
    page = f"<article class='ltx_document'><h1 class='ltx_title ltx_title_document'>A bound</h1><section class='ltx_section'>{body}</section></article>"
    return extract_html(f"<html><body><div class='ltx_page_main'>{page}</div></body></html>".encode()).text


def math(tex: str, display: str = "inline") -> str:
    return f"<math class='ltx_Math' alttext='{tex}' display='{display}'><mi>x</mi></math>"


def row(cells: list[str], number: str) -> str:
    tag = (
        f"<td class='ltx_eqn_cell ltx_eqn_eqno'><span class='ltx_tag ltx_tag_equation'>({number})</span></td>"
    )
    return f"<tbody><tr class='ltx_equation ltx_eqn_row'>{''.join(f'<td>{cell}</td>' for cell in cells)}{tag}</tr></tbody>"


def test_every_equation_of_a_group_is_a_display():
    group = row([math(r"\displaystyle c"), math(r"\displaystyle=d+1")], "4") + row(
        [math(r"\displaystyle e"), math(r"\displaystyle=f")], "5"
    )
    text = paper(f"<table class='ltx_equationgroup ltx_eqn_align ltx_eqn_table'>{group}</table>")
    assert "\n\n$$c =d+1$$\n\n$$e =f$$\n\n" in text
    assert "(4)" not in text


def test_text_between_equations_stays():
    group = (
        row([math("c=d", "block")], "1")
        + "<tbody><tr class='ltx_eqn_row'><td>and therefore</td></tr></tbody>"
        + row([math("e=f", "block")], "2")
    )
    assert "$$c=d$$\n\nand therefore\n\n$$e=f$$" in paper(f"<table class='ltx_eqn_table'>{group}</table>")


def test_references_captions_and_short_paragraphs_stay():
    text = paper(
        "<p class='ltx_p'>By equation (<a href='#E4' class='ltx_ref'><span class='ltx_text ltx_ref_tag'>4</span></a>).</p>"
        "<figure class='ltx_table'><figcaption class='ltx_caption'><span class='ltx_tag ltx_tag_table'>Table 3: </span>Runs.</figcaption>"
        "<table class='ltx_tabular'><tr><td>a</td><td>1</td></tr><tr><td>b</td><td>2</td></tr></table></figure>"
        "<h3 class='ltx_title'><span class='ltx_tag ltx_tag_subsection'>2.1 </span>Proofs</h3><p class='ltx_p'>It is short.</p>"
    )
    assert "By equation (4).\n\nTable 3: Runs.\n\n| a | 1 |" in text
    assert "### 2.1 Proofs\n\nIt is short." in text


def test_items_have_one_label():
    text = paper(
        "<ol class='ltx_enumerate'><li class='ltx_item'><span class='ltx_tag ltx_tag_item'>1.</span><div class='ltx_para'><p class='ltx_p'>one thing</p></div></li>"
        "<li class='ltx_item'><span class='ltx_tag ltx_tag_item'>(b)</span><div class='ltx_para'><p class='ltx_p'>another thing</p></div></li></ol>"
    )
    assert "1. one thing\n2. (b) another thing" in text


def test_footnotes_stand_behind_their_paragraph():
    note = (
        "<span class='ltx_note ltx_role_footnote'><sup class='ltx_note_mark'>{0}</sup><span class='ltx_note_outer'><span class='ltx_note_content'>"
        "<sup class='ltx_note_mark'>{0}</sup><span class='ltx_tag ltx_tag_note'>{0}</span>Note {0}.</span></span></span>"
    )
    text = paper(f"<p class='ltx_p'>A bound{note.format(1)} on {math('c_1')}{note.format(2)} is known.</p>")
    assert "A bound on $c_1$ is known.\n\nNote 1.\n\nNote 2.\n\n" in text


def test_comments_that_break_lines_do_not_swallow_formulas():
    assert "$a_{1}+b$" in paper(f"<p class='ltx_p'>So {math('a_{1}%&#10;+b')} holds.</p>")
    assert "$$\na_{1}%\n+b\n$$" in paper(math("a_{1}%&#10;+b", "block"))


def test_formulas_in_text_in_formulas_have_no_dollars():
    formula = math(r"\mbox{\boldmath$V$}\text{ if $x&gt;0$}")
    assert r"$\boldsymbol{V}\text{ if }x>0$" in paper(f"<p class='ltx_p'>So {formula} holds.</p>")
