"""One spelling per page, one domain per site."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters import urls
from filters.urls import canonical_url, registrable_domain


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://www.Example.com:80/a/../b/?utm_source=x&b=2&a=1#part", "https://example.com/b?a=1&b=2"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com/index.html?", "https://example.com/index.html"),
        ("http://example.com:8080/", "https://example.com:8080/"),
        ("https://example.com/x;jsessionid=9F?fbclid=1&q=a+b", "https://example.com/x?q=a+b"),
        ("https://example.com/?q=", "https://example.com/?q="),
        ("https://münchen.de/ä", "https://xn--mnchen-3ya.de/%C3%A4"),
        ("http://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
        ("https://www.com/", "https://www.com/"),
        ("https://www.co.uk/x", "https://www.co.uk/x"),
        ("https://en.m.wikipedia.org/wiki/X", "https://en.wikipedia.org/wiki/X"),
        ("https://www2.mobile.example.co.uk/x", "https://example.co.uk/x"),
        ("https://m.com/x", "https://m.com/x"),
        ("https://mm.example.com/x", "https://mm.example.com/x"),
        ("http://export.arxiv.org/abs/1234.5678", "https://arxiv.org/abs/1234.5678"),
        ("https://www.old.reddit.com/r/x/", "https://reddit.com/r/x"),
        ("https://web.archive.org/web/2019id_/http://www.example.com/x?utm_id=1", "https://example.com/x"),
        ("http://web.archive.org/web/20190101000000/example.com/x", "https://example.com/x"),
        ("https://example.com/a;JSESSIONID=9F/b", "https://example.com/a/b"),
        ("https://example.com/(S(lit3py55))/page.aspx", "https://example.com/page.aspx"),
        ("https://example.com/(S)/page", "https://example.com/(S)/page"),
        ("https://example.com/t?s=0123456789abcdef0123456789ABCDEF&t=1", "https://example.com/t?t=1"),
        ("https://example.com/?s=search+me", "https://example.com/?s=search+me"),
        ("https://example.com/t?PHPSESSID=1&osCsid=2&ASPSESSIONIDQQ=3&CFID=4", "https://example.com/t"),
        ("https://example.com/article?sid=09/11/26", "https://example.com/article?sid=09%2F11%2F26"),
        ("https://example.com/..;jsessionid=1/x", "https://example.com/x"),
        (
            "http://web.archive.org:80/web/2019/http://web.archive.org/web/2018/http:/a.com/x",
            "https://a.com/x",
        ),
        ("https://example.com/%7euser/%e4", "https://example.com/~user/%E4"),
        ("https://example.com/?q=%E4", "https://example.com/?q=%E4"),
        ("https://example.com/?q=%F6", "https://example.com/?q=%F6"),
        ("https://example.com/it's(1),a@b:c", "https://example.com/it's(1),a@b:c"),
        ("https://example.com/it%27s%281%29%2Ca%40b%3ac", "https://example.com/it's(1),a@b:c"),
        ("https://example.com/a%2fb%3Bc%3Fd%23e%5cf%25", "https://example.com/a%2Fb%3Bc%3Fd%23e%5Cf%25"),
        ("https://example.com/app#!/page/2", "https://example.com/app#!/page/2"),
        ("https://example.com/app?b=1#/page%2d2/", "https://example.com/app?b=1#/page-2"),
        ("https://example.com/app#!topic/x:~:text=word", "https://example.com/app#!topic/x"),
        ("https://example.com/app#!/", "https://example.com/app"),
        ("https://example.com/app#/", "https://example.com/app"),
        ("https://example.com/app#", "https://example.com/app"),
        ("https://example.com/app#page=2", "https://example.com/app"),
        ("https://example.com/?b=2&a=2&b=1&a=1", "https://example.com/?a=2&a=1&b=2&b=1"),
        ("https://example.com/talks?session_id=12", "https://example.com/talks?session_id=12"),
        ("https://example.com/talks?session_id=9b2f61c07de84a35", "https://example.com/talks"),
        ("https://example.com/help?scm=svn&spm=2", "https://example.com/help?scm=svn&spm=2"),
        (
            "https://example.com/help?scm=20140722.184.2.173&spm=a2c4g.11186623.0.0",
            "https://example.com/help",
        ),
        ("https://example.com/?pk_id=4&pk_campaign=x&mc_cid=2", "https://example.com/?pk_id=4"),
        ("https://example.com/story/amp/", "https://example.com/story"),
        ("https://example.com/story//amp//amp", "https://example.com/story"),
        ("https://example.com/story.amp", "https://example.com/story"),
        ("https://example.com/story.amp.html", "https://example.com/story.html"),
        ("https://example.com/story?amp", "https://example.com/story"),
        ("https://example.com/story?amp=1&outputType=amp", "https://example.com/story"),
        ("https://example.com/amp", "https://example.com/amp"),
        ("https://example.com/lamp", "https://example.com/lamp"),
        ("https://example.com/story?amp=12", "https://example.com/story?amp=12"),
        ("https://www-example-com.cdn.ampproject.org/c/s/www.example.com/a?b=1", "https://example.com/a?b=1"),
        ("https://web.archive.org/about", "https://web.archive.org/about"),
        (
            "https://web.archive.org/web/2019/https://WEB.archive.org/web/2018/a.com/#!/b",
            "https://a.com/#!/b",
        ),
        ("https://web.archive.org/web/2019/http://web%2Earchive.org/web/2018/a.com/x", "https://a.com/x"),
        ("ftp://example.com/x", None),
        ("mailto:someone@example.com", None),
        ("not a url", None),
        ("http://example.com:99999/", None),
        ("", None),
    ],
)
def test_canonical_url(url: str, expected: str | None) -> None:
    assert canonical_url(url) == expected


@given(
    st.from_regex(
        r"https?://((www|m|old|web)\.){0,2}(x|archive|reddit)\.(com|org|co\.uk)(:[0-9]{1,4})?(/web/2019)?"
        r"(/[a-z./;%=2E6A()S'|^]{0,9})?(;jsessionid=[a-z/]{0,3})?((/|[.])amp|[.]html){0,3}(\?[a-z=&+%2]{0,9})?"
        r"(#[!/:~a%2]{0,5})?",
        fullmatch=True,
    )
)
def test_canonical_url_is_idempotent(url: str) -> None:
    once = canonical_url(url)
    assert once is None or canonical_url(once) == once


def test_copies_of_copies_are_parsed_once_not_per_level(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed = []
    parse = urls._web_url
    monkeypatch.setattr(urls, "_web_url", lambda url: parsed.append(url) or parse(url))
    level = "web.archive.org/web/2019/http://"
    assert canonical_url("http://" + level * 1_000 + "a.com/x") == "https://a.com/x"
    assert len(parsed) == 2
    assert canonical_url("http://" + level.replace(".arch", "%2Earch") * 1_000 + "a.com/x") is None
    assert len(parsed) < 20


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.b.example.co.uk/x", "example.co.uk"),
        ("https://docs.python.org/3/", "python.org"),
        ("http://192.168.0.1:8080/", "192.168.0.1"),
        ("http://localhost/x", "localhost"),
        ("not a url", ""),
    ],
)
def test_registrable_domain(url: str, expected: str) -> None:
    assert registrable_domain(url) == expected


def test_nothing_goes_to_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("network used")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    assert registrable_domain("https://x.gov.uk/") == "x.gov.uk"
