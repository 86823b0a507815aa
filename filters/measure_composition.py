"""What a whole document is made of: size, code, math, line lengths."""

import re
from dataclasses import dataclass

from filters.characters import ALPHANUMERIC, Characters
from filters.spans import Span

# stdlib re: one literal and one class, nothing to backtrack over.
_LATEX_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_COMMENT_MARKERS = ("#", "//", "/*", "*", "--", "%", '"""', "<!--")
_PREPROCESSOR = ("#include", "#define", "#undef", "#if", "#el", "#endif", "#pragma", "#error", "#[")


@dataclass(frozen=True)
class CompositionStats:
    """Of the whole document, code and math included."""

    num_chars: int
    mean_line_length: float
    max_line_length: int
    alphanumeric_char_fraction: float
    code_char_fraction: float
    math_char_fraction: float
    num_code_blocks: int
    num_formulas: int
    num_latex_commands: int
    comment_line_fraction: float


def measure_composition(text: str, characters: Characters, spans: list[Span]) -> CompositionStats:
    """`characters` are those of `text`, `spans` its code and math.

    A formula counts as one LaTeX command, for its delimiters, beside those inside it.

    comment_line_fraction is of the lines of code blocks, or of all lines where there is no block.
    """
    num_chars = len(text)
    lines = text.split("\n")
    code = [span for span in spans if span.kind == "code"]
    blocks = [span for span in code if span.is_block]
    code_chars = sum(span.end - span.start for span in code)
    math_chars = sum(span.end - span.start for span in spans) - code_chars
    return CompositionStats(
        num_chars=num_chars,
        mean_line_length=(num_chars - len(lines) + 1) / len(lines),
        max_line_length=max(map(len, lines)),
        alphanumeric_char_fraction=characters.count(ALPHANUMERIC) / max(num_chars, 1),
        code_char_fraction=code_chars / max(num_chars, 1),
        math_char_fraction=math_chars / max(num_chars, 1),
        num_code_blocks=len(blocks),
        num_formulas=len(spans) - len(code),
        num_latex_commands=len(spans) - len(code) + len(_LATEX_COMMAND.findall(text)),
        comment_line_fraction=_comment_line_fraction(text, lines, blocks),
    )


def _comment_line_fraction(text: str, lines: list[str], blocks: list[Span]) -> float:
    if blocks:
        lines = [line for block in blocks for line in text[block.start : block.end].split("\n")[1:-1]]
    stripped = [line.lstrip() for line in lines]
    num_lines = sum(map(bool, stripped))
    num_comments = sum(
        line.startswith(_COMMENT_MARKERS) and not line.startswith(_PREPROCESSOR) for line in stripped
    )
    return num_comments / max(num_lines, 1)
