"""Decide whether digits are somebody's: a public IP address or a telephone number.

Most dotted or grouped numbers in technical text are neither: versions, OIDs, section numbers, fingerprints,
times and parts of formulas look alike. The shape decides, then the word before the number, then what touches
it. In a list ("versions 3.70.1.9 and 4.80.2.7") the first number decides for the others.
"""

import ipaddress
from collections.abc import Iterator

import re2

Span = tuple[int, int]

_IP = re2.compile(
    r"\b(?:\d{1,3}\.){3}\d{1,3}\b"
    # IANA assigns global addresses from 2000::/3 only, so that the first group has four digits.
    r"|\b2[0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,16}"
)
# RIRs assign addresses from these blocks (IANA, IPv6 Global Unicast Address Assignments): first group, or its
# first three digits where a /12 is assigned.
_IPV6_GROUPS = frozenset((0x2001, 0x2003, 0x2610, 0x2620))
_IPV6_BLOCKS = frozenset((0x240, 0x241, 0x260, 0x263, 0x280, 0x2A0, 0x2A1, 0x2C0))
# Open resolvers of Google, Cloudflare, Quad9, Level 3, OpenDNS, 114DNS, AliDNS, DNSPod, Baidu, AdGuard,
# Verisign, Comodo and Yandex: services that every tutorial names.
_OPEN_RESOLVERS = frozenset(
    map(
        ipaddress.ip_address,
        str.split(
            "8.8.8.8 8.8.4.4 1.1.1.1 1.0.0.1 1.1.1.2 1.0.0.2 1.1.1.3 1.0.0.3 9.9.9.9 149.112.112.112 4.2.2.1 "
            "4.2.2.2 4.2.2.3 4.2.2.4 208.67.222.222 208.67.220.220 114.114.114.114 114.114.115.115 223.5.5.5 "
            "223.6.6.6 119.29.29.29 180.76.76.76 94.140.14.14 94.140.15.15 64.6.64.6 64.6.65.6 8.26.56.26 "
            "8.20.247.20 77.88.8.8 77.88.8.1 2001:4860:4860::8888 2001:4860:4860::8844 2606:4700:4700::1111 "
            "2606:4700:4700::1001 2620:fe::fe 2620:fe::9 2620:119:35::35 2620:119:53::53 2400:3200::1"
        ),
    )
)
# What stands before a number that is a version, or counts the parts of a text or of a standard.
_NUMBERING_WORDS = frozenset(
    str.split(
        "version versions ver v release releases build builds driver drivers firmware update updates upgrade "
        "revision rev patch oid oids section sections sect sec chapter chapters ch part theorem theorems "
        "lemma lemmas corollary proposition prop definition def example remark equation eq figure fig table "
        "tab exercise problem algorithm appendix clause article paragraph para rule item step page 版本 章节"
    )
)
_ADDRESS_WORDS = frozenset(
    str.split(
        "ip ips ipv4 ipv6 address addresses addr host hosts hostname server servers from ping ssh telnet "
        "curl peer peers client clients node router proxy gateway nameserver resolver remote 地址 服务器 主机"
    )
)
# Our choice: of addresses whose first part is this small, one in 70 has two more small parts; of versions and
# section numbers nearly all have.
_MAX_NUMBERING_PART = 31
_WORD_BEFORE = re2.compile(r"([A-Za-z\d]+|[\x{4e00}-\x{9fff}]{1,4})[.:=(\[\"' §#]*$")
_MAX_WORD_CHARS = 24  # before a number; enough for the words above and what may stand between
_IN_A_LIST = re2.compile(r"(?:\s{0,2}[,;/&]\s{0,2}|\s)(?:(?:and|or|to|und|et|y|和|或)\s)?$")
_MAX_LIST_CHARS = 10

# International (+49 30 1234567), North American ((212) 765-4321, 1-212-765-4321), or any number after a word
# such as "phone".
_PHONE = re2.compile(
    r"\+[1-9]\d{0,2}[ .\-]?(?:\(\d{1,4}\)[ .\-]?)?\d{1,4}(?:[ .\-]?\d{2,4}){1,4}\b"
    r"|\([2-9]\d{2}\) ?[2-9]\d{2}[ .\-]\d{4}\b"
    r"|\b(?:1[ .\-])?[2-9]\d{2}(?:-[2-9]\d{2}-|\.[2-9]\d{2}\.)\d{4}\b"
    r"|(?:(?i:\b(?:tel|phone|telephone|fax|mobile)\b\.?:? ?)"
    r"|(?:电话|電話|手机|手機|传真|傳真)(?:号码|號碼)?[:：]? ?)"
    r"[+(]?\d[\d ().\-]{6,18}\d\b"
)
_PHONE_WORD = re2.compile(
    r"(?i)^(?:(?:tel|phone|telephone|fax|mobile)\.?:? ?"
    r"|(?:电话|電話|手机|手機|传真|傳真)(?:号码|號碼)?[:：]? ?)"
)
# Country codes of ITU-T E.164; no code is the beginning of another.
_COUNTRY_CODE = re2.compile(
    r"^\+(?:1|7|2(?:[07]|1[1-368]|[2346]\d|5[0-8]|9[01789])|3(?:[0-469]|[57]\d|8[0-35-79])"
    r"|4(?:[013-9]|2[013])|5(?:[1-8]|[09]\d)|6(?:[0-6]|7[02-9]|8[0-35-9]|9[0-2])"
    r"|8(?:[1246]|0[08]|5[02356]|7[08]|8[0-368])|9(?:[0-58]|6[0-8]|7[0-79]|9[2-68]))"
)
# 555 is no area, and the exchange 555 has no subscribers: information services and fiction.
_NO_SUBSCRIBER = re2.compile(r"^\D*(?:1\D?)?(?:555|\d{3}\D{0,2}555)\D?\d")
_VERSION_OR_DATE = re2.compile(
    r"^(?:\d{1,4}(?:\.\d+)*\.\d(?:\.\d+)*|\d\.[\d.]+|\d{1,3}\.\d{5,}"
    r"|(?:19|20)\d\d[\-./ ](?:(?:19|20)\d\d|\d\d[\-./ ]\d\d))$"
)
_CATALOGUE_WORDS = frozenset(str.split("isbn issn doi arxiv pmid oclc ean upc sku gtin imei"))


def ip_addresses(text: str) -> Iterator[Span]:
    """Yield the places of public IP addresses, except those of open resolvers."""
    before_end, is_numbering = -1, False
    for match in _IP.finditer(text):
        start, end = match.span()
        if ":" in match.group():
            if end < len(text) and text[end - 1] == ":" and text[end - 2] != ":":
                end -= 1  # the colon belongs to the sentence
            if _is_ipv6(text, start, end):
                yield start, end
            continue
        listed = text[before_end:start] if 0 <= start - before_end <= _MAX_LIST_CHARS else ""
        if not (is_numbering and _IN_A_LIST.match(listed)):
            is_numbering = _is_numbering(text, start, end)
        before_end = end
        if not is_numbering and _is_public(text[start:end]):
            yield start, end


def phone_numbers(text: str) -> Iterator[Span]:
    """Yield the places of telephone numbers."""
    for match in _PHONE.finditer(text):
        word = _PHONE_WORD.search(match.group())
        start = match.start() + (word.end() if word else 0)
        if _is_phone(text, start, match.end(), is_announced=word is not None):
            yield start, match.end()


def _is_ipv6(text: str, start: int, end: int) -> bool:
    first = int(text[start : start + 4], 16)
    is_assigned = first in _IPV6_GROUPS or first >> 4 in _IPV6_BLOCKS
    touches_more = text[start - 1 : start] in tuple(":.-") or text[end : end + 1].isalnum()
    return is_assigned and not touches_more and _is_public(text[start:end])


def _is_public(address: str) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return parsed.is_global and parsed not in _OPEN_RESOLVERS


def _is_numbering(text: str, start: int, end: int) -> bool:
    """Whether four dotted numbers are a version, a section or part of something longer, not an address."""
    before, after = text[start - 1 : start], text[end : end + 2]
    if before in tuple(".-") or before.isalnum():
        return True
    has_port = after[:1] == ":" and after[1:].isdigit()
    if after[:1] in tuple(".-:") and after[1:].isalnum() and not has_port:
        return True
    word = _word_before(text, start)
    if word in _NUMBERING_WORDS:
        return True
    if word in _ADDRESS_WORDS or has_port or text[max(start - 3, 0) : start] == "://":
        return False
    if before in tuple("=:"):
        return True
    parts = [int(part) for part in text[start:end].split(".")]
    return max(parts[:3]) <= _MAX_NUMBERING_PART or 0 in parts[1:3]


def _word_before(text: str, start: int) -> str:
    word = _WORD_BEFORE.search(text[max(start - _MAX_WORD_CHARS, 0) : start])
    return word.group(1).lower() if word else ""


def _is_phone(text: str, start: int, end: int, is_announced: bool) -> bool:
    """Whether `text[start:end]` is a phone number.

    `is_announced` says that a word such as "phone" stands before it; then any grouping of the digits is
    accepted.
    """
    number = text[start:end]
    # ITU-T E.164 allows at most 15 digits. Our choice: at least 7, or 9 in an international number.
    num_digits = sum(map(str.isdigit, number))
    if not 7 <= num_digits <= 15 or "555-01" in number or "555.01" in number:
        return False
    if is_announced:
        return not _VERSION_OR_DATE.search(number)
    before, after = text[start - 1 : start], text[end : end + 2]
    is_part_of_more = (
        before.isalnum()
        or before in tuple("$=.-_/+*)")
        or after[:1].isalnum()
        or after[:1] in tuple("_/*=^")
        or (after[:1] in tuple("-.") and after[1:].isdigit() and not number.startswith("+"))
        or text[end : end + 3].lstrip()[:1] in tuple("=^×")
    )
    if is_part_of_more or _word_before(text, start) in _CATALOGUE_WORDS:
        return False
    return _is_international(number) if number.startswith("+") else not _NO_SUBSCRIBER.search(number)


def _is_international(number: str) -> bool:
    """Whether the number has a country code and a length that fits; a sum and a decimal number have not."""
    code = _COUNTRY_CODE.search(number)
    digits = "".join(filter(str.isdigit, number))
    if not code or len(digits) < 9:
        return False
    rest = number[code.end() :]
    first_group = number[1:].split(" ")[0].split(".")[0].split("-")[0].split("(")[0]
    if len(first_group) <= 3 and first_group != code.group()[1:]:
        return False  # "+12 345 678 901": the first group of a telephone number is its country code
    if rest.startswith(".") and rest[1:].isdigit():
        return False  # "+3.14159265"
    national = digits[len(code.group()) - 1 :]
    if code.group() == "+1":
        return len(national) == 10 and national[0] > "1" and national[3] > "1" and national[3:6] != "555"
    return not national.startswith("000")
