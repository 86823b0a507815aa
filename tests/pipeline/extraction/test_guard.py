"""The guarded child: whatever a document does, the parent gets a row."""

import pytest

from pipeline.extraction import guard_child
from pipeline.extraction.guard import Failure, Guard, prescan
from pipeline.extraction.result import Extraction

MEMORY = 2_000_000_000


@pytest.fixture(scope="module")
def guard():
    with Guard(timeout_s=20.0, max_memory_bytes=MEMORY) as running:
        yield running


def test_documents_of_every_kind(guard: Guard):
    assert "Hello world." in guard.extract("html", b"<p>Hello world.</p>").text
    assert guard.extract("text", b"plain\n").text == "plain"
    assert guard.extract("code", b"x = 1\n", "a/b.py").text == "# a/b.py\n\n```python\nx = 1\n```"
    assert guard.extract("latex", b"\\section{A} $x$").text == "## A\n\n$x$"
    assert guard.extract("thread", b'{"posts": [{"text": "hi"}]}').text == "### Question\n\nhi"


def test_charset_reaches_the_extractor(guard: Guard):
    assert "naïve" in guard.extract("html", "<p>naïve</p>".encode("cp1252"), None, "windows-1252").text


def test_broken_documents_are_failures_and_the_child_lives_on(guard: Guard):
    result = guard.extract("pdf", b"%PDF-1.4 nothing")
    assert isinstance(result, Failure)
    assert result.reason == "extractor_error"
    assert guard.extract("notebook", b"{").reason == "extractor_error"
    assert isinstance(guard.extract("text", b"x"), Extraction)


def test_unknown_kind_is_the_callers_fault(guard: Guard):
    with pytest.raises(ValueError, match="unknown kind 'video'"):
        guard.extract("video", b"")


def test_timeout_kills_the_child_and_the_next_document_gets_a_new_one():
    slow = b"<p>" * 100_000 + b"<sup>2</sup>" * 300_000
    with Guard(timeout_s=0.5, max_memory_bytes=MEMORY) as impatient:
        assert impatient.extract("html", slow) == Failure("timeout", "over 0.5 s")
        assert impatient._child is None
        impatient.timeout_s = 20.0
        assert "again" in impatient.extract("html", b"<p>again</p>").text


def test_memory_limit_is_the_documents_failure():
    with Guard(timeout_s=60.0, max_memory_bytes=300_000_000) as small:
        result = small.extract("html", b"<b>x</b>" * 600_000)
        assert isinstance(result, Failure)
        assert result.reason in ("out_of_memory", "extractor_crashed")
        assert "fine" in small.extract("html", b"<p>fine</p>").text


def test_crash_of_the_child_is_a_failure(guard: Guard, monkeypatch: pytest.MonkeyPatch):
    assert isinstance(guard.extract("text", b"x"), Extraction)
    child = guard._child
    monkeypatch.setattr(guard, "_running_child", lambda: child)
    child.kill()
    child.wait()
    assert guard.extract("text", b"x").reason in ("out_of_memory", "extractor_crashed")
    monkeypatch.undo()
    assert isinstance(guard.extract("text", b"x"), Extraction)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"<p>" + b"a" * 5_000_001, "too_large"),
        (b"<p " + b" ".join(b"a%d=1" % n for n in range(2_500)) + b">x", "malformed_markup"),
        (b"<p " + b" ".join(b"a%d" % n for n in range(2_500)) + b">x", "malformed_markup"),
        (b"<div>" * 2_500, "malformed_markup"),
        (b"<div>" * 4_000 + b"</div>" * 4_000, "malformed_markup"),
    ],
)
def test_prescan_refuses(content: bytes, reason: str):
    assert prescan("html", content).reason == reason


@pytest.mark.parametrize(
    "content",
    [
        b"<div></div>" * 20_000,
        b"<br>" * 20_000,
        b"<p>x" * 20_000,
        b'<img alt="' + b"word " * 3_000 + b'">',
        b"<div>" * 1_500,
        b"",
    ],
)
def test_prescan_lets_pass(content: bytes):
    assert prescan("html", content) is None


POISON = {
    "control characters": bytes(range(32)) * 50 + b"<p>hello world</p>",
    "character references to what XML refuses": b"<p>&#1; $a_1$ &#xFFFE; \\(b\\) &#xD800;</p>",
    "random bytes": bytes((n * 7919 + n // 13) % 256 for n in range(50_000)),
    "many breaks": b"<p>a" + b"<br>a" * 50_000,
    "many delimiters": b"<p>mathjax" + b"$a \\( b \\begin{align} " * 20_000,
    "many scripts": b"<p>" + b"x<sup>2</sup>" * 20_000,
    "open comments": b"<!--" * 100_000,
    "only brackets": b"<" * 200_000,
    "deep mathml": b"<math>" + b"<mrow>" * 1_500 + b"<mi>x</mi>",
    "nested tables": b"<table><tr><td>" * 400 + b"x",
    "nested lists": b"<ul><li>" * 900 + b"x",
    "marks": b"qx0z12e qx1z3e <code>a</code>",
    "huge script numbers": b"<ol start='99999999999999999999'><li>a</li></ol>",
}


@pytest.mark.parametrize("name", POISON)
def test_poison_pages_end_in_time(guard: Guard, name: str):
    result = guard.extract("html", POISON[name])
    assert isinstance(result, Extraction), result
    result.text.encode("utf-8")


def test_every_kind_has_an_extractor():
    assert all(callable(guard_child.extractor_of(kind)) for kind in guard_child.KINDS)
