"""Convert Jupyter notebooks to Markdown: Markdown cells unchanged, code cells fenced, outputs shortened."""

import re

import nbformat

from pipeline.extraction.code.blocks import fence
from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.encodings import clean, decode
from pipeline.extraction.result import Extraction

# Our choice: enough to see what a cell printed. Longer outputs are logs and tables, which say nothing about
# the code.
MAX_OUTPUT_LINES, MAX_OUTPUT_CHARS = 20, 1_500
_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]|\[[0-9;]{1,12}m")
_MEMORY_ADDRESS = re.compile(
    r"\A<[\w.]+ (?:object )?at 0x[0-9a-f]+>\Z|\A<(?:Figure|matplotlib|AxesSubplot)[^\n]*\Z"
)
_MAGIC_LANGUAGE = re.compile(
    r"\A%%(bash|sh|javascript|js|html|latex|perl|ruby|R|sql|cython|writefile|script)\b"
)
_DISPLAY = re.compile(r"\$\$.+?\$\$|\\begin\{(?:equation|align|gather)", re.S)
_INLINE = re.compile(r"(?<![\\$])\$[^$\n]{1,500}?[^\\$\s]\$(?![\d$])")


def extract_notebook(data: bytes) -> Extraction:
    """Return the cells in order. Raises ValueError (nbformat's or json's) if the bytes are not a notebook."""
    notebook = nbformat.reads(decode(data), as_version=4)
    metadata = notebook.get("metadata", {})
    language = canonical_language(
        str(
            metadata.get("kernelspec", {}).get("language")
            or metadata.get("language_info", {}).get("name")
            or "python"
        )
    )
    blocks: list[str] = []
    num_code = num_math = 0
    title = ""
    for cell in notebook.cells:
        source = str(cell.get("source", "")).strip("\n").rstrip()
        if not source.strip():
            continue
        if cell.cell_type == "markdown":
            blocks.append(source)
            num_math += _count_formulas(source)
            title = title or _first_heading(source)
        elif cell.cell_type == "code":
            num_code += 1
            magic = _MAGIC_LANGUAGE.match(source)
            cell_language = (
                canonical_language(magic[1])
                if magic and magic[1] not in ("writefile", "script")
                else language
            )
            blocks.append(fence(source, cell_language))
            blocks.extend(fence(text, "text") for text in map(_output_text, cell.get("outputs", [])) if text)
        elif cell.cell_type == "raw" and not source.startswith("---"):
            blocks.append(source)
    return Extraction(clean("\n\n".join(blocks)), title, num_code, num_code, num_math, num_math, "notebook")


def _output_text(output: nbformat.NotebookNode) -> str:
    """Return the shortened text of one output; "" for pictures, object addresses and standard error."""
    kind = output.get("output_type")
    if kind == "stream" and output.get("name") != "stderr":
        text = str(output.get("text", ""))
    elif kind in ("execute_result", "display_data"):
        text = str(output.get("data", {}).get("text/plain", ""))
    elif kind == "error":
        text = f"{output.get('ename', '')}: {output.get('evalue', '')}"
    else:
        return ""
    text = _ANSI.sub("", text).strip("\n").rstrip()
    if _MEMORY_ADDRESS.match(text):
        return ""
    lines = text.split("\n")
    short = "\n".join(lines[:MAX_OUTPUT_LINES])[:MAX_OUTPUT_CHARS]
    return short if len(short) == len(text) else short.rstrip() + "\n..."


def _count_formulas(markdown: str) -> int:
    displays = len(_DISPLAY.findall(markdown))
    return displays + len(_INLINE.findall(_DISPLAY.sub(" ", markdown)))


def _first_heading(markdown: str) -> str:
    match = re.search(r"^#{1,2} +(.+)$|^(.+)\n=+$", markdown, re.M)
    return (match[1] or match[2]).strip() if match else ""
