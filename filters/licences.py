"""Find the SPDX identifier of the licence that a text declares or consists of.

The first of these that finds something decides:
1. An `SPDX-License-Identifier:` line.
2. A link to a licence (Creative Commons, Apache, GNU, MIT).
3. A sentence that only one licence contains.
4. The templates of spdx-matcher, for a short text that is itself a licence. They are slow (seconds for 30
   kB), so only a text that calls itself a licence in its first lines and is no longer than a licence is
   compared with them.
"""

import re2
import spdx_matcher

# Our choice: a notice stands at the top of a file or licence, or at the bottom of a page.
_HEAD_CHARS = 3_000
_FOOT_CHARS = 1_500
# Our choice: of the texts in Debian's common-licenses, spdx-matcher needs at most 2 s for those up to 12 kB.
_MAX_TEMPLATE_CHARS = 12_000

_SPDX_LINE = re2.compile(
    r"SPDX-License-Identifier:\s*\(?([A-Za-z0-9][A-Za-z0-9.+-]*)(?:\s+(?:OR|AND|WITH)\b)?"
)
_CREATIVE_COMMONS = re2.compile(
    r"creativecommons\.org/(?:licenses/(by(?:-nc)?(?:-nd|-sa)?)/([1-4]\.[05])|publicdomain/(zero)/1\.0)"
)
# Pairs of a pattern (for lower-cased text with single spaces) and an identifier. The pattern that matches
# earliest in the text decides.
_PHRASES = tuple(
    (re2.compile(pattern), identifier)
    for pattern, identifier in (
        (r"gnu affero general public licen[cs]e,? (?:\w+ )?version 3", "AGPL-3.0"),
        (r"gnu lesser general public licen[cs]e,? (?:\w+ )?version 3", "LGPL-3.0"),
        (r"gnu lesser general public licen[cs]e,? (?:\w+ )?version 2\.1|\blgpl v?2\.1", "LGPL-2.1"),
        (r"gnu library general public licen[cs]e,? (?:\w+ )?version 2", "LGPL-2.0"),
        (r"gnu general public licen[cs]e,? (?:\w+ )?version 3|either version 3 of the licen[cs]e", "GPL-3.0"),
        (r"gnu general public licen[cs]e,? (?:\w+ )?version 2|either version 2 of the licen[cs]e", "GPL-2.0"),
        (r"gnu general public licen[cs]e,? (?:\w+ )?version 1\b", "GPL-1.0"),
        (r"gnu free documentation licen[cs]e,? (?:\w+ )?version 1\.3", "GFDL-1.3"),
        (r"gnu free documentation licen[cs]e,? (?:\w+ )?version 1\.2", "GFDL-1.2"),
        (r"cc0 1\.0 universal", "CC0-1.0"),
        (r"python software foundation licen[cs]e version 2", "PSF-2.0"),
        (r"mozilla public licen[cs]e,? (?:v\. |v|version )1\.1", "MPL-1.1"),
        (r"apache licen[cs]e,? version 2\.0|apache\.org/licenses/license-2\.0", "Apache-2.0"),
        (r"mozilla public licen[cs]e,? (?:v\. |v|version )2\.0|mozilla\.org/mpl/2\.0", "MPL-2.0"),
        (r"permission is hereby granted, free of charge, to any person obtaining a copy", "MIT"),
        (r"permission to use, copy, modify, and(?:/or)? distribute this software for any purpose", "ISC"),
        (r"this is free and unencumbered software released into the public domain", "Unlicense"),
        (r"boost software licen[cs]e - version 1\.0", "BSL-1.0"),
        (
            r"opensource\.org/licenses/mit\b|\b(?:licensed|released) under the (?:terms of the )?mit licen",
            "MIT",
        ),
    )
)
_BSD = re2.compile(r"redistribution and use in source and binary forms, with or without modification")
_BSD_THIRD_CLAUSE = re2.compile(r"used to endorse or promote products")
_IS_LATER = re2.compile(r"any later version|or later\b|or newer\b")
_GNU = ("AGPL-", "LGPL-", "GPL-", "GFDL-")
_CALLS_ITSELF_LICENCE = re2.compile(r"(?i)licen[cs]e|copyright")
_COMMENT_MARKERS = " \t/*#;%-"  # characters that may begin each line of a notice
# All phrases in one pattern. Most texts contain none of them and need only this one search.
_ANY_PHRASE = re2.compile("|".join(f"(?:{pattern.pattern})" for pattern, _ in _PHRASES))


def licence_of(text_or_header: str) -> str | None:
    """Return the SPDX identifier ("GPL-2.0-or-later", "CC-BY-SA-4.0"), or None if no licence is declared.

    Of an SPDX expression with several licences, the first one is returned. A text that only mentions a
    licence in its prose can be mistaken for a text under that licence. Where that matters, pass only a file's
    header or a licence file.
    """
    text = text_or_header
    if len(text) > _HEAD_CHARS + _FOOT_CHARS:
        text = text[:_HEAD_CHARS] + "\n" + text[-_FOOT_CHARS:]
    declared = _SPDX_LINE.search(text)
    if declared:
        # "LGPL-2.1+" is the deprecated spelling of "LGPL-2.1-or-later".
        return str(re2.sub(r"\+$", "-or-later", declared.group(1)))
    lowered = text.lower()
    commons = _CREATIVE_COMMONS.search(lowered)
    if commons:
        kind, version, zero = commons.groups()
        return "CC0-1.0" if zero else f"CC-{kind.upper()}-{version}"
    if "licen" not in lowered and "copyright" not in lowered and "ermission" not in lowered:
        return None
    lines = (line.lstrip(_COMMENT_MARKERS) for line in lowered.split("\n"))
    return _by_phrase(" ".join(" ".join(lines).split())) or _by_template(text_or_header)


def _by_phrase(notice: str) -> str | None:
    if _ANY_PHRASE.search(notice):
        found = [(m.start(), identifier) for pattern, identifier in _PHRASES if (m := pattern.search(notice))]
        _, identifier = min(found, key=_position)
        if identifier.startswith(_GNU):
            return identifier + ("-or-later" if _IS_LATER.search(notice) else "-only")
        return identifier
    if _BSD.search(notice):
        return "BSD-3-Clause" if _BSD_THIRD_CLAUSE.search(notice) else "BSD-2-Clause"
    return None


def _position(found: tuple[int, str]) -> int:
    return found[0]


def _by_template(text: str) -> str | None:
    if len(text) > _MAX_TEMPLATE_CHARS or not _CALLS_ITSELF_LICENCE.search(text[:300]):
        return None
    if "WARRANT" not in text.upper():
        return None
    found, _ = spdx_matcher.analyse_license_text(text)
    return min(found["licenses"], default=None)
