r"""Decide whether a text between two dollars is a formula, or whether these are money, shell, PHP or regexes.

Pages that declare a renderer, or that hold clear TeX, write formulas of any kind: `$0$`, `$2n$`, `$[0,1]$`.
There, prose between the dollars speaks against a formula, and so does white space on one side only, which is
how money and variables look (`$5 and $6`). Elsewhere a formula must carry a command or a script.
"""

import re

from pipeline.extraction.math.mathml_symbols import FUNCTIONS

# Our choice: longer formulas are set as displays.
MAX_INLINE_CHARS = 1_000
STRONG_EVIDENCE = re.compile(r"\\[A-Za-z]{2}|[_^]\{|[A-Za-z0-9)\]}|'][_^][A-Za-z0-9\\]")
# A formula that is one command can touch numbers: 3$\times$3.
_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
# Words that a formula holds as text or as the names of things.
_NAMED = re.compile(
    r"\\(?:text|textrm|textbf|textit|textsf|texttt|mbox|hbox|mathrm|mathbf|mathit|mathsf|mathtt|operatorname\*?"
    r"|label|tag\*?|ref|eqref|begin|end|color|hspace\*?|mathcal|mathbb|mathfrak|mathop)\s?\{[^{}]*\}|\\[A-Za-z]+"
    r"|[_^]\{[^{}]*\}"
)
_WORD = re.compile(r"[A-Za-z]{2,}")
_LONG_SENTENCE = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]{2,},? ){3}[A-Za-z]{2}")
_SENTENCE = re.compile(r"(?<![A-Za-z])(?:[A-Za-z]{2,},? [A-Za-z]{2,}|[A-Za-z]{3,}[.!?] [A-Z])")
# Words of prose that stand between two sums of money or two variables.
_PROSE_WORDS = frozenset([
    "and", "or", "to", "the", "of", "in", "is", "for", "per", "with", "from", "by", "on", "at", "as", "are",
    "was", "but", "not", "you", "if", "then", "than", "it", "we", "be", "an", "up", "into", "over", "each",
    "plus", "more", "less",
])  # fmt: skip
_FORMULA_WORDS = FUNCTIONS | {"mod", "rank", "tr", "diag", "sgn", "sign", "lcm", "Var", "Cov", "Re", "Im"}
_ENDS_OPEN = re.compile(r"(?:[=+*/<>,;:&|([{~-]|->|\\)\Z")
_BEGINS_CLOSED = re.compile(r"[,;:!?)\]}%/*]|\.(?!\d)")
# Signs of programming languages.
_CODE = re.compile(r"->|::|=>|\(['\"]|\[['\"]|['\"]\)|&&|\|\||==|\+\+|\$|\bvar\b|\becho\b|//")
_NAME = re.compile(r"\w+")


def is_dollar_formula(content: str, before: str, after: str, marked: bool) -> bool:
    """Whether `content` between two dollars is a formula.

    `before` and `after` are the characters around the dollars ("" at the ends). `marked` says that the page
    or the element declares its TeX, or holds clear TeX.
    """
    inner = content.strip()
    if not inner or len(content) > MAX_INLINE_CHARS or "\n\n" in content:
        return False
    if after.isdigit() and not (marked and _COMMAND.fullmatch(content)):
        return False
    if _BEGINS_CLOSED.match(inner) or inner[-1] == "\\":
        return False
    is_strong = STRONG_EVIDENCE.search(inner) is not None
    if not marked:
        return (
            is_strong
            and not content[0].isspace()
            and not content[-1].isspace()
            and not _is_code(inner, after)
        )
    has_open_end = _ENDS_OPEN.search(inner) is not None
    is_spaced = content[0].isspace() or content[-1].isspace()
    if is_spaced and not (content[0].isspace() and content[-1].isspace()):
        # Prose and code have white space on one side; a formula with it must be beyond doubt.
        return is_strong and not has_open_end and not _words(inner)
    if is_strong:
        is_sentence = _LONG_SENTENCE.search(_NAMED.sub(" ", inner)) is not None
        return not is_sentence and not (has_open_end and _is_code(inner, after))
    if has_open_end or after == "{" or _CODE.search(inner):
        return False
    words = _words(inner)
    if inner.lstrip("+-")[:1].isdigit() and (words or before.isalnum()):
        return False
    return not (is_spaced and words) and not _reads_as_prose(inner)


def reads_as_prose(content: str) -> bool:
    """Whether a text between double dollars holds words and nothing that looks like TeX."""
    return STRONG_EVIDENCE.search(content) is None and _reads_as_prose(content)


def _words(formula: str) -> list[str]:
    """Return the words of a formula that are no commands, no text in it, and no names of functions."""
    return [word for word in _WORD.findall(_NAMED.sub(" ", formula)) if word not in FUNCTIONS]


def _reads_as_prose(formula: str) -> bool:
    plain = _NAMED.sub(" ", formula)
    words = [word.lower() for word in _WORD.findall(plain)]
    return not _PROSE_WORDS.isdisjoint(words) or any(
        not _FORMULA_WORDS.issuperset(_WORD.findall(found)) for found in _SENTENCE.findall(plain)
    )


def _is_code(inner: str, after: str) -> bool:
    """Whether strong evidence is only an underscore in the name of a variable, or code stands around it."""
    if "\\" in inner:
        # In a regular expression, backslashes stand before classes of characters and signs.
        return re.search(r"\\[A-Za-z]{3}|\\[a-z]+[ {^_]|[_^]\{", inner) is None
    name = _NAME.match(inner)
    is_variable = name is not None and "_" in name[0] and re.search(r"[A-Za-z]{2}", name[0]) is not None
    if is_variable and name is not None and (after.isalnum() or len(name[0]) == len(inner)):
        return True
    return after == "{" or any(code.search(inner) for code in (_CODE, _ENDS_OPEN))
