"""Measurements of the lines and sentences of a document's prose.

A line is what stands between line breaks and is not blank; it is judged without the white space around it.
A sentence ends at . ! ? … (or their full-width forms) before white space, at closing quotes after them, or at
the end of its line.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.characters import DIGIT, SPACE, UPPER, classify

# Unicode's sentence terminals, restricted to those of scripts that a preset keeps, and full-width forms.
_TERMINALS = tuple(".!?‼⁇⁈⁉。！．？｡։؟۔।॥")
# C4's own list (Raffel et al. 2020, 2.2), and its phrases as in the released code.
_C4_ENDINGS = (".", "?", "!", '"', "'")
_C4_POLICY = (
    "terms of use",
    "privacy policy",
    "cookie policy",
    "uses cookies",
    "use of cookies",
    "use cookies",
)
_C4_MIN_WORDS = 3
_C4_MAX_WORD_CHARS = 1_000
# FineWeb (Penedo et al. 2024, 3.5): a line of at most 30 characters is short.
_SHORT_LINE_CHARS = 30
# DCLM's RefinedWeb reproduction (Li et al. 2024, appendix): lines dropped before judging the page.
_DCLM_MAX_UPPERCASE = 0.5
_DCLM_MAX_NUMERIC = 0.999999
_DCLM_MIN_WORDS = 2
# MADLAD-400 (Kudugunta et al. 2023, 2.3), "list case": sentences of 12 tokens or more, half of them capitalised.
_LIST_CASE_MIN_TOKENS = 12
_LIST_CASE_MIN_CAPITALISED = 0.5

# stdlib re throughout: disjoint classes in sequence, nothing can backtrack.
_SENTENCE_END = re.compile(r"[.!?…。！？｡]+[\"'”’»)\]]*(?=\s|$)|[。！？｡]+", re.MULTILINE)
_COUNTER_LINE = re.compile(
    r"\W*\d[\d,.]*[KkMmBb]?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes"
    r"|downloads|views|followers)\W*$"
)
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_CODE_ENDINGS = (";", "{", "}", "):", "},", ");", "];", "->", "=>", "&&", "||", "*/", "(", "[", "\\")
_CODE_STARTS = (
    *("def ", "class ", "import ", "from __", "return ", "elif ", "else:", "try:", "except", "assert ", "@"),
    *("#include", "#define", "#if", "#endif", "//", "/*", "* @", "using ", "namespace ", "template<", "package "),
    *("public ", "private ", "protected ", "static ", "const ", "let ", "var ", "func ", "fn ", "pub ", "impl "),
    *("if (", "for (", "while (", "switch (", "} else", ">>> ", "... ", "self.", "print("),
)


@dataclass(frozen=True)
class LineStats:
    """Of the prose; fractions are of its lines unless the name says otherwise."""

    num_lines: int
    num_sentences: int
    bullet_line_fraction: float
    ellipsis_line_fraction: float
    punctuated_line_fraction: float
    short_line_fraction: float
    line_break_token_fraction: float
    code_like_line_fraction: float
    c4_num_sentences: int
    c4_num_sentences_any_ending: int
    dclm_removed_word_fraction: float
    list_case_sentence_fraction: float


def measure_lines(prose: str, num_tokens: int) -> LineStats:
    """`num_tokens` is the number of tokens of `prose`.

    c4_num_sentences counts the sentences of the lines that C4 keeps, c4_num_sentences_any_ending those that
    it would keep without its rule on the last character (FineWeb's variant).
    """
    raw_lines = prose.split("\n")
    lines = [line.strip() for line in raw_lines]
    classes = classify(prose)
    starts = _line_starts(raw_lines)
    ends = np.array([match.end() for match in _SENTENCE_END.finditer(prose)], dtype=np.int64)
    sentences = _sentences_per_line(lines, starts, ends)
    visible = [line for line in lines if line]
    num_lines = max(len(visible), 1)
    c4_strict, c4_any_ending = _c4_sentences(lines, sentences)
    return LineStats(
        num_lines=len(visible),
        num_sentences=int(sentences.sum()),
        bullet_line_fraction=sum(line.startswith(("•", "-")) for line in visible) / num_lines,
        ellipsis_line_fraction=sum(line.endswith(("...", "…")) for line in visible) / num_lines,
        punctuated_line_fraction=sum(line.endswith(_TERMINALS) for line in visible) / num_lines,
        short_line_fraction=sum(len(line) <= _SHORT_LINE_CHARS for line in visible) / num_lines,
        line_break_token_fraction=(len(raw_lines) - 1) / max(num_tokens, 1),
        code_like_line_fraction=sum(map(_is_code_like, visible)) / num_lines,
        c4_num_sentences=c4_strict,
        c4_num_sentences_any_ending=c4_any_ending,
        dclm_removed_word_fraction=_dclm_removed_word_fraction(raw_lines, lines, starts, classes),
        list_case_sentence_fraction=_list_case_fraction(classes, starts, ends),
    )


def _is_code_like(line: str) -> bool:
    return line.endswith(_CODE_ENDINGS) or line.startswith(_CODE_STARTS)


def _line_starts(raw_lines: list[str]) -> npt.NDArray[np.int64]:
    lengths = np.fromiter(map(len, raw_lines), dtype=np.int64, count=len(raw_lines)) + 1
    starts: npt.NDArray[np.int64] = np.cumsum(lengths) - lengths
    return starts


def _sentences_per_line(
    lines: list[str], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Sentence ends in each line, plus one where text follows the last of them."""
    line_of_end = np.searchsorted(starts, ends - 1, side="right") - 1
    counts = np.bincount(line_of_end, minlength=len(lines))
    for index, line in enumerate(lines):
        if line and not _SENTENCE_END.search(line, max(len(line) - 8, 0)):
            counts[index] += 1
    return counts


def _c4_sentences(lines: list[str], sentences: npt.NDArray[np.int64]) -> tuple[int, int]:
    strict = any_ending = 0
    for line, num_sentences in zip(lines, sentences.tolist(), strict=True):
        words = line.split(None, _C4_MIN_WORDS)
        if len(words) < _C4_MIN_WORDS:
            continue
        if len(line) > _C4_MAX_WORD_CHARS and max(map(len, line.split())) > _C4_MAX_WORD_CHARS:
            continue
        lowered = line.lower()
        if "javascript" in lowered or any(phrase in lowered for phrase in _C4_POLICY):
            continue
        any_ending += num_sentences
        bare = _CITATION.sub("", line) if "[" in line else line
        if bare.endswith(_C4_ENDINGS) and not bare.endswith("..."):
            strict += num_sentences
    return strict, any_ending


def _dclm_removed_word_fraction(
    raw_lines: list[str],
    lines: list[str],
    starts: npt.NDArray[np.int64],
    classes: npt.NDArray[np.uint8],
) -> float:
    """Fraction of the words that stand in lines which DCLM's line rules remove."""
    lengths = np.fromiter(map(len, raw_lines), dtype=np.int64, count=len(raw_lines))
    upper = _sums(classes & np.uint8(UPPER) != 0, starts, lengths)
    digits = _sums(classes & np.uint8(DIGIT) != 0, starts, lengths)
    removed_by_case = (upper > _DCLM_MAX_UPPERCASE * lengths) | (digits > _DCLM_MAX_NUMERIC * lengths)
    num_words = num_removed = 0
    for line, is_removed in zip(lines, removed_by_case.tolist(), strict=True):
        words = line.count(" ") + 1 if line else 0
        num_words += words
        if is_removed or words < _DCLM_MIN_WORDS or (words < 20 and _COUNTER_LINE.match(line)):
            num_removed += words
    return num_removed / max(num_words, 1)


def _sums(
    mask: npt.NDArray[np.bool_], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    totals = np.zeros(len(mask) + 1, dtype=np.int64)
    np.cumsum(mask, out=totals[1:])
    sums: npt.NDArray[np.int64] = totals[starts + lengths] - totals[starts]
    return sums


def _list_case_fraction(
    classes: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> float:
    """Fraction of the sentences, of 12 tokens or more, in which over half of the tokens are capitalised."""
    if len(classes) == 0:
        return 0.0
    is_space = classes & np.uint8(SPACE) != 0
    is_token_start = ~is_space
    is_token_start[1:] &= is_space[:-1]
    is_capital = is_token_start & (classes & np.uint8(UPPER) != 0)
    borders = np.unique(np.concatenate((starts, ends, [len(classes)])))
    borders = borders[borders <= len(classes)]
    tokens = _sums(is_token_start, borders[:-1], np.diff(borders))
    capitals = _sums(is_capital, borders[:-1], np.diff(borders))
    num_sentences = int(np.count_nonzero(tokens))
    is_listed = (tokens >= _LIST_CASE_MIN_TOKENS) & (capitals > _LIST_CASE_MIN_CAPITALISED * tokens)
    return int(np.count_nonzero(is_listed)) / max(num_sentences, 1)
