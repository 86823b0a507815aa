"""Measure what a whole document is made of: its size, code, math and line lengths."""

import re
from collections import Counter
from dataclasses import dataclass

from filters.measure.characters import ALPHANUMERIC, Characters
from filters.measure.spans import Span

# The standard library's re is safe here: one literal and one class cannot backtrack.
_LATEX_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_COMMENT_MARKERS = ("#", "//", "/*", "*", "--", "%", '"""', "<!--")
# The shape of a line is what is left without these: "x = f(1)" and "total = sum(list)" have the shape "=()".
_WITHOUT_SHAPE = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ \t\r"
_MAX_ALIKE_LINES = 5  # Our choice: options of a question, closing braces, steps of a solution.
_PREPROCESSOR = ("#include", "#define", "#undef", "#if", "#el", "#endif", "#pragma", "#error", "#[")


@dataclass(frozen=True)
class CompositionStats:
    """Measurements of the whole document, code and math included."""

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
    max_code_line_length: int
    mean_code_line_length: float
    top_line_shape_fraction: float


def measure_composition(text: str, characters: Characters, spans: list[Span]) -> CompositionStats:
    """Measure the composition of `text`, whose `characters` and `spans` of code and math are given.

    A formula counts as one LaTeX command, for its delimiters, in addition to the commands inside it.

    `comment_line_fraction` and the lengths of code lines are taken over the lines of code blocks, or over all
    lines if there is no block. `top_line_shape_fraction` is the fraction of the non-blank lines that have the
    most common shape, not counting the first five of them. It is near 1 for machine-made lists and below 0.4
    for nearly everything that people write, including programs and derivations.
    """
    num_chars = len(text)
    lines = text.split("\n")
    code = [span for span in spans if span.kind == "code"]
    blocks = [span for span in code if span.is_block]
    code_lines = lines
    if blocks:
        code_lines = [line for block in blocks for line in text[block.start : block.end].split("\n")[1:-1]]
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
        comment_line_fraction=_comment_line_fraction(code_lines),
        max_code_line_length=max(map(len, code_lines), default=0),
        mean_code_line_length=sum(map(len, code_lines)) / max(len(code_lines), 1),
        top_line_shape_fraction=_top_line_shape_fraction(text, lines),
    )


def _comment_line_fraction(lines: list[str]) -> float:
    stripped = [line.lstrip() for line in lines]
    num_lines = sum(map(bool, stripped))
    num_comments = sum(
        line.startswith(_COMMENT_MARKERS) and not line.startswith(_PREPROCESSOR) for line in stripped
    )
    return num_comments / max(num_lines, 1)


def _top_line_shape_fraction(text: str, lines: list[str]) -> float:
    if len(lines) <= _MAX_ALIKE_LINES:
        return 0.0
    num_blank = sum([not line or line.isspace() for line in lines])
    shapes = Counter(text.encode("ascii", "ignore").translate(None, _WITHOUT_SHAPE).split(b"\n"))
    shapes[b""] -= num_blank
    return max(max(shapes.values()) - _MAX_ALIKE_LINES, 0) / max(len(lines) - num_blank, 1)
