"""Personal data planted in sentences, and look-alikes that must stay: made from a seed, nobody's.

A planted case is (kind, text, the part to be masked); a look-alike is (kind, text). Numbers come from the
ranges that no reserved block holds; telephone numbers avoid those set aside for fiction.
"""

import random
import string
from collections.abc import Callable

Planted = tuple[str, str, str]

_FIRST = str.split("anna bela carlos dmitri elena farid greta hiro ines jamal kofi lena mei noor omar petra")
_LAST = str.split(
    "adler brandt costa dietz ekman fontaine garcia huber ivanov jansen kowalski lindqvist moreau"
)
_DOMAINS = str.split(
    "gmail.com web.de uni-bonn.de mail.ru 163.com orange.fr cs.cmu.edu company.co.uk proton.me"
)
_FRAMES = (
    "Please write to {} before Friday.",
    "Contact: {}",
    "The reply of {} came late, as the log says.",
    "({})",
    "Questions? {}!",
    "| Name | {} |",
    "> On Monday {} wrote:",
    "请联系 {}，谢谢。",
)


def planted(seed: int = 3, num_cases: int = 500) -> list[Planted]:
    """Equal shares of e-mail and IP addresses, telephone numbers, keys and tokens."""
    rng = random.Random(seed)
    kinds: tuple[tuple[str, Callable[[random.Random], str]], ...] = (
        ("email", _email),
        ("ip", _ip),
        ("phone", _phone),
        ("key", _key),
    )
    cases = []
    for number in range(num_cases):
        kind, make = kinds[number % len(kinds)]
        part = make(rng)
        cases.append((kind, rng.choice(_FRAMES).format(part), part))
    return cases


def look_alikes(seed: int = 4, num_cases: int = 500) -> list[tuple[str, str]]:
    """Equal shares of everything below that only looks like personal data."""
    rng = random.Random(seed)
    kinds = tuple(_LOOK_ALIKES.items())
    cases = []
    for number in range(num_cases):
        kind, make = kinds[number % len(kinds)]
        cases.append((kind, rng.choice(_FRAMES).format(make(rng))))
    return cases


def _digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def _letters(rng: random.Random, count: int, alphabet: str = string.ascii_letters + string.digits) -> str:
    return "".join(rng.choices(alphabet, k=count))


def _email(rng: random.Random) -> str:
    local = rng.choice(
        (
            f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}",
            f"{rng.choice(_FIRST)}{rng.randint(1, 99)}",
            f"{rng.choice(_FIRST)[0]}_{rng.choice(_LAST)}",
            f"{rng.choice(_LAST)}+lists",
            rng.choice(_FIRST).title(),
        )
    )
    return f"{local}@{rng.choice(_DOMAINS)}"


def _ip(rng: random.Random) -> str:
    first = rng.choice((5, 8, 31, 46, 62, 77, 80, 91, 130, 151, 178, 185, 193, 212, 217))
    if rng.random() < 0.8:
        return f"{first}.{rng.randint(1, 254)}.{rng.randint(1, 254)}.{rng.randint(1, 254)}"
    words = [f"{rng.randint(1, 0xFFFF):x}" for _ in range(4)]
    return "2a0" + rng.choice("0123") + ":" + ":".join(words[:3]) + "::" + words[3]


def _phone(rng: random.Random) -> str:
    area, exchange = rng.randint(201, 979), rng.choice([n for n in range(200, 999) if n != 555])
    line = _digits(rng, 4)
    return rng.choice(
        (
            f"+49 {rng.choice((30, 40, 89, 221, 228))} {rng.randint(1_000_000, 9_999_999)}",
            f"+44 20 {rng.randint(7000, 8999)} {line}",
            f"+1 {area}-{exchange}-{line}",
            f"+33 {rng.randint(1, 9)} {' '.join(_digits(rng, 2) for _ in range(4))}",
            f"+86 {rng.choice((130, 138, 150, 186))} {_digits(rng, 4)} {line}",
            f"({area}) {exchange}-{line}",
            f"{area}-{exchange}-{line}",
            f"{area}.{exchange}.{line}",
            f"Tel: 0{rng.randint(20, 99)} {_digits(rng, 3)} {_digits(rng, 4)}",
            f"电话：{rng.choice((130, 138, 150, 186))}{_digits(rng, 8)}",
            f"手机 {rng.choice((130, 138, 150, 186))}-{_digits(rng, 4)}-{line}",
        )
    )


def _key(rng: random.Random) -> str:
    upper = string.ascii_uppercase + string.digits
    return rng.choice(
        (
            "AKIA" + _letters(rng, 16, upper),
            "ghp_" + _letters(rng, 36),
            "glpat-" + _letters(rng, 20),
            "xoxb-" + _digits(rng, 11) + "-" + _letters(rng, 24),
            "AIza" + _letters(rng, 35),
            "sk_live_" + _letters(rng, 24),
            "sk-proj-" + _letters(rng, 48),
            "hf_" + _letters(rng, 34, string.ascii_letters),
            "npm_" + _letters(rng, 36),
            f'api_key = "{_letters(rng, 32)}"',
            f"Authorization: Bearer {_letters(rng, 40)}",
            f"password: '{_letters(rng, 14)}!'",
        )
    )


_LOOK_ALIKES: dict[str, Callable[[random.Random], str]] = {
    "version": lambda rng: (
        f"version {rng.randint(1, 9)}.{rng.randint(0, 20)}.{rng.randint(0, 9)}.{rng.randint(0, 99)}"
    ),
    "section": lambda rng: (
        f"section {rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}.{rng.randint(1, 9)}"
    ),
    "bare version": lambda rng: f"Reader {rng.randint(1, 30)}.0.{rng.randint(1, 99)}.{rng.randint(1, 250)}",
    "versions": lambda rng: (
        f"versions {rng.randint(1, 9)}.{rng.randint(40, 99)}.1.2 and {rng.randint(10, 99)}.70.80.9"
    ),
    "OID": lambda rng: f"1.3.{rng.randint(1, 9)}.{rng.randint(1, 9)}",
    "heading": lambda rng: f"{rng.randint(1, 12)}.{rng.randint(1, 9)}.{rng.randint(1, 20)}.2 On words",
    "open resolver": lambda rng: rng.choice(("8.8.8.8", "1.1.1.1", "2001:4860:4860::8888")),
    "fingerprint": lambda rng: ":".join(_letters(rng, 2, "0123456789abcdef") for _ in range(16)),
    "npm package": lambda rng: f"{rng.choice(_LAST)}@{rng.randint(1, 9)}.{rng.randint(0, 20)}.1",
    "call on a product": lambda rng: f"{rng.choice('ABWX')}@{rng.choice(_FIRST)}.to(device)",
    "sum": lambda rng: f"+{rng.choice((15, 21, 28, 97))} {rng.randint(100, 999)} 345 678",
    "long number": lambda rng: f"{rng.randint(201, 979)}-765-4321-{_digits(rng, 2)}",
    "DOI": lambda rng: (
        f"10.{_digits(rng, 4)}/j.{_letters(rng, 5).lower()}.{rng.randint(2000, 2024)}.{_digits(rng, 6)}"
    ),
    "arXiv": lambda rng: f"arXiv:{rng.randint(1501, 2412)}.{_digits(rng, 5)}v{rng.randint(1, 4)}",
    "hash": lambda rng: _letters(rng, 40, string.hexdigits.lower()[:16]),
    "UUID": lambda rng: "-".join(_letters(rng, n, "0123456789abcdef") for n in (8, 4, 4, 4, 12)),
    "code constant": lambda rng: f"`MAX = {_digits(rng, 10)}`",
    "formula": lambda rng: f"${rng.randint(200, 999)}-{rng.randint(200, 999)}-{_digits(rng, 4)} = x$",
    "plain sum": lambda rng: f"{_digits(rng, 3)} + {_digits(rng, 3)} - {_digits(rng, 4)} = {_digits(rng, 4)}",
    "ISBN": lambda rng: (
        f"ISBN 978-{rng.randint(0, 9)}-{_digits(rng, 4)}-{_digits(rng, 4)}-{rng.randint(0, 9)}"
    ),
    "date": lambda rng: (
        f"{rng.randint(1990, 2024)}-{rng.randint(1, 12):02d}-{rng.randint(1, 28):02d} 12:30:45.123"
    ),
    "amount": lambda rng: f"${rng.randint(1, 9)},{_digits(rng, 3)},{_digits(rng, 3)}.00",
    "large number": lambda rng: f"{rng.randint(1, 9)} {_digits(rng, 3)} {_digits(rng, 3)} {_digits(rng, 3)}",
    "decimals": lambda rng: f"3.{_digits(rng, 12)}",
    "MAC address": lambda rng: ":".join(_letters(rng, 2, "0123456789abcdef") for _ in range(6)),
    "private IP": lambda rng: (
        rng.choice(("10.0.", "192.168.", "172.16.")) + f"{rng.randint(0, 255)}.{rng.randint(1, 254)}"
    ),
    "documentation": lambda rng: rng.choice(
        (f"{rng.choice(_FIRST)}@example.com", "203.0.113.9", "2001:db8::1")
    ),
    "decorator": lambda rng: f"@{rng.choice(_FIRST)}.{rng.choice(_LAST)}",
    "matrix product": lambda rng: f"{rng.choice('ABWX')}@{rng.choice('vxyz')}.T",
    "git remote": lambda rng: f"git@github.com:{rng.choice(_LAST)}/repo.git",
    "placeholder key": lambda rng: rng.choice(
        ('api_key = "YOUR_API_KEY"', "sk-...", 'token = ""', "password: ********")
    ),
    "tutorial password": lambda rng: (
        rng.choice(("password", "secret", "token"))
        + rng.choice(
            (" = 'MySecretPassword1'", ': "changeMe12345!"', "='your-Token-Here1'", ' = "{{ Secret1Var }}"')
        )
    ),
    "years": lambda rng: (
        f"{rng.randint(1900, 1950)}-{rng.randint(1951, 2000)}, pp. {rng.randint(1, 9)}-{rng.randint(10, 30)}"
    ),
    "phone of fiction": lambda rng: f"({rng.randint(201, 979)}) 555-01{_digits(rng, 2)}",
    "C++ scope": lambda rng: f"std::{rng.choice(_FIRST)}::{rng.choice(_LAST)}",
    "time": lambda rng: (
        f"{rng.randint(10, 23)}:{rng.randint(10, 59)}:{rng.randint(10, 59)}:{rng.randint(10, 24)}"
    ),
}
