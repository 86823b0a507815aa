"""Decode bytes of an unknown charset to clean text.

The first of these that fits decides: byte order mark, HTTP header, `<meta>`, UTF-8 (with a few stray bytes at
most), resiliparse's detector, charset-normalizer. A declared charset that does not fit the bytes is ignored.
Detectors read only the parts of the page that are not ASCII.
"""

import codecs
import re
import unicodedata

from charset_normalizer import from_bytes
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from pipeline.extraction.mojibake import decoded_again, is_twice_encoded, seems_utf8, utf8_with_strays

# Under the HTML standard, browsers look for <meta charset> in the first 1,024 bytes; real pages have it
# later.
META_WINDOW_BYTES = 4096
# Our choice: with more than one garbled character in a hundred, a declared charset is taken for wrong.
MAX_GARBLED_FRACTION = 0.01
# Our choice: detectors read this many bytes. More took time and never changed the answer on the sample
# corpus.
DETECTION_BYTES = 65536
# Our choice: bytes are UTF-8 if they hold at least as many of its characters of several bytes as bytes that
# do not fit; against a declared charset, ten times as many. Text in GBK holds one such pair in five by
# accident.
MIN_UTF8_RATIO, MIN_UTF8_RATIO_DECLARED = 1, 10
# Our choice: text in Latin script has mostly single letters with marks. Detectors take it for the charsets of
# neighbours if they are few. Up to the first fraction of all letters it is cp1252 if the detector names a
# charset of Central Europe, up to the second if it names a rare one or none. Chosen on a manual in 12
# languages: French and Swedish have at most .06, Polish .05, Czech .09.
MIN_SINGLE_FRACTION, MAX_WESTERN_FRACTION, MAX_LATIN_FRACTION = 0.5, 0.07, 0.12

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
# Codecs of Python that hold what browsers read under these names.
_SUPERSETS = {
    "gbk": "gb18030",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "windows-874": "cp874",
}
# Charsets that hardly any page has; the detector names them for text in cp1252.
_RARE = frozenset(
    ["cp1258", "iso8859-3", "iso8859-4", "iso8859-10", "iso8859-13", "iso8859-14", "iso8859-15", "iso8859-16"]
)
# Letters of Central Europe inside a word, which are signs in cp1252.
_CENTRAL_LETTER = re.compile(
    rb"[a-z\xc0-\xff][\x8a\x8d-\x8f\x9a\x9d-\x9f\xa1\xa3\xa5\xa6\xac\xae-\xb3\xb5\xb6\xb9\xbb-\xbf][a-z\xc0-\xff]"
)
_CENTRAL = frozenset(("cp1250", "iso8859-2"))
_UNDECIDED = frozenset(("utf-8", "cp1252", "windows-1252"))
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_LETTERS = re.compile(rb"[A-Za-z]+")
_UNWANTED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\xad\ud800-\udfff\u200b\u2060\ufeff\ufffe\uffff]")
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def decode(data: bytes, charset: str | None = None) -> str:
    """Decode `data` to clean text; `charset` is the one that the HTTP header names, if any."""
    return clean(decode_source(data, charset))


def decode_source(data: bytes, charset: str | None = None) -> str:
    """Decode `data` for a parser. The text is not cleaned; the part that is kept is cleaned later."""
    text = _decode(data, charset)
    if b"\x00" in data:
        text = text.replace("\x00", "")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def _decode(data: bytes, charset: str | None) -> str:
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            data = data[len(mark) :]
            return (_utf8(data, 0) if name == "utf-8" else None) or data.decode(name, "replace")
    for declared in (charset, _meta_charset(data)):
        text = _decode_as_declared(data, declared)
        if text is not None:
            return text
    return _decode_by_content(data)


def clean(text: str) -> str:
    r"""Return `text` in NFC with `\n` line ends, without controls, zero-width marks and soft hyphens.

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
    if name == "utf-8":
        return _utf8(data, MIN_UTF8_RATIO)
    # A legacy charset fits nearly any bytes, but bytes are rarely valid UTF-8 by accident.
    if not name.startswith("utf") and not data.isascii() and (text := _utf8(data, MIN_UTF8_RATIO_DECLARED)):
        return text
    try:
        text = data.decode(_SUPERSETS.get(name, name), "replace")
    except (LookupError, UnicodeError):
        return None
    return None if text.count("\ufffd") > MAX_GARBLED_FRACTION * len(text) else text


def _utf8(data: bytes, min_ratio: float) -> str | None:
    """Decode UTF-8, with stray bytes and text encoded twice repaired; None if it has too many stray bytes."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        if min_ratio > MIN_UTF8_RATIO and not seems_utf8(data, error.start, min_ratio):
            return None
        repaired = utf8_with_strays(data, min_ratio)
        if repaired is None:
            return None
        text = repaired
    return decoded_again(text) if is_twice_encoded(data) else text


def _decode_by_content(data: bytes) -> str:
    start = data[:DETECTION_BYTES]
    even_nuls, odd_nuls = start[0::2].count(0), start[1::2].count(0)
    # The tags of a page in UTF-16 have a NUL in every second byte.
    if max(even_nuls, odd_nuls) > len(start) // 10 and max(even_nuls, odd_nuls) > 4 * min(
        even_nuls, odd_nuls
    ):
        return data.decode("utf-16-le" if odd_nuls > even_nuls else "utf-16-be", "replace")
    if b"\x1b$" in data and data.isascii():
        return data.decode("iso2022_jp", "replace")
    text = _utf8(data, MIN_UTF8_RATIO)
    if text is not None:
        return text
    # No charset has `<` inside a character.
    sample = b"<".join(part for part in data.split(b"<") if not part.isascii())[:DETECTION_BYTES]
    name = _detected(sample)
    try:
        return data.decode(_SUPERSETS.get(name, name), "replace")
    except LookupError:
        return data.decode("cp1252", "replace")


def _detected(sample: bytes) -> str:
    """Return the charset of `sample`, which is not UTF-8."""
    name = detect_encoding(sample)
    runs = _HIGH_RUN.findall(sample)
    num_high = sum(map(len, runs))
    fraction = num_high / (num_high + sum(map(len, _LETTERS.findall(sample))))
    if sum(len(run) == 1 for run in runs) >= MIN_SINGLE_FRACTION * len(runs):
        if name in _CENTRAL and fraction < MAX_WESTERN_FRACTION and not _CENTRAL_LETTER.search(sample):
            return "cp1252"
        if (name in _RARE or name in _UNDECIDED) and fraction < MAX_LATIN_FRACTION:
            return "cp1252"
    if name in _UNDECIDED:
        # The detector answers with these when it has no evidence, so charset-normalizer decides.
        best = from_bytes(sample).best()
        return best.encoding if best else "cp1252"
    return name
