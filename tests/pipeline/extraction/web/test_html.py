# ruff: noqa: E501 - markup is easier to read in one piece
"""Whole pages: what is kept, what is left out, and how it is written."""

import pytest

from pipeline.extraction.web.html import extract_html

FILLER = (
    "The derivative of a function describes how fast its value changes when the argument changes a little. "
    * 3
)


def page(body: str, head: str = "") -> bytes:
    return f"<html><head><title>T</title>{head}</head><body>{body}</body></html>".encode()


def article(body: str, head: str = "") -> bytes:
    return page(f"<article><h1>Title</h1><p>{FILLER}</p>{body}</article>", head)


def test_boilerplate_is_left_out_and_content_kept():
    body = f"""<nav><a href="/">Home page link</a></nav><div class="cookie-banner"><p>{"We use cookies. " * 5}</p></div>
    <main><article><h1>Limits</h1><p>{FILLER}</p><div class="share-buttons"><a href=x>Tweet this</a></div>
    <ul><li>first point</li><li>second point</li></ul>
    <div class="related-posts"><h3>Related</h3><a href=y>Another story</a></div></article></main>
    <footer>Imprint and contact</footer>"""
    text = extract_html(page(body)).text
    assert text.startswith("# Limits\n\nThe derivative")
    assert "- first point\n- second point" in text
    for unwanted in ("Home page", "cookies", "Tweet", "Another story", "Related", "Imprint"):
        assert unwanted not in text


def test_title_is_the_og_title_then_the_title():
    assert extract_html(page("<p>x</p>")).title == "T"
    assert extract_html(page("<p>x</p>", '<meta property="og:title" content=" A &amp; B ">')).title == "A & B"


def test_empty_page_gives_empty_text():
    for source in (b"", b"   ", b"<html></html>", b"<script>var x = 1</script>", b"<!-- -->"):
        result = extract_html(source)
        assert result.text == ""


def test_dollars_and_pipes_of_prose_are_escaped_but_not_in_formulas_or_code():
    body = r"<p>It costs $5 or a|b. <code>echo $HOME | wc</code> and \(|x| \le 5\)</p><pre>echo $A | wc</pre>"
    text = extract_html(article(body)).text
    assert r"It costs \$5 or a\|b. `echo $HOME | wc` and $|x| \le 5$" in text
    assert "```\necho $A | wc\n```" in text


def test_table_list_and_quote():
    body = """<table><tr><th>n</th><th>n!</th></tr><tr><td>3</td><td>6</td></tr></table>
    <ol start="3"><li>three<ul><li>inner</li></ul></li><li>four</li></ol><blockquote><p>one</p><p>two</p></blockquote>"""
    text = extract_html(article(body)).text
    assert "| n | n! |\n| --- | --- |\n| 3 | 6 |" in text
    assert "3. three\n  - inner\n4. four" in text
    assert "> one\n>\n> two" in text


def test_code_in_a_list_and_in_a_quote_keeps_its_margin():
    body = "<ul><li>do<pre>if x:\n    y</pre></li></ul><blockquote><ul><li>and<pre>a\n  b</pre></li></ul></blockquote>"
    text = extract_html(article(body)).text
    assert "\n```\nif x:\n    y\n```" in text
    assert "\n```\na\n  b\n```" in text


def test_display_formula_is_a_block_and_inline_formula_is_in_its_line():
    body = (
        "<p>Let <script type='math/tex'>a_1</script> be and "
        "<script type='math/tex; mode=display'>a^2\n+b</script> then.</p>"
    )
    result = extract_html(article(body))
    assert "Let $a_1$ be and\n\n$$\na^2\n+b\n$$\n\nthen." in result.text
    assert (result.math_seen, result.math_kept) == (2, 2)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("x<sup>2</sup> and", "$x^2$ and"),
        ("10<sup>-3</sup> m", "$10^{-3}$ m"),
        ("the 1<sup>st</sup> day", "the 1st day"),
        ("text<sup><a href='#f1'>1</a></sup> note", "text1 note"),
        ("a<sub>1</sub><sup>2</sup>", "$a_1^2$"),
    ],
)
def test_scripts_of_prose(source: str, expected: str):
    assert expected in extract_html(article(f"<p>We see {source} here.</p>")).text


def test_lost_code_sends_the_page_to_the_second_engine_or_is_counted():
    body = f"<article><p>{FILLER}</p></article>" + "<footer><pre>lost = 1</pre></footer>"
    result = extract_html(page(body))
    assert result.code_seen == 1
    assert result.code_kept in (0, 1)
    assert ("lost = 1" in result.text) == (result.code_kept == 1)


def test_generated_ids_do_not_make_a_section_boilerplate():
    sections = "".join(
        f"<section id='{name}'><h2>{name.replace('-', ' ').title()}</h2><p>{FILLER}</p></section>"
        for name in ("search-path", "comments", "navigation-menu", "privacy-of-names")
    )
    text = extract_html(page(f"<div class='body'><h1>Names</h1>{sections}</div>")).text
    for heading in ("## Search Path", "## Comments", "## Navigation Menu", "## Privacy Of Names"):
        assert heading in text


def test_charset_of_the_header_and_of_meta():
    body = "<p>Größe – naïve café</p>"
    assert (
        "Größe – naïve café"
        in extract_html(page(body).decode().encode("cp1252"), charset="windows-1252").text
    )
    latin = page(body, '<meta charset="iso-8859-1">').decode().encode("cp1252")
    assert "Größe – naïve café" in extract_html(latin).text
