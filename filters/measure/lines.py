"""Measure the lines and sentences of a document's prose.

A line is the text between two line breaks, without the white space around it; blank lines are not counted. A
sentence ends at . ! ? … (or their full-width forms) before white space, after the closing quotes that follow
such a mark, or at the end of its line.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from filters.measure.characters import DIGIT, SENTENCE_END, SPACE, UPPER, Characters, Mask
from filters.measure.repetition import count_duplicates

# Unicode's sentence terminals of the scripts that a preset keeps, and full-width forms.
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
# DCLM's RefinedWeb reproduction (Li et al. 2024, appendix) drops these lines before it judges the page.
_DCLM_MAX_UPPERCASE = 0.5
_DCLM_MAX_NUMERIC = 0.999999
_DCLM_MIN_WORDS = 2
# MADLAD-400 (Kudugunta et al. 2023, 2.3), "list case": over half of 12 or more tokens are capitalised.
_LIST_CASE_MIN_TOKENS = 12
_LIST_CASE_MIN_CAPITALISED = 0.5

# The standard library's re is safe here: disjoint classes in sequence cannot backtrack.
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s|$)|[。！？｡]+[”’」』）]*")
_ABBREVIATIONS = frozenset(
    str.split(
        "Mr Mrs Ms Dr Prof St Mt Jr Sr Gen Gov Rep Rev Sen Inc Ltd Co Corp Bros vs etc cf Fig fig Eq eq No "
        "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec"
    )
)
_COUNTER_LINE = re.compile(
    r"^\W*\d[\d,.]*[KkMmBb]?\s+(?:likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes"
    r"|downloads|views|followers)\W*$"
)
_CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
_CODE_ENDINGS = (";", "{", "}", "):", "},", ");", "];", "->", "=>", "&&", "||", "*/", "(", "[", "\\")
_CODE_STARTS = (
    *("def ", "class ", "import ", "from __", "return ", "elif ", "else:", "try:", "except", "assert ", "@"),
    *(
        "#include",
        "#define",
        "#if",
        "#endif",
        "//",
        "/*",
        "* @",
        "using ",
        "namespace ",
        "template<",
        "package ",
    ),
    *(
        "public ",
        "private ",
        "protected ",
        "static ",
        "const ",
        "let ",
        "var ",
        "func ",
        "fn ",
        "pub ",
        "impl ",
    ),
    *("if (", "for (", "while (", "switch (", "} else", ">>> ", "... ", "self.", "print("),
)
_CODE_MARKS = frozenset("=(){}<>+")
_DEFINITIONS = ("def ", "class ", "async def ")
_NO_BODY = 1_000_000  # larger than any indentation
# Fast checks before the two lists are searched.
_CODE_LAST_CHARS = frozenset(ending[-1] for ending in _CODE_ENDINGS)
_CODE_FIRST_CHARS = frozenset(start[:2] for start in _CODE_STARTS) | {"@" + chr(c) for c in range(33, 127)}


@dataclass(frozen=True)
class LineStats:
    """Measurements of the prose. Fractions are fractions of its lines unless the name says otherwise."""

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
    c4_num_curly_brackets: int
    c4_duplicate_line_char_fraction: float
    dclm_removed_word_fraction: float
    list_case_sentence_fraction: float


def measure_lines(prose: str, characters: Characters, num_tokens: int) -> LineStats:
    """Measure the lines of `prose`, whose `characters` and number of tokens are given.

    `c4_num_sentences` counts the sentences of the lines that C4 keeps, and `c4_num_sentences_any_ending`
    those that it would keep without its rule on the last character (FineWeb's variant).
    `c4_num_curly_brackets` counts brackets in the lines that C4 keeps, because C4 tests the others no
    further. `c4_duplicate_line_char_fraction` covers the lines of FineWeb's variant without citations,
    because FineWeb counted duplicates after C4's cleaning.
    """
    raw_lines = prose.split("\n")
    lines = [line.strip() for line in raw_lines]
    starts = _line_starts(raw_lines)
    ends = _sentence_ends(prose, characters)
    sentences = _sentences_per_line(raw_lines, ends)
    visible = [line for line in lines if line]
    num_lines = max(len(visible), 1)
    c4_strict, c4_any_ending, c4_brackets, c4_kept = _c4_lines(prose.lower(), lines, sentences)
    return LineStats(
        num_lines=len(visible),
        num_sentences=sum(sentences),
        bullet_line_fraction=sum([line.startswith(("•", "-")) for line in visible]) / num_lines,
        ellipsis_line_fraction=sum([line.endswith(("...", "…")) for line in visible]) / num_lines,
        punctuated_line_fraction=sum([line.endswith(_TERMINALS) for line in visible]) / num_lines,
        short_line_fraction=sum([len(line) <= _SHORT_LINE_CHARS for line in visible]) / num_lines,
        line_break_token_fraction=(len(raw_lines) - 1) / max(num_tokens, 1),
        code_like_line_fraction=_count_code_like(raw_lines, lines) / num_lines,
        c4_num_sentences=c4_strict,
        c4_num_sentences_any_ending=c4_any_ending,
        c4_num_curly_brackets=c4_brackets,
        c4_duplicate_line_char_fraction=count_duplicates(c4_kept)[1] / max(sum(map(len, c4_kept)), 1),
        dclm_removed_word_fraction=_dclm_removed_word_fraction(raw_lines, lines, starts, characters),
        list_case_sentence_fraction=_list_case_fraction(characters, starts, ends),
    )


def _count_code_like(raw_lines: list[str], lines: list[str]) -> int:
    """Count lines that look like code, and all lines indented below a Python definition."""
    if not any(line.startswith(_DEFINITIONS) for line in lines):
        return sum(_is_code_like(line) for line in lines if line)
    count, body = 0, _NO_BODY
    for raw_line, line in zip(raw_lines, lines, strict=True):
        if not line:
            continue
        indent = len(raw_line) - len(raw_line.lstrip())
        if indent > body:
            count += 1
            continue
        is_definition = line.startswith(_DEFINITIONS) and line.endswith((":", "(", ","))
        body = indent if is_definition else _NO_BODY
        count += is_definition or _is_code_like(line)
    return count


def _is_code_like(line: str) -> bool:
    ends_like_code = line[-1] in _CODE_LAST_CHARS and line.endswith(_CODE_ENDINGS)
    if ends_like_code and "; " in line and _CODE_MARKS.isdisjoint(line):
        return False  # a list of words: "apple; pear;"
    return ends_like_code or (line[:2] in _CODE_FIRST_CHARS and line.startswith(_CODE_STARTS))


def _sentence_ends(prose: str, characters: Characters) -> list[int]:
    """Return the ascending positions after sentences that a mark ends, with their closing quotes."""
    ends = [0]
    for at in characters.are(SENTENCE_END).nonzero()[0].tolist():
        if at < ends[-1]:
            continue  # another mark of the same end
        match = _SENTENCE_END.match(prose, at)
        if match and not (prose[at] == "." and _is_abbreviated(prose, at)):
            ends.append(match.end())
    return ends[1:]


def _is_abbreviated(prose: str, at: int) -> bool:
    """Whether the full stop at `at` ends an abbreviation (Dr., U.S., p.m.) and not a sentence."""
    before = prose[max(at - 6, 0) : at]
    if len(before) == 6 and before.isalpha():
        return False  # longer than any abbreviation
    words = before.split()
    word = words[-1].lstrip("(\"'") if words else ""
    return word in _ABBREVIATIONS or (word[-1:].isalpha() and word[-2:-1] in ("", "."))


def _line_starts(raw_lines: list[str]) -> npt.NDArray[np.int64]:
    lengths = np.fromiter(map(len, raw_lines), dtype=np.int64, count=len(raw_lines)) + 1
    starts: npt.NDArray[np.int64] = np.cumsum(lengths) - lengths
    return starts


def _sentences_per_line(raw_lines: list[str], ends: list[int]) -> list[int]:
    """Count the sentence ends in each line, plus one if text follows the last of them."""
    counts = []
    start = last_end = index = 0
    for line in raw_lines:
        first = index
        while index < len(ends) and ends[index] <= start + len(line):
            last_end = ends[index]
            index += 1
        visible_end = start + len(line.rstrip())
        is_open = visible_end > start and last_end != visible_end
        counts.append(index - first + is_open)
        start += len(line) + 1
    return counts


def _c4_lines(lowered: str, lines: list[str], sentences: list[int]) -> tuple[int, int, int, list[str]]:
    """Count sentences with C4's and FineWeb's rules, brackets with C4's; list the lines FineWeb keeps.

    FineWeb keeps lines with any last character. The listed lines have no citations. `lowered` is the prose in
    lower case: it shows once which unwanted phrases to search the lines for.
    """
    unwanted = [phrase for phrase in ("javascript", *_C4_POLICY) if phrase in lowered]
    has_citations = "[" in lowered
    kept = []
    strict = any_ending = brackets = 0
    for line, num_sentences in zip(lines, sentences, strict=True):
        if line.count(" ") < _C4_MIN_WORDS - 1 and len(line.split()) < _C4_MIN_WORDS:
            continue
        if len(line) > _C4_MAX_WORD_CHARS and max(map(len, line.split())) > _C4_MAX_WORD_CHARS:
            continue
        if unwanted and any(phrase in line.lower() for phrase in unwanted):
            continue
        any_ending += num_sentences
        bare = _CITATION.sub("", line) if has_citations else line
        kept.append(bare)
        if bare.endswith(_C4_ENDINGS) and not bare.endswith("..."):
            strict += num_sentences
            brackets += line.count("{")
    return strict, any_ending, brackets, kept


def _dclm_removed_word_fraction(
    raw_lines: list[str],
    lines: list[str],
    starts: npt.NDArray[np.int64],
    characters: Characters,
) -> float:
    """Return the fraction of words in lines that DCLM's line rules remove."""
    lengths = np.array([len(line) for line in raw_lines])
    upper = _counts_per_line(characters.are(UPPER), starts)
    digits = _counts_per_line(characters.are(DIGIT), starts)
    removed_by_case = (upper > _DCLM_MAX_UPPERCASE * lengths) | (digits > _DCLM_MAX_NUMERIC * lengths)
    num_words = num_removed = 0
    for line, is_removed, num_digits in zip(lines, removed_by_case.tolist(), digits.tolist(), strict=True):
        words = line.count(" ") + 1 if line else 0
        num_words += words
        if is_removed or words < _DCLM_MIN_WORDS or (num_digits and words < 20 and _COUNTER_LINE.match(line)):
            num_removed += words
    return num_removed / max(num_words, 1)


def _counts_per_line(mask: Mask, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    counts = np.zeros(len(starts), dtype=np.int64)
    if len(mask):
        # The last line may be empty and start behind the last character.
        num_inside = len(starts) - int(starts[-1] == len(mask))
        counts[:num_inside] = np.add.reduceat(mask, starts[:num_inside], dtype=np.int64)
    return counts


def _list_case_fraction(characters: Characters, starts: npt.NDArray[np.int64], ends: list[int]) -> float:
    """Return the fraction of sentences of 12 tokens or more in which over half of the tokens are capitalised.

    A token here is a run of characters without white space. The denominator counts all sentences with a
    token.
    """
    is_visible = ~characters.are(SPACE)
    is_token_start = is_visible.copy()
    is_token_start[1:] &= ~is_visible[:-1]
    token_starts = is_token_start.nonzero()[0]
    is_capital = (characters.classes[token_starts] & np.uint8(UPPER)) != 0
    capitals_before = np.concatenate(([0], is_capital.cumsum()))
    # The first border is the start of the first line.
    borders = np.concatenate((starts, ends)).astype(np.int64)
    borders.sort()
    cuts = np.append(token_starts.searchsorted(borders), len(token_starts))
    tokens = cuts[1:] - cuts[:-1]
    capitals = capitals_before[cuts[1:]] - capitals_before[cuts[:-1]]
    is_listed = (tokens >= _LIST_CASE_MIN_TOKENS) & (capitals > _LIST_CASE_MIN_CAPITALISED * tokens)
    return int(np.count_nonzero(is_listed)) / max(int(np.count_nonzero(tokens)), 1)
