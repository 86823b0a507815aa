"""Repair UTF-8 with stray bytes of another charset, and text that was encoded as UTF-8 twice."""

import re

_ASCII = bytes(range(128))
# Bytes that do not begin a character of several bytes.
_NO_FIRST = bytes(range(0xC0))
# Our choice: so many bytes before and after the first stray byte show whether a page is in another charset.
WINDOW_BYTES = 2048
_STRAY = re.compile("[\udc80-\udcff]+")
# A character of several bytes whose end is missing.
_CUT_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,2}|\xc2")
_CUT_AT_END = re.compile("[\udcc2-\udcf4][\udc80-\udcbf]{0,2}\\Z")
# Bytes 0x80 to 0xBF of UTF-8, taken for characters of cp1252 or Latin-1 and encoded again.
_AGAIN = (
    rb"(?:\xc2[\x80-\xbf]|\xe2\x80[\x93-\xba]|\xe2\x82\xac|\xe2\x84\xa2|\xcb[\x86\x9c]|\xc6\x92"
    rb"|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe])"
)
# A character of two, three or four bytes, encoded twice.
_TWICE_ENCODED = re.compile(
    rb"\xc3(?:[\x82-\x9f]%b|[\xa0-\xaf]%b{2}|[\xb0-\xb4]%b{3})" % (_AGAIN, _AGAIN, _AGAIN)
)


def seems_utf8(data: bytes, place: int, min_ratio: float) -> bool:
    """Whether the bytes around `place` hold `min_ratio` times as many characters of UTF-8 as stray bytes."""
    return utf8_with_strays(data[max(0, place - WINDOW_BYTES) : place + WINDOW_BYTES], min_ratio) is not None


def utf8_with_strays(data: bytes, min_ratio: float) -> str | None:
    """Decode UTF-8 in which single bytes are of cp1252, or characters are cut.

    Return None unless it has at least `min_ratio` times as many characters of several bytes as such bytes.
    """
    # A page cut by a size limit may end inside a character.
    text = _CUT_AT_END.sub("", data.decode("utf-8", "surrogateescape"))
    num_strays = sum(map(len, _STRAY.findall(text)))
    num_high = len(data.translate(None, _ASCII))
    num_characters = len(text) - num_strays - (len(data) - num_high)
    if num_strays and num_characters < min_ratio * num_strays:
        return None
    return _STRAY.sub(_stray_text, text)


def _stray_text(match: re.Match[str]) -> str:
    data = match[0].encode("utf-8", "surrogateescape")
    return "" if _CUT_CHARACTER.fullmatch(data) else data.decode("cp1252", "ignore")


def is_twice_encoded(data: bytes) -> bool:
    """Whether characters that were encoded twice are most of those beyond ASCII in the UTF-8 `data`.

    A page that holds more other such characters speaks of doubled ones, and they stay.
    """
    if b"\xc3" not in data:
        return False
    num_doubled = sum(len(doubled.decode()) for doubled in _TWICE_ENCODED.findall(data))
    return num_doubled > 0 and 2 * num_doubled >= len(data.translate(None, _NO_FIRST))


def decoded_again(text: str) -> str:
    """Return `text` with the lines repaired that were encoded as UTF-8 twice."""
    # Its tables take a quarter of a second to load, and few pages need them.
    from ftfy import fix_encoding

    return "\n".join(line if line.isascii() else fix_encoding(line) for line in text.split("\n"))
