"""Decode bytes of an unknown charset to clean text.

The first of these that fits decides: byte order mark, HTTP header, `<meta>`, strict UTF-8, UTF-8 cut in the
middle of a character, resiliparse's detector, charset-normalizer. A declared charset that does not fit the
bytes is ignored.
"""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

# Under the HTML standard, browsers look for <meta charset> in the first 1,024 bytes; real pages have it
# later.
META_WINDOW_BYTES = 4096
# Our choice: with more than one garbled character in a hundred, a declared charset is taken for wrong.
MAX_GARBLED_FRACTION = 0.01
# Our choice: detectors read this many bytes. More took time and never changed the answer on the sample
# corpus.
DETECTION_BYTES = 65536

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META_CHARSET = re.compile(
    rb"""<meta\b[^<>]{0,500}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{2,40})""", re.I
)
_XML_CHARSET = re.compile(
    rb"""\A\s{0,99}<\?xml\b[^<>]{0,200}?encoding\s{0,9}=\s{0,9}["']([\w.:-]{2,40})""", re.I
)
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u200b\u2060\ufeff\ufffe\uffff]")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def decode(data: bytes, charset: str | None = None) -> str:
    """Decode `data` to clean text; `charset` is the one that the HTTP header names, if any."""
    return clean(decode_source(data, charset))


def decode_source(data: bytes, charset: str | None = None) -> str:
    """Decode `data` for a parser. The text is not cleaned; the part that is kept is cleaned later."""
    text = _decode(data, charset)
    text = text.replace("\x00", "") if "\x00" in text else text
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decode(data: bytes, charset: str | None) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    for declared in (charset, _meta_charset(data)):
        text = _decode_as_declared(data, declared)
        if text is not None:
            return text
    return _decode_by_content(data)


def clean(text: str) -> str:
    r"""Return `text` in NFC with `\n` line ends, without control characters and zero-width marks.

    Lone surrogates are removed; a surrogate pair becomes its character.
    """
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _UNWANTED.search(text):
        text = _SURROGATE_PAIR.sub(_join_surrogates, text)
        text = _UNWANTED.sub(_replace_unwanted, text)
    if text.isascii() or unicodedata.is_normalized("NFC", text):
        return text
    return unicodedata.normalize("NFC", text)


def _join_surrogates(match: re.Match[str]) -> str:
    return match[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _replace_unwanted(match: re.Match[str]) -> str:
    """Return the cp1252 character that a C1 control stands for in text called Latin-1; else ""."""
    char = match[0]
    if "\x80" <= char <= "\x9f":
        return char.encode("latin-1").decode("cp1252", "ignore")
    return ""


def _meta_charset(data: bytes) -> str | None:
    head = data[:META_WINDOW_BYTES]
    match = _META_CHARSET.search(head) or _XML_CHARSET.search(head)
    return match[1].decode("ascii") if match else None


def _decode_as_declared(data: bytes, declared: str | None) -> str | None:
    """Decode by the declared charset; return None if nothing is declared or the bytes contradict it."""
    if not declared:
        return None
    name = map_encoding_to_html5(declared.strip().lower(), fallback_utf8=False)
    if not name or (name.startswith("utf-16") and b"\x00" not in data[:DETECTION_BYTES]):
        return None
    try:
        text = data.decode(name, "replace")
    except (LookupError, UnicodeError):
        return None
    garbled = text.count("\ufffd")
    if garbled > MAX_GARBLED_FRACTION * len(text):
        return None
    if not name.startswith("utf") and garbled == 0 and not data.isascii():
        # A single-byte charset fits any bytes, but bytes are rarely valid UTF-8 by accident.
        return _strict_utf8(data) or text
    return text


def _strict_utf8(data: bytes) -> str | None:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A page cut by a size limit may end inside a character.
        if error.reason != "unexpected end of data":
            return None
        return data[: error.start].decode("utf-8")


def _decode_by_content(data: bytes) -> str:
    sample = data[:DETECTION_BYTES]
    even_nuls, odd_nuls = sample[0::2].count(0), sample[1::2].count(0)
    if max(even_nuls, odd_nuls) > len(sample) // 5:
        return data.decode("utf-16-le" if odd_nuls > even_nuls else "utf-16-be", "replace")
    text = _strict_utf8(data)
    if text is not None:
        return text
    name = detect_encoding(sample)
    if name in ("utf-8", "cp1252", "windows-1252"):
        # The detector answers with these when it has no evidence, so charset-normalizer decides.
        best = from_bytes(sample).best()
        name = best.encoding if best else "cp1252"
    try:
        return data.decode(name, "replace")
    except LookupError:
        return data.decode("cp1252", "replace")
