"""Convert LaTeX sources to Markdown: pylatexenc converts the prose, formulas and listings stay verbatim.

A scan takes out what must not change (formulas, verbatim and listing environments), because pylatexenc would
change its spaces. Sections become headings and items become lists. The placeholders are replaced last.
"""

import re

from pylatexenc.latex2text import LatexNodes2Text, MacroTextSpec, get_default_latex_context_db
from pylatexenc.latexwalker import LatexWalkerError

from pipeline.extraction.code.blocks import fence
from pipeline.extraction.code.stated import canonical_language
from pipeline.extraction.encodings import clean, decode
from pipeline.extraction.math.formulas import formula_word
from pipeline.extraction.result import Extraction
from pipeline.extraction.tree.slots import Slots

_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%[^\n]*\n?[ \t]*")
_BEGIN = re.compile(
    r"\\begin\{([A-Za-z]{1,30}\*?)\}|(?<!\\)\$\$|(?<!\\)\$|\\\(|(?<!\\)\\\[|^<<([^\n]{0,300})>>=\s*?\n"
    r"|\\(?:verb|lstinline)\*?([^A-Za-z\s*])",
    re.M,
)
_MATH_ENVIRONMENTS = {
    "equation": "", "displaymath": "", "math": "", "align": "aligned", "flalign": "aligned",
    "eqnarray": "aligned", "gather": "gathered", "multline": "multlined",
    "alignat": "alignedat",
}  # fmt: skip
_CODE_ENVIRONMENTS = frozenset([
    "verbatim", "Verbatim", "lstlisting", "minted", "Sinput", "Soutput", "Schunk", "Code", "CodeInput",
    "CodeOutput", "CodeChunk", "Scode", "alltt",
])  # fmt: skip
_DROPPED_ENVIRONMENTS = frozenset(
    ["thebibliography", "tikzpicture", "figure", "picture", "comment", "filecontents", "keywords"]
)
_HEADINGS = {"part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5}
_HEADING = re.compile(
    r"\\(part|chapter|section|subsection|subsubsection|paragraph)\*?\s*(?:\[[^\]]{0,300}\])?\s*\{"
)
_LABEL = re.compile(
    r"\\(?:label|nonumber|notag|index|vspace|hspace|noindent|newpage|clearpage|bigskip|medskip|smallskip"
    r"|maketitle|tableofcontents)\*?(?:\{[^{}]{0,300}\})?"
)
_TITLE = re.compile(r"\\(?:Plain)?[tT]itle\s*(?:\[[^\]]{0,300}\])?\s*\{")
_ENGINE = "pylatexenc"


def extract_latex(data: bytes, charset: str | None = None) -> Extraction:
    """Convert a LaTeX (or Sweave) source to Markdown; only its document environment, if there is one."""
    source = decode(data, charset)
    slots = Slots(source)
    title = _argument(source, _TITLE)
    body = source.partition("\\begin{document}")[2].partition("\\end{document}")[0] or source
    text = _structure(_take_out(body, slots), slots)
    title = _plain(title, slots).strip() if title else ""
    text = _paragraphs(_plain(text, slots))
    numbers = [slots.kinds[number] for number in set(slots.numbers(text))]
    text = clean(slots.restore(f"# {title}\n\n{text}" if title and text else text)).strip()
    num_math = numbers.count("math") + numbers.count("display")
    return Extraction(
        text,
        title,
        slots.seen("code"),
        numbers.count("code"),
        slots.seen("math", "display"),
        num_math,
        _ENGINE,
    )


def _take_out(body: str, slots: Slots) -> str:
    """Replace formulas and listings by placeholders, and remove comments outside listings, in one scan."""
    out: list[str] = []
    place = 0
    while (begin := _BEGIN.search(body, place)) is not None:
        before = body[place : begin.start()]
        line_start = body.rfind("\n", 0, begin.start()) + 1
        if _in_comment(body[line_start : begin.start()]):
            end_of_line = body.find("\n", begin.start())
            place_after = end_of_line if end_of_line >= 0 else len(body)
            out.append(_COMMENT.sub(r"\1", body[place:place_after]))
            place = place_after
            continue
        out.append(_COMMENT.sub(r"\1", before))
        word, place = _piece(body, begin, slots)
        out.append(word)
    out.append(_COMMENT.sub(r"\1", body[place:]))
    return "".join(out)


def _in_comment(line: str) -> bool:
    return bool(re.search(r"(?<!\\)(?:\\\\)*%", line))


def _piece(body: str, begin: re.Match[str], slots: Slots) -> tuple[str, int]:
    """Return the replacement for the construct that begins here, and the position behind it."""
    mark = begin[0]
    if begin[3]:
        end = body.find(begin[3] if begin[3] != "{" else "}", begin.end())
        code = body[begin.end() : end] if 0 <= end - begin.end() < 300 else ""
        return (
            (slots.add(f"`{code}`", "inline"), end + 1) if code and "\n" not in code else (mark, begin.end())
        )
    if begin[2] is not None:
        end = body.find("\n@", begin.end())
        end = end if end >= 0 else len(body)
        return _listing(body[begin.end() : end], "r", slots), min(len(body), end + 2)
    if begin[1]:
        return _environment(body, begin, slots)
    closing = {"\\(": "\\)", "\\[": "\\]"}.get(mark, mark)
    end = body.find(closing, begin.end())
    while mark == "$" and end > 0 and body[end - 1] == "\\":
        end = body.find("$", end + 1)
    content = body[begin.end() : end] if end >= 0 else ""
    if end < 0 or "\n\n" in content:
        return mark.replace("$", "\\$"), begin.end()
    display = mark in ("$$", "\\[")
    word = formula_word(_clean_formula(content), display, slots)
    return (f"\n\n{word}\n\n" if display else word), end + len(closing)


def _environment(body: str, begin: re.Match[str], slots: Slots) -> tuple[str, int]:
    name = begin[1].rstrip("*")
    if (
        name not in _MATH_ENVIRONMENTS
        and name not in _CODE_ENVIRONMENTS
        and name not in _DROPPED_ENVIRONMENTS
    ):
        return begin[0], begin.end()
    closing = f"\\end{{{begin[1]}}}"
    end = body.find(closing, begin.end())
    if end < 0:
        return begin[0], begin.end()
    content, after = body[begin.end() : end], end + len(closing)
    if name in _DROPPED_ENVIRONMENTS:
        return _caption(content), after
    if name in _CODE_ENVIRONMENTS:
        if "\\begin{" in content and name in ("Schunk", "CodeChunk"):
            return begin[0] + "\n", begin.end()
        options = re.match(r"\s*(?:\[[^\]\n]{0,300}\])?(?:\{([A-Za-z+#]{1,20})\})?", content)
        stated = re.search(r"language\s*=\s*\{?([A-Za-z+#]{1,20})", options[0]) if options else None
        language = canonical_language((stated[1] if stated else options[1] or "") if options else "")
        content = (
            content[options.end() :]
            if options and name in ("lstlisting", "minted", "Verbatim", "Code", "CodeInput")
            else content
        )
        return _listing(
            content,
            language
            or ("r" if name.startswith(("S", "Code")) and name not in ("Soutput", "CodeOutput") else ""),
            slots,
        ), after
    inner = _MATH_ENVIRONMENTS[name]
    content = _clean_formula(content)
    word = formula_word(
        f"\\begin{{{inner}}}{content}\\end{{{inner}}}" if inner else content, name != "math", slots
    )
    return f"\n\n{word}\n\n", after


def _listing(code: str, language: str, slots: Slots) -> str:
    code = code.strip("\n").rstrip()
    return f"\n\n{slots.add(fence(code, language), 'code')}\n\n" if code.strip() else "\n\n"


def _clean_formula(tex: str) -> str:
    return _LABEL.sub("", _COMMENT.sub(r"\1", tex)) if "%" in tex or "\\" in tex else tex


def _caption(content: str) -> str:
    caption = _argument(content, re.compile(r"\\caption\s*(?:\[[^\]]{0,300}\])?\s*\{"))
    return f"\n\n{caption}\n\n" if caption else "\n\n"


def _argument(source: str, opening: re.Pattern[str]) -> str:
    """Return the braced argument that `opening` (ending in `{`) begins, "" if absent or unbalanced."""
    match = opening.search(source)
    return source[match.end() : _closing_brace(source, match.end())] if match else ""


def _closing_brace(source: str, place: int) -> int:
    depth = 1
    for brace in re.compile(r"\\.|[{}]", re.S).finditer(source, place, place + 20_000):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.start()
    return place


def _structure(body: str, slots: Slots) -> str:
    """Write headings and list items as Markdown; their text is still LaTeX."""
    out: list[str] = []
    place = 0
    for match in _HEADING.finditer(body):
        if match.start() < place:
            continue
        end = _closing_brace(body, match.end())
        title = " ".join(body[match.end() : end].split())
        out += [
            body[place : match.start()],
            f"\n\n{'#' * _HEADINGS[match[1]]} {title}\n\n".replace("#", "\\#"),
        ]
        place = end + 1
    out.append(body[place:])
    body = _LABEL.sub("", "".join(out))
    body = re.sub(r"\\item\s*\[([^\]]{0,300})\]", r"\n\n- \1 ", body)
    return re.sub(r"\\item\b\s*", "\n\n- ", body)


def _context():  # type: ignore[no-untyped-def]
    """Return pylatexenc's macros, with references and citations removed and code macros as inline code."""
    context = get_default_latex_context_db()
    quiet = [
        MacroTextSpec(name, discard=True)
        for name in (
            "cite",
            "citep",
            "citet",
            "citealp",
            "ref",
            "eqref",
            "footnotemark",
            "includegraphics",
            "bibliography",
        )
    ]
    code = [
        MacroTextSpec(name, simplify_repl="`%s`")
        for name in ("code", "texttt", "pkg", "proglang", "fct", "class")
    ]
    context.add_context_category("ours", prepend=True, macros=[*quiet, *code])
    return context


def _plain(text: str, slots: Slots) -> str:
    """Resolve macros in prose. Where pylatexenc fails, a paragraph keeps its words and loses its macros."""
    converter = LatexNodes2Text(
        latex_context=_context(), math_mode="verbatim", keep_comments=False, strict_latex_spaces=False
    )
    out = []
    for paragraph in re.split(r"\n\s*\n", text):
        if not paragraph.strip():
            continue
        try:
            plain = converter.latex_to_text(paragraph)
        except (LatexWalkerError, RecursionError, IndexError, ValueError, AttributeError):
            plain = re.sub(r"\\[A-Za-z]+\*?|[{}]", " ", paragraph)
        out.append(plain)
    return "\n\n".join(out)


def _paragraphs(text: str) -> str:
    """Join the lines of each paragraph, keep list items together, escape `$` and `|` in prose."""
    blocks = [" ".join(block.split()) for block in re.split(r"\n\s*\n", text)]
    blocks = [block.replace("\\$", "$").replace("$", "\\$").replace("|", "\\|") for block in blocks if block]
    joined: list[str] = []
    for block in blocks:
        if joined and block.startswith("- ") and joined[-1].rpartition("\n")[2].startswith("- "):
            joined[-1] += f"\n{block}"
        else:
            joined.append(block)
    return "\n\n".join(joined)
