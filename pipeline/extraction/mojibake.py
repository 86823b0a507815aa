"""Repair UTF-8 with stray bytes of another charset, and text that was encoded as UTF-8 twice."""

import re

_ASCII = bytes(range(128))
_STRAY = re.compile("[\udc80-\udcff]+")
# A character of several bytes whose end is missing.
_CUT_CHARACTER = re.compile(rb"[\xc2-\xf4][\x80-\xbf]{1,2}|\xc2")
_CUT_AT_END = re.compile("[\udcc2-\udcf4][\udc80-\udcbf]{0,2}\\Z")
# UTF-8 of a character U+00C2 to U+00F4 before one that cp1252 or Latin-1 puts at 0x80 to 0xBF: a first byte and
# a second byte of UTF-8, each encoded again.
_TWICE_ENCODED = re.compile(
    rb"\xc3[\x82-\xb4](?:\xc2[\x80-\xbf]|\xe2\x80[\x93-\xba]|\xe2\x82\xac|\xe2\x84\xa2|\xcb[\x86\x9c]"
    rb"|\xc5[\x92\x93\xa0\xa1\xb8\xbd\xbe]|\xc6\x92)"
)
_CONTINUATION = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
_TWICE = re.compile(
    f"[\u00c2-\u00df]{_CONTINUATION}|[\u00e0-\u00ef]{_CONTINUATION}{{2}}|[\u00f0-\u00f4]{_CONTINUATION}{{3}}"
)


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
    """Whether the UTF-8 `data` holds characters that may have been encoded twice."""
    return b"\xc3" in data and _TWICE_ENCODED.search(data) is not None


def decoded_again(text: str) -> str:
    """Return `text` with the lines repaired that were encoded as UTF-8 twice.

    A text that holds more other characters beyond ASCII than doubled ones speaks of such text; it stays.
    """
    num_doubled = sum(map(len, _TWICE.findall(text)))
    if not num_doubled or 2 * num_doubled < len(text) - len(text.encode("ascii", "ignore")):
        return text
    # Its tables take a quarter of a second to load, and few pages need them.
    from ftfy import fix_encoding

    return "\n".join(fix_encoding(line) if _TWICE.search(line) else line for line in text.split("\n"))
