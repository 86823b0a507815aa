"""Show the outputs of a notebook's cells: formulas whole, text as a terminal shows it and shortened.

Of the forms of one output a formula (text/latex) is preferred, then plain text; pictures, HTML and standard
error are left out. How much text is shown is bounded for each cell and for the whole notebook.
"""

import re
from collections.abc import Iterator, Mapping

from pipeline.extraction.code.blocks import fence
from pipeline.extraction.encodings import clean
from pipeline.extraction.formats.embedded_html import without_html, without_pictures
from pipeline.extraction.math.delimiters import scan
from pipeline.extraction.math.formulas import tidy_tex

# Our choice: enough to see what a cell printed. Longer outputs are logs and tables, which say nothing about
# the code.
MAX_OUTPUT_LINES, MAX_OUTPUT_CHARS = 20, 1_500
MAX_FORMULA_CHARS = 5_000
"""Formulas of one cell. A formula is shown whole or not at all."""
MAX_NOTEBOOK_CHARS = 30_000
"""Outputs of one notebook. Our choice: 20 full cells; beyond, a notebook is a record of runs."""
_ANSI = re.compile(r"\x1b\[[0-9;?]{0,20}[A-Za-z]|\[[0-9;]{1,12}m")
_NAME_OF_OBJECT = re.compile(
    r"\A<[\w.]+ (?:object )?at 0x[0-9a-f]+>\Z|\A<IPython\.[\w.]+ object>\Z"
    r"|\A<(?:Figure|matplotlib|AxesSubplot)[^\n]*\Z"
)
_MATH_START = re.compile(
    r"\$|\\\[|\\\(|\\begin\{(?:equation|align|alignat|gather|multline|eqnarray|displaymath|math|array"
    r"|[bpvBV]?matrix|cases|split|aligned)\*?\}"
)
# nbformat 3 and older name the forms of an output by these keys.
_OLD_KEYS = {"text": "text/plain", "latex": "text/latex", "markdown": "text/markdown"}


def joined(value: object) -> str:
    """Return a multi-line string of a notebook: one string, or a list of lines with or without their ends."""
    if isinstance(value, str):
        return value
    lines = [line for line in value if isinstance(line, str)] if isinstance(value, list) else []
    return ("" if lines and lines[0].endswith(("\n", "\r")) else "\n").join(lines)


class Outputs:
    """The outputs of one notebook, and how much of them was shown."""

    def __init__(self) -> None:
        self.num_chars = 0
        self.num_formulas = 0

    def blocks(self, outputs: object) -> list[str]:
        """Return Markdown blocks of one cell's outputs."""
        blocks: list[str] = []
        lines, chars, formula_chars = MAX_OUTPUT_LINES, MAX_OUTPUT_CHARS, MAX_FORMULA_CHARS
        for kind, text in _texts(outputs):
            if self.num_chars >= MAX_NOTEBOOK_CHARS:
                break
            if kind == "text" and lines > 0 and chars > 0:
                short = _shortened(text, lines, chars)
                lines, chars = lines - short.count("\n") - 1, chars - len(short)
                blocks.append(fence(short, "text"))
            elif kind != "text" and len(text) <= formula_chars:
                formula_chars -= len(text)
                self.num_formulas += kind == "formula"
                blocks.append(text)
            else:
                continue
            self.num_chars += len(blocks[-1])
        return blocks


def _texts(outputs: object) -> Iterator[tuple[str, str]]:
    """Yield (text, formula or markdown; its Markdown) of each output that shows something.

    What a program writes to standard output in several steps is one text.
    """
    stream: list[str] = []
    for output in outputs if isinstance(outputs, list) else ():
        if not isinstance(output, Mapping):
            continue
        if output.get("output_type") == "stream":
            if output.get("name") != "stderr" and output.get("stream") != "stderr":
                stream.append(joined(output.get("text")))
            continue
        yield from _plain("".join(stream))
        stream = []
        yield from _shown(output)
    yield from _plain("".join(stream))


def _shown(output: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    if output.get("output_type") in ("error", "pyerr"):
        yield from _plain(f"{output.get('ename', '')}: {output.get('evalue', '')}")
        return
    data = output.get("data")
    if not isinstance(data, Mapping):
        data = {form: output[key] for key, form in _OLD_KEYS.items() if key in output}
    formula = _formula(joined(data.get("text/latex")))
    plain = joined(data.get("text/plain"))
    if formula:
        yield "formula", formula
    elif not plain.strip() or _NAME_OF_OBJECT.match(plain.strip()):
        markdown = without_html(clean(joined(data.get("text/markdown")))).strip()
        if markdown:
            yield "markdown", markdown
    else:
        yield from _plain(plain)


def _formula(latex: str) -> str:
    """Return a displayed formula, or prose with formulas; "" for tables and for what is no LaTeX of math."""
    latex = clean(latex).strip()
    if not _MATH_START.match(latex) or "\\begin{tabular" in latex:
        return ""
    if "$" in latex.strip("$"):
        formulas = [(kind, content) for kind, content in scan(latex, marked=True)[0] if content.strip()]
        if any(kind == "text" for kind, _ in formulas):
            return latex
    elif latex.startswith("\\begin"):
        formulas = scan(latex, marked=True)[0]
    else:
        formulas = [("display", latex)]
    displays = [tidy_tex(content) for _, content in formulas]
    return "\n\n".join(f"$${tex}$$" if "\n" not in tex else f"$$\n{tex}\n$$" for tex in displays if tex)


def _plain(text: str) -> Iterator[tuple[str, str]]:
    text = clean(without_pictures(_as_a_terminal_shows(text))).strip("\n").rstrip()
    if text.strip() and not _NAME_OF_OBJECT.match(text):
        yield "text", text


def _as_a_terminal_shows(text: str) -> str:
    """Return the text after its control characters worked: no colours, progress bars at their end."""
    text = _ANSI.sub("", text).replace("\r\n", "\n")
    if "\r" in text:
        text = "\n".join(map(_overwritten, text.split("\n")))
    if "\b" in text:
        shown: list[str] = []
        for character in text:
            if character != "\b":
                shown.append(character)
            elif shown and shown[-1] != "\n":
                shown.pop()
        text = "".join(shown)
    return text


def _overwritten(line: str) -> str:
    """Return what is left of a line in which each carriage return goes back to its start.

    Columns that would not be shown anyway are left out, so that time is linear.
    """
    shown = ""
    for written in line.split("\r"):
        shown = (written + shown[len(written) :])[: 2 * MAX_OUTPUT_CHARS]
    return shown


def _shortened(text: str, max_lines: int, max_chars: int) -> str:
    lines = text.split("\n", max_lines)
    short = "\n".join(lines[:max_lines])[:max_chars]
    return short if len(short) == len(text) else short.rstrip() + "\n..."
