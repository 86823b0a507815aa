"""Bytes to clean text."""

import pytest

from pipeline.extraction.encodings import clean, decode


@pytest.mark.parametrize(
    ("data", "charset", "expected"),
    [
        ("Größe".encode(), None, "Größe"),
        ("Größe".encode(), "latin-1", "Größe"),  # strict UTF-8 does not fit by accident
        ("Größe".encode("cp1252"), "iso-8859-1", "Größe"),
        ("“quoted”".encode("cp1252"), "iso-8859-1", "“quoted”"),
        (b"\xef\xbb\xbfabc", "cp1252", "abc"),
        ("日本語".encode("utf-16"), None, "日本語"),
        ("plain text in two bytes".encode("utf-16-le"), None, "plain text in two bytes"),
        ("Größe und mehr".encode() + "ß".encode()[:1], None, "Größe und mehr"),
        ("日本語のテキストです。".encode("shift_jis"), "shift_jis", "日本語のテキストです。"),
        (
            b'<?xml version="1.0" encoding="koi8-r"?>' + "мир".encode("koi8-r"),
            None,
            '<?xml version="1.0" encoding="koi8-r"?>мир',
        ),
        ("мир труд май и другие слова".encode("cp1251"), "no-such-charset", "мир труд май и другие слова"),
        (b"abc", "utf-16", "abc"),
    ],
)
def test_decode(data: bytes, charset: str | None, expected: str):
    assert decode(data, charset) == expected


def test_clean_normalises_and_removes():
    assert clean("e\u0301 a\x00b\x01c\r\nd\re\ufeff\u200b") == "é abc\nd\ne"
    assert clean("x\ud800y") == "xy"
    assert clean("\ud83d\ude00") == "😀"
    assert clean("a\x96b\x85") == "a–b…"
    assert clean("tab\tand\nline") == "tab\tand\nline"
