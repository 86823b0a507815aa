"""Which pages a list of domains and URLs covers, and which it must not."""

import numpy as np
import pytest

from filters.url_lists import UrlList, build_url_list, listed_by

LISTS = {
    "adult": ["bad.example", "WWW.Worse.example", "", "# a comment", "10.1.2.3", "bücher.example"],
    "opt-outs": [
        "https://www.blog.example/private/",
        "shop.example/item?id=7",
        "http://only.example/",
        "https://app.example/#/notes/7?by=me",
        "bad.example",
    ],
}


@pytest.fixture(scope="module")
def urls() -> UrlList:
    return build_url_list(LISTS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://bad.example/", "adult: bad.example"),
        ("https://a.b.BAD.example:8080/x?y#z", "adult: bad.example"),
        ("https://worse.example/x", "adult: worse.example"),
        ("http://10.1.2.3/x", "adult: 10.1.2.3"),
        ("https://xn--bcher-kva.example/", "adult: xn--bcher-kva.example"),
        ("http://blog.example/private", "opt-outs: blog.example/private"),
        ("https://blog.example/private/diary.html?utm_source=x", "opt-outs: blog.example/private"),
        ("https://shop.example/item?utm_source=x&id=7", "opt-outs: shop.example/item?id=7"),
        ("https://only.example/any/page", "opt-outs: only.example"),
        ("https://blog.example/private#!/diary", "opt-outs: blog.example/private"),
        ("https://app.example/#/notes/7?by=me", "opt-outs: app.example/#/notes/7?by=me"),
    ],
)
def test_listed(urls: UrlList, url: str, expected: str) -> None:
    assert listed_by(url, urls) == expected


@pytest.mark.parametrize(
    "host", ["m.dress.example", "www2.dress.example", "amp.dress.example", "old.reddit.com"]
)
def test_a_host_in_another_dress_lists_its_own_pages(host: str) -> None:
    for entry in (host, f"https://{host}/"):
        assert listed_by(f"https://{host}/page", build_url_list({"list": [entry]})) is not None


@pytest.mark.parametrize(
    "url",
    [
        "https://notbad.example/",
        "https://bad.example.org/",
        "https://example/",
        "https://blog.example/private-not",
        "https://blog.example/",
        "https://other.blog.example/private",
        "https://shop.example/item?id=8",
        "https://shop.example/item",
        "https://app.example/#/notes/8",
        "mailto:a@bad.example",
        "not a url",
        None,
    ],
)
def test_not_listed(urls: UrlList, url: str | None) -> None:
    assert listed_by(url, urls) is None


def test_an_entry_that_is_no_address_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"adult: 'http://\[bad' is neither a domain nor a URL; remedy"):
        build_url_list({"adult": ["fine.example", "http://[bad"]})


def test_an_empty_list_lists_nothing() -> None:
    empty = build_url_list({})
    assert listed_by("https://bad.example/", empty) is None
    assert np.array_equal(build_url_list({"a": ["# nothing"]}).hashes, empty.hashes)
