# ruff: noqa: E501 - markup is easier to read in one piece
"""Notebooks of all versions and writers: nothing that is missing costs a cell, and no markup stays."""

import json

import pytest

from pipeline.extraction.formats import notebook_outputs
from pipeline.extraction.formats.embedded_html import without_html
from pipeline.extraction.formats.notebook import extract_notebook

PICTURE = "data:image/png;base64," + "iVBORw0KGgo" * 90


def text_of(*cells: object, **top: object) -> str:
    return extract_notebook(json.dumps({"cells": list(cells), "nbformat": 4, **top}).encode()).text


def code(*outputs: object, source: str = "f()") -> dict[str, object]:
    return {"cell_type": "code", "source": source, "outputs": list(outputs)}


def result(**data: object) -> dict[str, object]:
    return {
        "output_type": "execute_result",
        "data": {name.replace("_", "/"): value for name, value in data.items()},
    }


CALL = "```python\nf()\n```"


def test_what_is_missing_or_null_costs_nothing() -> None:
    assert (
        text_of(
            {"cell_type": "markdown", "source": "# A"}, {"source": "b"}, {"source": "f()", "outputs": None}
        )
        == f"# A\n\nb\n\n{CALL}"
    )
    assert (
        text_of({"cell_type": "code", "source": ["f(", ")"], "outputs": [{}, None, 3, {"data": None}]})
        == "```python\nf(\n)\n```"
    )
    assert (
        text_of(None, 7, {}, {"cell_type": "markdown", "source": None}, {"cell_type": "new", "source": "x"})
        == "x"
    )
    assert text_of(metadata=None) == ""


@pytest.mark.parametrize(
    ("metadata", "language"),
    [
        (None, "python"),
        ({"kernelspec": None, "language_info": None}, "python"),
        ({"kernelspec": None, "language_info": {"name": "R"}}, "r"),
        ({"kernelspec": {"name": "ir"}}, "r"),
        ({"kernelspec": {"name": "julia-1.9", "language": None}}, "julia"),
        ({"kernelspec": "python3"}, "python"),
    ],
)
def test_language_of_the_kernel(metadata: object, language: str) -> None:
    assert text_of(code(), metadata=metadata) == f"```{language}\nf()\n```"


def test_old_formats() -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": ["Sums\n"]},
        {"cell_type": "markdown", "source": ["a $x_1$\n", "b"]},
        {"cell_type": "code", "input": ["1 +", "1"], "language": "julia", "outputs": [
            {"output_type": "pyout", "text": ["2"]},
            {"output_type": "stream", "stream": "stderr", "text": "warning"},
            {"output_type": "stream", "stream": "stdout", "text": ["out\n"]},
            {"output_type": "display_data", "latex": ["$$\\frac{1}{2}$$"], "png": "AAAA", "text": ["1/2"]},
            {"output_type": "pyerr", "ename": "E", "evalue": "no"},
        ]},
        {"cell_type": "code", "input": "g()", "collapsed": False},
    ]  # fmt: skip
    for notebook in ({"worksheets": [{"cells": cells[:2]}, {}, {"cells": cells[2:]}]}, {"cells": cells}):
        found = extract_notebook(json.dumps(notebook).encode())
        assert found.text == (
            "## Sums\n\na $x_1$\nb\n\n```julia\n1 +\n1\n```\n\n```text\n2\n```\n\n```text\nout\n```\n\n"
            "$$\\frac{1}{2}$$\n\n```text\nE: no\n```\n\n```python\ng()\n```"
        )
        assert (found.title, found.code_kept, found.math_kept) == ("Sums", 2, 2)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"3", b'{"cells": 3}', b'{"worksheets": {}}', b"<html>"])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"notebook|Expecting"):
        extract_notebook(data)


def test_pictures_go_and_the_notebook_stays() -> None:
    cell = {
        "cell_type": "markdown",
        "source": f"Before ![plot.png]({PICTURE}) after\n\n![a](attachment:a.png)\n<img alt='x' src='{PICTURE}'/>\n\n[one]: {PICTURE}\n\nlast [link]({PICTURE})\n![cut]({PICTURE}",
        "attachments": {"a.png": {"image/png": "iVBORw0KGgo"}},
    }
    text = text_of(cell, code(result(text_plain=f"'{PICTURE}'"), source=f"show('{PICTURE}')"))
    assert text == (
        "Before  after\n\nlast [link](data:image/png;base64,...)\n\n"
        "```python\nshow('data:image/png;base64,...')\n```\n\n```text\n'data:image/png;base64,...'\n```"
    )


@pytest.mark.parametrize(
    ("markdown", "expected"),
    [
        ('<div class="alert">\n<b>Mind</b> the <font color="red">gap</font>\n</div>\n\nText', "Mind the gap\n\nText"),
        ("<style>\n.a { color: red }\n</style>\nA<script>var x = '<b>';</script>B<!-- <p>no --> C", "AB C"),
        ("A <STYLE>x</Style ><svg><text>no</text></svg><iframe src='x'></iframe>B", "A B"),
        ("Use `<script>` and `</script>`, or\n```html\n<style>a</style>\n\n\n<p>\n```", "Use `<script>` and `</script>`, or\n```html\n<style>a</style>\n\n\n<p>\n```"),
        ("for $a<b$ and $c>d$", "for $a<b$ and $c>d$"),
        ("a<b and c>d, 0 <i and n> 1, vector<int> v, <https://a.org/>, copy <source> <time>", "a<b and c>d, 0 <i and n> 1, vector<int> v, <https://a.org/>, copy <source> <time>"),
        ("<h2 id='x'>Head</h2>\n<p>One</p><p>Two<br/>Three<br>\n\nFour", "## Head\n\nOne\n\nTwo\nThree\n\nFour"),
        ("<ul>\n  <li>one</li>\n  <li>two\n</ul>tail", "- one\n- two\n\ntail"),
        ("<table border=1><tr><th>n</th><th>$f|x$</th></tr><tr><td>1</td><td><b>2</b> `a|b`</td></tr></table>", "| n | $f|x$ |\n| --- | --- |\n| 1 | 2 `a\\|b` |"),
        ("A\n<pre>\nif a &lt; b:\n\n\n    c\n</pre>\nB", "A\n\n```\nif a < b:\n\n\n    c\n```\n\nB"),
        ("| a<br>b | <b>c</b> |\n| --- | --- |", "| a b | c |\n| --- | --- |"),
        ("x<sup>2</sup>, a<sub>10</sub>, the 4<sup>th</sup>, <code>a &lt; b</code>", "$x^2$, $a_{10}$, the 4th, `a < b`"),
        ("&lt;b&gt;&nbsp;AT&T &copy; &#8212; `&lt;` &unknown; &", "<b> AT&T © — `&lt;` &unknown; &"),
        ("<details><summary>More</summary>\n\n- a\n    - b\n</details>\n<a name='x'></a>[c](d)", "More\n\n- a\n    - b\n\n[c](d)"),
        ("<table>open\n\n<script>open", "<table>open\n\n<script>open"),
        ("no tags", "no tags"),
    ],
)  # fmt: skip
def test_html_in_markdown(markdown: str, expected: str) -> None:
    assert without_html(markdown) == expected


def test_a_table_in_a_table_ends_with_the_outer_one() -> None:
    inner = "<table><tr><td>in</td></tr></table>"
    assert without_html(f"<table><tr><td>{inner}</td></tr></table>\nafter").endswith("in\n\nafter")


def test_progress_bars_show_their_end() -> None:
    text = ["\r", " 10%|#    |\r", " 50%|##   |\r", "100%|#####|\n", "done\r\n", "abc\b\bX\x1b[0m\n"]
    bar = {"output_type": "stream", "name": "stdout", "text": text}
    assert text_of(code(bar)) == f"{CALL}\n\n```text\n100%|#####|\ndone\naX\n```"


def test_a_stream_in_many_pieces_is_one_text() -> None:
    pieces = [{"output_type": "stream", "name": "stdout", "text": f"{n}\n"} for n in range(100)]
    assert text_of(code(*pieces)) == f"{CALL}\n\n```text\n" + "\n".join(map(str, range(20))) + "\n...\n```"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"text_latex": "$\\displaystyle x^{2}$", "text_plain": "x**2"}, "$$x^{2}$$"),
        ({"text_latex": ["\\begin{align}\n", "a &= b\n", "\\end{align}"]}, "$$\n\\begin{aligned}\na &= b\n\\end{aligned}\n$$"),
        ({"text_latex": "$$a$$ $$b$$"}, "$$a$$\n\n$$b$$"),
        ({"text_latex": "$a$ is less than $b$", "text_plain": "<IPython.core.display.Latex object>"}, "$a$ is less than $b$"),
        ({"text_latex": "\\begin{tabular}{l}1\\end{tabular}", "text_plain": "1"}, "```text\n1\n```"),
        ({"text_latex": "3.5", "text_plain": "[1] 3.5"}, "```text\n[1] 3.5\n```"),
        ({"text_html": "<table><tr><td>1</td></tr></table>", "text_plain": "   a\n0  1"}, "```text\n   a\n0  1\n```"),
        ({"text_markdown": "**b** <i>x</i>", "text_plain": "<IPython.core.display.Markdown object>"}, "**b** x"),
        ({"text_markdown": "1. a", "text_plain": "[1] a"}, "```text\n[1] a\n```"),
        ({"text_plain": "<matplotlib.axes.Axes at 0x7f00>", "image_png": "AAAA"}, ""),
        ({"text_html": "<b>x</b>", "text_plain": "<IPython.core.display.HTML object>"}, ""),
    ],
)  # fmt: skip
def test_which_form_of_an_output_is_shown(data: dict[str, object], expected: str) -> None:
    assert text_of(code(result(**data))) == (f"{CALL}\n\n{expected}" if expected else CALL)


def test_outputs_of_a_cell_and_of_a_notebook_are_bounded() -> None:
    long = result(text_plain="w" * 4_000)
    formula = result(text_latex=f"${'x + ' * 600}x$")
    cell = text_of(code(*[long] * 9, *[formula] * 9))
    assert cell.count("w") == notebook_outputs.MAX_OUTPUT_CHARS
    assert cell.count("$$") == 2 * (notebook_outputs.MAX_FORMULA_CHARS // 2_400)
    everything = text_of(*[code(long, formula, formula)] * 100)
    assert everything.count("f()") == 100
    shown = len(everything) - 100 * len(f"{CALL}\n\n")
    assert notebook_outputs.MAX_NOTEBOOK_CHARS < shown < notebook_outputs.MAX_NOTEBOOK_CHARS + 8_000
