"""Mask personal data: e-mail addresses, public IP addresses, phone numbers, keys and tokens.

re2 finds the candidates in linear time, then a validator decides on each of them. Numbers are judged in
`pii_numbers`. A secret must have a known prefix or follow a word such as "api_key".
Numbers inside math or code are never masked. E-mail addresses and keys are masked everywhere.
"""

from typing import NamedTuple

import re2

from filters.measure.spans import find_spans
from filters.pii_numbers import ip_addresses, phone_numbers
from filters.urls import has_public_suffix

EMAIL_MASK = "<EMAIL>"
IP_MASK = "<IP>"
PHONE_MASK = "<PHONE>"
KEY_MASK = "<KEY>"

# RFC 2606 and 6761 reserve these names for documentation; they identify nobody.
_RESERVED_DOMAINS = ("example.com", "example.org", "example.net", "example.edu")
_RESERVED_SUFFIXES = (".example", ".test", ".invalid", ".localhost", ".local")
# Local parts of addresses that belong to software, not to a person.
_IMPERSONAL_LOCAL_PARTS = frozenset(("git", "noreply", "no-reply", "donotreply", "svn", "hg"))

_EMAIL = re2.compile(r"\b[A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24}\b")
# Published token prefixes: AWS, GitHub, GitLab, Slack, Google, Stripe, OpenAI, Hugging Face, npm, PyPI, JWT.
_KEY = re2.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{36,255}\b|\bgithub_pat_[A-Za-z0-9_]{40,255}\b|\bglpat-[A-Za-z0-9_-]{20,64}\b"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,250}\b|\bAIza[0-9A-Za-z_-]{35}\b|\b[rs]k_live_[0-9A-Za-z]{16,250}\b"
    r"|\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{32,250}\b|\bhf_[A-Za-z]{34}\b|\bnpm_[A-Za-z0-9]{36}\b"
    r"|\bpypi-[A-Za-z0-9_-]{50,250}\b"
    r"|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"
    r"|-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----[A-Za-z0-9+/=\s:,.-]{20,}-----END (?:[A-Z]+ )*PRIVATE KEY-----"
)
# In `api_key = "..."` and `Authorization: Bearer ...` the value is masked and the name is kept.
_ASSIGNED_SECRET = re2.compile(
    r"(?i)\b(?:api[_-]?key|secret[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)"
    r"[\"']?\s{0,3}[:=]\s{0,3}[\"']([A-Za-z0-9_/+=.-]{20,200})[\"']"
    r"|\bbearer ([A-Za-z0-9_/+=.-]{20,500})"
    r"|\b(?:password|passwd|secret|token)[\"']?\s{0,3}[:=]\s{0,3}[\"']([!-&(-~]{12,200})[\"']"
)
_PLACEHOLDER = re2.compile(
    r"(?i)your|example|change|placeholder|xxx|dummy|secret|password|\*\*\*|\.\.\.|<|\{"
)


class Masked(NamedTuple):
    """The masked text, and the number of masks of each kind."""

    text: str
    num_emails: int
    num_ips: int
    num_phones: int
    num_keys: int


class _Finding(NamedTuple):
    start: int
    end: int
    mask: str


def mask_pii(text: str) -> Masked:
    """Replace personal data by masks. A second call on the result changes nothing."""
    findings = sorted(_secrets(text) + _emails(text) + _numbers(text))
    if not findings:
        return Masked(text, 0, 0, 0, 0)
    pieces = []
    counts = {EMAIL_MASK: 0, IP_MASK: 0, PHONE_MASK: 0, KEY_MASK: 0}
    position = 0
    for start, end, mask in findings:
        if start < position:
            continue  # it lies inside a part that is already masked
        pieces += [text[position:start], mask]
        counts[mask] += 1
        position = end
    pieces.append(text[position:])
    return Masked("".join(pieces), counts[EMAIL_MASK], counts[IP_MASK], counts[PHONE_MASK], counts[KEY_MASK])


def _secrets(text: str) -> list[_Finding]:
    found = [_Finding(m.start(), m.end(), KEY_MASK) for m in _KEY.finditer(text)]
    if "=" in text or ":" in text or "earer " in text:
        for match in _ASSIGNED_SECRET.finditer(text):
            group = next(number for number in (1, 2, 3) if match.group(number))
            if group == 1 or _is_random(match.group(group)):
                found.append(_Finding(match.start(group), match.end(group), KEY_MASK))
    return found


def _is_random(value: str) -> bool:
    """Whether the value looks generated: it has both cases and digits, and no placeholder from a tutorial."""
    classes = (str.islower, str.isupper, str.isdigit)
    return all(any(map(kind, value)) for kind in classes) and not _PLACEHOLDER.search(value)


def _emails(text: str) -> list[_Finding]:
    if "@" not in text:
        return []
    return [
        _Finding(m.start(), m.end(), EMAIL_MASK)
        for m in _EMAIL.finditer(text)
        if text[m.end() : m.end() + 1] != "(" and _is_personal(m.group())  # `x@weights.to(device)`
    ]


def _is_personal(address: str) -> bool:
    local_part, domain = address.lower().rsplit("@", 1)
    is_reserved = domain.endswith(_RESERVED_SUFFIXES) or any(
        domain == reserved or domain.endswith("." + reserved) for reserved in _RESERVED_DOMAINS
    )
    # `W@x.reshape` in a program is not an address, because "reshape" is not a public suffix, and `x@w.to` is
    # none, because registries give out hardly any name of one letter, except in .com.
    name, _, suffix = domain.partition(".")
    is_product = len(name) == 1 and suffix != "com" and "." not in suffix
    is_software = local_part in _IMPERSONAL_LOCAL_PARTS
    return not (is_reserved or is_software or is_product) and has_public_suffix(domain)


def _numbers(text: str) -> list[_Finding]:
    candidates = [_Finding(*place, IP_MASK) for place in ip_addresses(text)]
    candidates += [_Finding(*place, PHONE_MASK) for place in phone_numbers(text)]
    if not candidates:
        return []
    spans = find_spans(text)
    return [c for c in candidates if not any(s.start < c.end and c.start < s.end for s in spans)]
