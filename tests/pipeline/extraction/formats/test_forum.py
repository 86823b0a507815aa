# ruff: noqa: E501 - markup is easier to read in one piece
"""Threads: pages of forum engines and dumps."""

import json

import pytest

from pipeline.extraction.formats.forum import extract_thread, turn_heading
from pipeline.extraction.web.html import extract_html

STACK = """<html><body><div id="question-header"><h1>Why is the sky blue?</h1></div>
<div class="question" data-questionid="1" id="question"><div class="js-vote-count" data-value="12">12</div>
<div class="s-prose js-post-body"><p>I look up and wonder.</p><pre><code class="lang-python">print("up")</code></pre></div>
<div class="post-signature"><div class="user-details"><a href="/users/1/ann">ann</a></div></div></div>
<div class="answer js-accepted-answer" data-answerid="2"><div class="js-vote-count">30</div>
<div class="s-prose js-post-body"><p>Because of \\(\\lambda^{-4}\\) scattering.</p></div>
<div class="user-details"><a href="/users/2/bob">bob</a></div></div><footer>About</footer></body></html>"""


def test_stack_exchange_page_becomes_turns():
    result = extract_html(STACK.encode())
    assert result.engine == "forum"
    assert result.text == (
        '# Why is the sky blue?\n\n### Question by ann (score 12)\n\nI look up and wonder.\n\n```python\nprint("up")\n```\n\n'
        "### Answer by bob (accepted, score 30)\n\nBecause of $\\lambda^{-4}$ scattering."
    )
    assert (result.code_seen, result.code_kept, result.math_seen, result.math_kept) == (1, 1, 1, 1)


def test_discourse_page():
    posts = "".join(
        f"<div class='topic-body' itemscope itemtype='http://schema.org/DiscussionForumPosting' id='post_{n}'><span itemprop='author'><span itemprop='name'>u{n}</span></span>"
        f"<div class='cooked'><p>Post number {n}.</p></div></div>"
        for n in (1, 2)
    )
    text = extract_html(f"<html><body><h1>Topic</h1>{posts}</body></html>".encode()).text
    assert text == "# Topic\n\n### Question by u1\n\nPost number 1.\n\n### Post by u2\n\nPost number 2."


def test_one_turn_is_no_thread():
    page = "<html><body><div class='postbody'><div class='content'><p>Only one post here.</p></div></div></body></html>"
    assert extract_html(page.encode()).engine != "forum"


def test_thread_dump_of_both_shapes():
    posts = {
        "title": "T",
        "posts": [
            {"author": "a", "score": 3, "body": "<p>x<sup>2</sup> and \\(y\\)</p>"},
            {"role": "answer", "text": "plain *text*", "accepted": True},
        ],
    }
    expected = "# T\n\n### Question by a (score 3)\n\n$x^2$ and $y$\n\n### Answer (accepted)\n\nplain *text*"
    assert extract_thread(json.dumps(posts).encode()).text == expected
    pair = {
        "title": "T",
        "question": posts["posts"][0],
        "answers": [{"text": "plain *text*", "accepted": True}],
    }
    assert extract_thread(json.dumps(pair).encode()).text == expected


@pytest.mark.parametrize("data", [b"3", b'{"a": 1}', b"not json"])
def test_what_is_no_thread_raises(data: bytes):
    with pytest.raises(ValueError, match=r"thread|Expecting"):
        extract_thread(data)


def test_turn_heading():
    assert turn_heading("Answer", "", False, None) == "### Answer"
    assert turn_heading("Answer", "x", True, -2) == "### Answer by x (accepted, score -2)"
