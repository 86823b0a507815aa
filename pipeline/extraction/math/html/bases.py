r"""Decide what a `<sup>` or `<sub>` stands on: a base that it is a power or an index of, or nothing.

Pages use the same markup for powers (10 to the 6th), indices, units, ions and isotopes, and for ordinals,
trade marks and footnotes. The text around tells them apart: a letter, number, bracket or unit is a base; a
word of prose, a year and the end of a sentence are not, because a small number after them is a footnote.
"""

import re
from typing import NamedTuple

from pipeline.extraction.math.mathml_symbols import FUNCTIONS, symbol

# In the text before a script, these stand for the letters of a formula's and a piece of code's placeholder.
FORMULA, CODE = "\ue000", "\ue001"
# Our choice: a base in brackets is at most this long.
MAX_BASE_CHARS = 80
# Our choice: a longer script is small print.
MAX_SCRIPT_CHARS = 40

_NUMBER = re.compile(r"(?<![\d.,A-Za-z])\d+(?:[.,]\d+)*\Z|\d+\Z")
_LETTERS = re.compile(r"[A-Za-z]+\Z")
# Characters with a command in TeX that are no base.
_NO_BASES = frozenset("©®§¶†‡•·∙…—–−‐‑£¥°′″‴⟨⌊⌈")
_PRIMED = re.compile(r"(?<![A-Za-z])[A-Za-z]['′″]{1,3}\Z")
_FACTORIAL = re.compile(r"(?:(?<![A-Za-z])[A-Za-z]|\d+|\))!\Z")
_FENCES = {")": "(", "]": "[", "}": "{", "⟩": "⟨", "⌋": "⌊", "⌉": "⌈", "|": "|", "‖": "‖"}
_SENTENCE = re.compile(r"[?!;:\"“”@]|(?<![A-Za-z])[A-Za-z]{2,} [A-Za-z]{2,} [A-Za-z]{2,}")
_LONG_WORD = re.compile(r"[A-Za-z]{4,}|[A-Za-z]{2,} [A-Za-z]{2,}")
_FUNCTION_NAME = re.compile("|".join(sorted(FUNCTIONS, key=len, reverse=True)))
_OPERATOR = re.compile(r"[+*/=×·^−<>≤≥]|[ \d)]-|-[ \d(]")

_TRADE_MARK = re.compile(r"\(?(?:TM|SM|®|©|™|℠)\)?|\((?:R|C)\)")
_TRADE_MARK_OF_NAME = re.compile(r"R|C|MC|MD")
_ENGLISH_ORDINAL = re.compile(r"(?:st|nd|rd|th|ths)", re.I)
_ORDINAL = re.compile(
    r"(?:er|re|ère|ere|ers|nd|nde|e|es|ème|eme|ième|o|a|os|as|er|ro|ra|mo|ma|to|ta|de|ste|º|ª)", re.I
)
_ORDINAL_LANGUAGES = frozenset(("fr", "es", "it", "pt", "ca", "gl", "nl", "ro"))
_ABBREVIATION = re.compile(
    r"(?:(?<![A-Za-z])(?:M\|(?:me|lle|mes|lles|gr)|[Nn]\|(?:o|os)|V\|ve|S\|te|C\|(?:ie|o)|D\|(?:re|ra)))\Z"
)
_ROMAN = re.compile(r"(?<![A-Za-z])[IVXLC]+\Z")
_DEGREE = re.compile(r"[o°∘◦º˚]")
# Marks of footnotes, as far as nothing but the base tells them from powers.
_DIGITS = re.compile(r"\d{1,3}")
_MARKS = re.compile(
    r"\d{1,3}(?:\s?[,;–-]\s?\d{1,3})+|[a-h](?:,\s?[a-h])*|[*†‡§¶#]{1,3}|\[[^\[\]]{1,12}\]|\(\w{1,3}\)"
)
_SIGNS_OF_FOOTNOTES = re.compile(r"[*†‡§¶#]{1,3}|\[[^\[\]]{1,12}\]|\d{1,2}(?:,\s?\d{1,2})+")
_CHARGE = re.compile(r"[\d.]{0,3}[-+−–]+|\([IVX\d]+\)|[-+−]\d?|[•·]\S?")
_NEGATIVE = re.compile(r"[-−–]\s?[\w(]")
_OPERATOR_BEFORE = re.compile(r"[=+*/×·^√∑<>≤≥−→]\s?\Z|\d\Z")
_OPERATOR_AFTER = re.compile(r"\s?[=+*/×·<>≤≥^−]|\s-\s\d")
_NUMBER_BEFORE = re.compile(r"(?:\d|[/·⋅*×]|\bper|\bsquare|\bcubic)\s?\Z")
_YEAR = re.compile(r"1[5-9]\d\d|20\d\d")

_UNITS = frozenset([
    "m", "km", "cm", "mm", "nm", "pm", "fm", "dm", "hm", "um", "ft", "yd", "mi", "ha", "ac", "mL", "ml",
    "ms", "ns", "us", "hr", "hrs", "yr", "kg", "mg", "kN", "kW", "MW", "kV", "mA", "Pa", "kPa", "MPa",
    "GPa", "Hz", "kHz", "MHz", "GHz", "eV", "keV", "MeV", "GeV", "TeV", "mol", "cd", "sr", "rad", "lb",
    "oz", "pt", "px", "pc", "kpc", "Mpc", "au", "AU", "cal", "kcal", "sec", "min", "bar", "cell", "inch",
    "inches", "foot", "feet", "yard", "yards", "mile", "miles", "meter", "meters", "metre", "metres",
    "second", "seconds", "pixel", "pixels", "dex", "deg", "arcsec", "arcmin", "Gy", "Bq", "kJ", "MJ",
])  # fmt: skip
# Two-letter words of English prose: a number above them is a footnote.
_SHORT_WORDS = frozenset([
    "am", "an", "as", "at", "be", "by", "do", "go", "he", "if", "in", "is", "it", "me", "my", "no", "of",
    "on", "or", "so", "to", "up", "us", "we",
])  # fmt: skip
_ELEMENT = (
    "A[cglmrstu]|B[aehikr]?|C[adeflmnorsu]?|D[bsy]?|E[rsu]|F[elmr]?|G[ade]|H[efgos]?|I[nr]?|Kr?|L[airuv]|M[cdgnot]"
    "|N[abdehiop]?|O[gs]?|P[abdmortu]?|R[abefghnu]|S[bcegimnr]?|T[abcehilms]|U|V|W|Xe|Yb?|Z[nr]"
)
_NUCLIDE = re.compile(rf"\d{{1,3}}m?\|(?:{_ELEMENT})(?![a-z])")
_AMBIGUOUS_NUCLIDE = re.compile(r"\d{1,2}\|(?:I|In|As|At|He|No|U|V|W|Y|K) [a-z]")


class Base(NamedTuple):
    """The end of the text before a script that the script belongs to."""

    length: int
    """Number of characters; 0 for a script on nothing, as in `^{14}C`."""
    name: str
    """What the base is: `number`, `word`, `function`, `sign`, `group`, `formula`, `code`; `bracket` for the
    end of brackets that are no formula, `nothing` for a script before its base.
    """


def base_of(before: str, mark: str, text: str, after: str, language: str = "") -> Base | None:
    """Return the base of a script, None if the script is no part of a formula.

    `before` and `after` are the text of the line around it, `before` with the letters of placeholders
    replaced by FORMULA and CODE; `mark` is `^` or `_`, `text` the script's own text.
    """
    if not text or len(text) > MAX_SCRIPT_CHARS or text.count(" ") > 4:
        return None
    last = before[-1:]
    if f"{last}{text}{after[:1]}".upper() in ("TEX", "LAT"):
        # The logo of TeX.
        return None
    if mark == "^" and (_is_trade_mark(before, text) or is_ordinal(before, text, language)):
        return None
    if last == FORMULA:
        return (
            None
            if mark == "^" and _SIGNS_OF_FOOTNOTES.fullmatch(text) and text != "*"
            else Base(0, "formula")
        )
    if last == CODE:
        return Base(0, "code")
    base = _candidate(before)
    if base is None:
        return Base(0, "nothing") if _is_prescript(before, text, after) else None
    if mark == "^" and not _takes_power(base, before, text, after):
        return None
    return base


def is_ordinal(before: str, text: str, language: str) -> bool:
    """Whether `text` above the end of `before` makes an ordinal or abbreviation: 1st, nth, M^me, N^o."""
    if not before:
        return False
    if _ENGLISH_ORDINAL.fullmatch(text):
        return (
            before[-1].isdigit() or before[-1] in (FORMULA, CODE, ")", "’", "'") or _is_single_letter(before)
        )
    if _ABBREVIATION.search(f"{before[-4:]}|{text}"):
        return True
    if _ORDINAL.fullmatch(text) and (before[-1].isdigit() or _ROMAN.search(before[-8:])):
        return len(text) > 1 or language in _ORDINAL_LANGUAGES
    return False


def is_degree(before: str, text: str, after: str) -> bool:
    """Whether `text` is the sign for degrees: 25^o C."""
    if not _DEGREE.fullmatch(text) or not before[-1:].isdigit():
        return False
    return text != "o" or re.match(r"\s?[CFKNSEW]\b", after) is not None


def _candidate(before: str) -> Base | None:
    """Return the base that the end of `before` offers, whatever the script is."""
    for pattern, name in ((_FACTORIAL, "number"), (_PRIMED, "sign"), (_NUMBER, "number"), (_LETTERS, "word")):
        match = pattern.search(before[-MAX_BASE_CHARS:])
        if match is not None:
            found, earlier = match[0], before[: len(before) - len(match[0])]
            is_unit = found in _UNITS and _NUMBER_BEFORE.search(earlier[-12:])
            return Base(len(found), "function" if found in FUNCTIONS and not is_unit else name)
    if before[-1:] in _FENCES:
        length = _group_length(before[-MAX_BASE_CHARS:])
        return Base(length, "group") if length else Base(0, "bracket")
    return Base(1, "sign") if _is_sign(before[-1:]) else None


def _is_sign(char: str) -> bool:
    """Whether a character is a mathematical letter or operator, which TeX knows by a name of its own."""
    if not char or char.isascii() or char.isspace() or char in _NO_BASES:
        return False
    return symbol(char) != char


def _group_length(before: str) -> int:
    """Return the length of the bracketed formula at the end of `before`, 0 if there is none."""
    closing = before[-1]
    opening = _FENCES[closing]
    start = len(before) - 1
    depth = 1
    while depth and start:
        start -= 1
        if before[start] == opening:
            depth -= 1
        elif before[start] == closing:
            depth += 1
    return 0 if depth or not _is_expression(before[start:]) else len(before) - start


def _takes_power(base: Base, before: str, text: str, after: str) -> bool:
    """Whether `text` above the base is a power, an index or a charge, and no mark of a footnote."""
    found, earlier = before[len(before) - base.length :], before[: len(before) - base.length]
    if base.name == "function" or _NEGATIVE.match(text):
        return True
    if base.name == "number":
        return _is_power_of_number(found, earlier, text, after)
    if base.name == "bracket":
        return not _DIGITS.fullmatch(text) and not _MARKS.fullmatch(text) and _is_expression(text)
    if base.name in ("group", "sign"):
        return not _SIGNS_OF_FOOTNOTES.fullmatch(text) or text == "*"
    if len(found) == 1 and not earlier.endswith(("'", "’")):
        return not _SIGNS_OF_FOOTNOTES.fullmatch(text) or text in ("*", "†")
    if _CHARGE.fullmatch(text):
        return len(found) <= 3
    if _MARKS.fullmatch(text) or (_DIGITS.fullmatch(text) and not _is_factor(found, earlier, after)):
        return _DIGITS.fullmatch(text) is not None and _is_unit(found, earlier)
    return _is_expression(text) and (len(text) < 3 or not text.isalpha())


def _is_power_of_number(found: str, earlier: str, text: str, after: str) -> bool:
    if _SIGNS_OF_FOOTNOTES.fullmatch(text):
        return False
    if _OPERATOR_BEFORE.search(earlier) or _OPERATOR_AFTER.match(after):
        return _is_expression(text)
    if not text[0].isalnum() and len(text) == 1:
        return False
    if not _DIGITS.fullmatch(text):
        # Tables mark their measurements with letters.
        return _is_expression(text) and not ("." in found and _MARKS.fullmatch(text))
    if _YEAR.fullmatch(found) and found != "2048":
        return False
    # A first power is written of small numbers alone.
    return text != "1" or len(found) <= 2


def _is_factor(word: str, earlier: str, after: str) -> bool:
    """Whether a word is a name in a formula: short, or with an operator beside it."""
    if _OPERATOR_BEFORE.search(earlier) or _OPERATOR_AFTER.match(after):
        return True
    if len(word) > 2 or word.lower() in _SHORT_WORDS:
        return False
    # Two letters like these are a family name, unless they are a chemical element.
    is_name = word[0].isupper() and word[1].islower()
    return not is_name or re.fullmatch(_ELEMENT, word) is not None


def _is_unit(word: str, earlier: str) -> bool:
    if _NUMBER_BEFORE.search(earlier[-12:]):
        return word in _UNITS or word == "in"
    return word in _UNITS and len(word) < 4 and word not in ("ha", "ac", "min", "bar", "pt", "au")


def _is_expression(text: str) -> bool:
    """Whether a text reads as a formula: short names, or words with an operator between them, or one word."""
    if _SENTENCE.search(text):
        return False
    return (
        text.isalpha() or not _LONG_WORD.search(_FUNCTION_NAME.sub(" ", text)) or bool(_OPERATOR.search(text))
    )


def _is_single_letter(before: str) -> bool:
    return re.search(r"(?:\A|[^A-Za-z])[A-Za-z]\Z", before[-2:]) is not None


def _is_trade_mark(before: str, text: str) -> bool:
    if _TRADE_MARK.fullmatch(text):
        return True
    return _TRADE_MARK_OF_NAME.fullmatch(text) is not None and re.search(r"[A-Za-z]{3}\Z", before) is not None


def _is_prescript(before: str, text: str, after: str) -> bool:
    """Whether a script before its base: a mass number, or the n of a binomial `^nC_k`."""
    if before[-1:] and not before[-1].isspace() and before[-1] not in "([{-–—/,~≈=":
        return False
    both = f"{text}|{after}"
    if re.fullmatch(r"[a-z]\|[A-Z](?![A-Za-z]).*", both, re.S):
        return bool(before.strip())
    if not _NUCLIDE.match(both):
        return False
    return bool(before.strip()) or (len(text) > 1 and not _AMBIGUOUS_NUCLIDE.match(both))
