"""One spelling per page, one domain per site."""

import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        r"https?://(www\.)?[a-z]{1,5}\.(com|de)(:[0-9]{1,4})?(/[a-z./;%=]{0,9})?(\?[a-z=&+%2]{0,9})?",
        fullmatch=True,
    )
)
def test_canonical_url_is_idempotent(url: str) -> None:
    once = canonical_url(url)
    assert once is None or canonical_url(once) == once


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
