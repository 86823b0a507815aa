# ruff: noqa: E501 - markup is easier to read in one piece
"""Code blocks: exact lines, stated language, no gutters."""

import pytest

from pipeline.extraction.code.blocks import fence, inline_code
from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.web.html import extract_html

FILLER = "This function walks over the list and adds every number of it to the running total. " * 4
CODE = "def f(x):\n\n    return x  # <two>"
ESCAPED = CODE.replace("<", "&lt;").replace(">", "&gt;")
SPANS = "\n".join(f"<span class='line'>{line}</span>" for line in ESCAPED.split("\n"))


def text_of(body: str) -> str:
    return extract_html(f"<body><article><p>{FILLER}</p>{body}<p>{FILLER}</p></article></body>".encode()).text


@pytest.mark.parametrize(
    ("body", "language"),
    [
        (f"<pre>{ESCAPED}</pre>", ""),
        (f"<pre><code class='language-python'>{ESCAPED}\n</code></pre>", "python"),
        (f"<pre class='brush: python; gutter: true'>{ESCAPED}</pre>", "python"),
        (f"<pre data-lang='python'>{ESCAPED}</pre>", "python"),
        (
            f"<div class='highlight-python3 notranslate'><div class='highlight'><pre><span></span>{ESCAPED}</pre></div></div>",
            "python",
        ),
        (
            f"<div class='highlight-default notranslate'><div class='highlight'><pre>{ESCAPED}</pre></div></div>",
            "",
        ),
        (
            f"<div class='language-python highlighter-rouge'><div class='highlight'><pre class='highlight'><code>{ESCAPED}</code></pre></div></div>",
            "python",
        ),
        (f"<div class='highlight highlight-source-python'><pre>{ESCAPED}</pre></div>", "python"),
        (
            f"<div class='sourceCode' id='cb1'><pre class='sourceCode python'><code class='sourceCode python'>{ESCAPED}</code></pre></div>",
            "python",
        ),
        (f"<pre><code class='hljs python'>{ESCAPED}</code></pre>", "python"),
        (f"<pre class='shiki' data-language='python'><code>{SPANS}</code></pre>", "python"),
        (f"<pre class='src src-python'>{ESCAPED}</pre>", "python"),
        (
            "<table class='highlighttable'><tr><td class='linenos'><div class='linenodiv'><pre>1\n2\n3</pre></div></td>"
            f"<td class='code'><div class='highlight'><pre>{ESCAPED}</pre></div></td></tr></table>",
            "",
        ),
        (
            "<div class='language-python'><table class='rouge-table'><tbody><tr><td class='rouge-gutter gl'><pre class='lineno'>1\n2\n3\n</pre></td>"
            f"<td class='rouge-code'><pre>{ESCAPED}</pre></td></tr></tbody></table></div>",
            "python",
        ),
        (
            "<div class='highlight'><div class='chroma'><table class='lntable'><tr><td class='lntd'><pre class='chroma'><code><span class='lnt'>1\n</span><span class='lnt'>2\n</span></code></pre></td>"
            f"<td class='lntd'><pre class='chroma'><code class='language-python' data-lang='python'>{ESCAPED}</code></pre></td></tr></table></div></div>",
            "python",
        ),
        (
            "<div class='highlight'><pre>"
            + "".join(
                f"<span class='linenos'>{n}</span>{line}\n" for n, line in enumerate(ESCAPED.split("\n"), 1)
            )
            + "</pre></div>",
            "",
        ),
        (
            f"<pre><button class='copy-btn'>Copy</button><code class='language-python'>{ESCAPED}</code></pre>",
            "python",
        ),
        ("<pre>" + "<br>".join(ESCAPED.split("\n")) + "</pre>", ""),
        (
            "<pre><ol class='linenums'>"
            + "".join(f"<li>{line or '<br>'}</li>" for line in ESCAPED.split("\n"))
            + "</ol></pre>",
            "",
        ),
        (
            "<pre><code>"
            + "".join(f"<div class='line'>{line or '<br>'}</div>" for line in ESCAPED.split("\n"))
            + "</code></pre>",
            "",
        ),
    ],
)
def test_blocks_keep_lines_and_language(body: str, language: str):
    assert f"```{language}\n{CODE}\n```" in text_of(body)


def test_prompts_are_part_of_the_code():
    assert "```\n>>> 1 + 1\n2\n$ ls\n```" in text_of("<pre>&gt;&gt;&gt; 1 + 1\n2\n$ ls</pre>")


def test_inline_code():
    assert "call `f(x)` and `` a`b ``." in text_of("<p>call <code>f(x)</code> and <tt>a`b</tt>.</p>").replace(
        "``a`b``", "`` a`b ``"
    )


@pytest.mark.parametrize(("length", "is_inline"), [(300, True), (301, False)])
def test_inline_code_has_at_most_300_characters(length: int, is_inline: bool):
    code = ("x" * 9 + " ") * 29 + "x" * (length - 290)
    assert (f"call `{code}` now" in text_of(f"<p>call <code>{code}</code> now.</p>")) is is_inline


def test_code_with_a_line_break_is_a_block():
    assert "```\na\nb\n```" in text_of("<p>call <code>a<br>b</code> now.</p>")


@pytest.mark.parametrize(("second", "is_block"), [("b" * 18, False), ("b" * 19, True)])
def test_code_with_two_line_ends_is_a_block_from_41_characters(second: str, is_block: bool):
    body = f"<p>call <code>{'a' * 20}\n\n{second}</code> now.</p>"
    assert (f"```\n{'a' * 20}\n\n{second}\n```" in text_of(body)) is is_block


def test_doxygen_fragment():
    body = "<div class='fragment'><div class='line'><span class='lineno'>    1</span> int a;</div><div class='line'>  b();</div></div>"
    assert " int a;\n  b();" in text_of(body)


def test_fences_are_longer_than_what_is_inside():
    assert fence("a\n```\nb", "md") == "````md\na\n```\nb\n````"
    assert inline_code("a`b") == "``a`b``"
    assert inline_code("`a`") == "`` `a` ``"


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Python3", "python"), ("js", "javascript"), ("none", ""), ("C++", "cpp"), ("Rust", "rust")],
)
def test_canonical_language(name: str, expected: str):
    assert canonical_language(name) == expected
