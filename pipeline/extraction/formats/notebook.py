"""Convert Jupyter notebooks to Markdown: Markdown cells without their HTML, code fenced, outputs shortened.

The file is read as plain JSON, in any version of the format. Notebooks are written by many tools, and what is
missing or null costs nothing but itself: metadata, outputs, the type of a cell, the version.
"""

import json
import re
from collections.abc import Mapping

from pipeline.extraction.code.blocks import fence
from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.encodings import clean, decode
from pipeline.extraction.formats.embedded_html import without_html, without_pictures
from pipeline.extraction.formats.notebook_outputs import Outputs, joined
from pipeline.extraction.result import Extraction

Cell = Mapping[str, object]
_MAGIC_LANGUAGE = re.compile(
    r"\A%%(bash|sh|javascript|js|html|latex|perl|ruby|R|sql|cython|writefile|script)\b"
)
_DISPLAY = re.compile(r"\$\$.+?\$\$|\\begin\{(?:equation|align|gather)", re.S)
_INLINE = re.compile(r"(?<![\\$])\$[^$\n]{1,500}?[^\\$\s]\$(?![\d$])")
# Keys that only cells of code have.
_CODE_KEYS = ("outputs", "execution_count", "prompt_number", "input")
_KERNELS = {
    "ir": "r",
    "python": "python",
    "julia": "julia",
    "sagemath": "python",
    "xcpp": "cpp",
    "bash": "bash",
}


def extract_notebook(data: bytes) -> Extraction:
    """Return the cells in order. Raises ValueError (json's too) if the bytes are not a notebook."""
    notebook = json.loads(decode(data))
    cells = _cells(notebook)
    language = _language(_mapping(notebook.get("metadata")))
    outputs = Outputs()
    blocks: list[str] = []
    num_code = num_math = 0
    title = ""
    for cell in cells:
        kind = _kind(cell)
        source = clean(joined(cell.get("input" if "source" not in cell else "source"))).strip("\n").rstrip()
        if not source.strip():
            continue
        if kind == "code":
            num_code += 1
            blocks.append(fence(without_pictures(source), _cell_language(cell, source, language)))
            blocks.extend(outputs.blocks(cell.get("outputs")))
            continue
        if kind == "raw":
            if source.startswith("---"):
                continue
            blocks.append(without_pictures(source))
            continue
        text = without_html(_heading(cell, source) if kind == "heading" else source).strip("\n").rstrip()
        if text:
            blocks.append(text)
            num_math += _count_formulas(text)
            title = title or _first_heading(text)
    num_math += outputs.num_formulas
    return Extraction(clean("\n\n".join(blocks)), title, num_code, num_code, num_math, num_math, "notebook")


def _cells(notebook: object) -> list[Cell]:
    """Return the cells of a notebook; those of formats before 4 lie in worksheets."""
    if not isinstance(notebook, dict):
        raise ValueError(f"a notebook is a JSON object, not {type(notebook).__name__}")
    if isinstance(notebook.get("cells"), list):
        found = notebook["cells"]
    elif isinstance(notebook.get("worksheets"), list):
        sheets = [_mapping(sheet).get("cells") for sheet in notebook["worksheets"]]
        found = [cell for cells in sheets if isinstance(cells, list) for cell in cells]
    else:
        raise ValueError("the notebook has no list of cells")
    return [cell for cell in found if isinstance(cell, dict)]


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _kind(cell: Cell) -> str:
    """Return code, markdown, heading or raw; a cell without a type is code if it has what only code has."""
    kind = cell.get("cell_type")
    if not isinstance(kind, str):
        return "code" if any(key in cell for key in _CODE_KEYS) else "markdown"
    return {"code": "code", "heading": "heading", "raw": "raw", "plaintext": "raw"}.get(kind, "markdown")


def _heading(cell: Cell, source: str) -> str:
    level = cell.get("level")
    return f"{'#' * (level if isinstance(level, int) and 1 <= level <= 6 else 1)} {' '.join(source.split())}"


def _language(metadata: Mapping[str, object]) -> str:
    kernel, info = _mapping(metadata.get("kernelspec")), _mapping(metadata.get("language_info"))
    name = re.match(r"[a-z]*", str(kernel.get("name") or "").lower())
    of_kernel = _KERNELS.get(name[0]) if name else None
    return canonical_language(str(kernel.get("language") or info.get("name") or of_kernel or "python"))


def _cell_language(cell: Cell, source: str, language: str) -> str:
    magic = _MAGIC_LANGUAGE.match(source)
    if magic and magic[1] not in ("writefile", "script"):
        return canonical_language(magic[1])
    stated = cell.get("language")
    return canonical_language(stated) if isinstance(stated, str) and stated else language


def _count_formulas(markdown: str) -> int:
    displays = len(_DISPLAY.findall(markdown))
    return displays + len(_INLINE.findall(_DISPLAY.sub(" ", markdown)))


def _first_heading(markdown: str) -> str:
    match = re.search(r"^#{1,2} +(.+)$|^(.+)\n=+$", markdown, re.M)
    heading = (match[1] or match[2]).strip() if match else ""
    return "" if heading.lower() == "table of contents" else heading
