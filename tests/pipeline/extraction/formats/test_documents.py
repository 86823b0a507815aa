# ruff: noqa: E501 - markup is easier to read in one piece
"""Formats that are no web pages: notebooks, LaTeX, source files, repositories, PDF, plain text."""

import io
import json
import tarfile
import zipfile

import pytest

from pipeline.extraction.code.repository import extract_code, extract_repository, language_of
from pipeline.extraction.formats.latex import extract_latex
from pipeline.extraction.formats.notebook import extract_notebook
from pipeline.extraction.formats.pdf import extract_pdf, paragraphs_of, without_furniture
from pipeline.extraction.formats.text import extract_text


def notebook(*cells: dict) -> bytes:
    full = [
        {
            "metadata": {},
            **({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}),
            **cell,
        }
        for cell in cells
    ]
    return json.dumps(
        {
            "cells": full,
            "metadata": {"kernelspec": {"name": "p", "display_name": "P", "language": "python"}},
            "nbformat": 4,
            "nbformat_minor": 4,
        }
    ).encode()


def test_notebook():
    data = notebook(
        {"cell_type": "markdown", "source": "# Title\n\nWith $x_1$ and\n$$y$$"},
        {"cell_type": "code", "source": "print(1)", "outputs": [
            {"output_type": "stream", "name": "stdout", "text": "\x1b[31m1\x1b[0m\n"},
            {"output_type": "stream", "name": "stderr", "text": "warning"},
            {"output_type": "display_data", "metadata": {}, "data": {"text/plain": "<Figure size 1x1>", "image/png": "AAAA"}},
        ]},
        {"cell_type": "code", "source": "%%bash\nls"},
        {"cell_type": "code", "source": "  \n"},
    )  # fmt: skip
    result = extract_notebook(data)
    assert (
        result.text
        == "# Title\n\nWith $x_1$ and\n$$y$$\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\n```bash\n%%bash\nls\n```"
    )
    assert (result.title, result.code_seen, result.code_kept, result.math_seen, result.math_kept) == (
        "Title",
        2,
        2,
        2,
        2,
    )


def test_long_outputs_are_cut():
    output = {"output_type": "stream", "name": "stdout", "text": "\n".join(map(str, range(100)))}
    text = extract_notebook(notebook({"cell_type": "code", "source": "f()", "outputs": [output]})).text
    assert "\n19\n...\n```" in text
    assert "\n20\n" not in text


def test_latex():
    source = r"""\documentclass{article}\title{On \emph{sums}}\begin{document}\maketitle
% a comment with $math$
\section{Sums}\label{sec:s} The sum $\sum_{i=1}^n i$ costs \$5, see \ref{sec:s} and \cite{a}. % note
\begin{equation}\label{eq:1} a = b \end{equation}
\begin{align} a &= b \\ c &= d \end{align}
\begin{itemize}\item one \item two\end{itemize}
\begin{lstlisting}[language=Python]
def f(x):
    return x % 2
\end{lstlisting}
Use \verb|x_1| here.
\begin{thebibliography}{9}\bibitem{a} A.\end{thebibliography}\end{document}"""
    result = extract_latex(source.encode())
    assert result.title == "On sums"
    for part in (
        "# On sums\n\n",
        "## Sums",
        r"The sum $\sum_{i=1}^n i$ costs \$5",
        "$$a = b$$",
        "$$\\begin{aligned} a &= b \\\\ c &= d \\end{aligned}$$",
        "- one\n- two",
        "```python\ndef f(x):\n    return x % 2\n```",
        "Use `x_1` here.",
    ):
        assert part in result.text
    for unwanted in ("comment", "note", "bibitem", "\\label", "\\begin{itemize}"):
        assert unwanted not in result.text
    assert (result.code_seen, result.code_kept, result.math_seen, result.math_kept) == (1, 1, 3, 3)


def test_sweave_chunks_are_code():
    text = extract_latex(b"\\begin{document}Text\n<<echo=TRUE>>=\nx <- 1\n@\nmore $a$\\end{document}").text
    assert text == "Text\n\n```r\nx <- 1\n```\n\nmore $a$"


@pytest.mark.parametrize(
    "source", [b"$ never closed", b"\\begin{verbatim} open", b"{{{{", b"\\section{", b"\\item", b""]
)
def test_broken_latex_does_not_raise(source: bytes):
    assert isinstance(extract_latex(source).text, str)


@pytest.mark.parametrize(
    ("path", "data", "expected"),
    [
        ("a/b.py", b"", "python"),
        ("Makefile", b"all:", "makefile"),
        ("run", b"#!/usr/bin/env python3\nx", "python"),
        ("run", b"#!/bin/sh\nx", "bash"),
        ("x.h", b"class A { public: int x; };", "cpp"),
        ("x.h", b"int f(void);", "c"),
        ("x.m", b"@interface A\n@end", "objective-c"),
        ("x.m", b"x = [1 2];", "matlab"),
        ("x.pl", b"a(X) :- b(X).", "prolog"),
        ("notes.txt", b"hello", ""),
        ("x.R", b"", "r"),
        ("empty", b"", ""),
    ],
)
def test_language_of(path: str, data: bytes, expected: str):
    assert language_of(path, data) == expected


def test_language_by_content_needs_no_name():
    source = b"import os\n\n\ndef main(path):\n    with open(path) as file:\n        print(file.read())\n\n\nif __name__ == '__main__':\n    main(os.environ['X'])\n"
    assert language_of("script", source) == "python"


def test_code_file():
    assert extract_code(b"\n\nint x;\n\n", "src/x.c").text == "# src/x.c\n\n```c\nint x;\n```"
    assert extract_code(b"a\x00b", "x.c").text == ""


def archive(kind: str) -> bytes:
    files = {
        "r/README.md": b"# R\n",
        "r/b.py": b"y = 2\n",
        "r/a.py": b"x = 1\n",
        "r/node_modules/c.js": b"no",
        "r/pic.png": b"\x89PNG\x00",
    }
    buffer = io.BytesIO()
    if kind == "json":
        return json.dumps(
            {"files": [{"path": name, "text": data.decode("latin-1")} for name, data in files.items()]}
        ).encode()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as zipped:
            for name, data in files.items():
                zipped.writestr(name, data)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz") as tarred:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tarred.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["zip", "tar", "json"])
def test_repository(kind: str):
    result = extract_repository(archive(kind), "https://example.org/r")
    assert (
        result.text
        == "# r\n\n# R\n\n## r/a.py\n\n```python\nx = 1\n```\n\n## r/b.py\n\n```python\ny = 2\n```"
    )
    assert result.code_seen == 2


def test_what_is_no_repository_raises():
    with pytest.raises(ValueError, match="tar or zip"):
        extract_repository(b"neither", "x")


def test_pdf_lines_become_paragraphs():
    pages = [
        ["Running Head 1", "1 Introduction", "This is the first line of a para-", "graph that goes on over lines and", "ends here.", "A new one starts with $5 and goes", "12"],
        ["Running Head 2", "on to the next page.", "• item one", "• item two", "13"],
        ["Running Head 3", "The last page says a few more words", "and stops.", "14"],
    ]  # fmt: skip
    assert paragraphs_of(without_furniture(pages)) == [
        "## 1 Introduction",
        "This is the first line of a paragraph that goes on over lines and ends here.",
        r"A new one starts with \$5 and goes on to the next page.",
        "• item one",
        "• item two The last page says a few more words and stops.",
    ]


def test_broken_pdf_raises():
    with pytest.raises(RuntimeError):
        extract_pdf(b"%PDF-1.4 broken")


def test_pictures_in_plain_text_go():
    picture = "data:image/png;base64," + "iVBORw0K" * 40
    text = extract_text(f"# T\n\n![a]({picture}) b\n\n    x = '{picture}'\n".encode()).text
    assert text == "# T\n\n b\n\n    x = 'data:image/png;base64,...'"


def test_plain_text():
    result = extract_text(b"Title\n\nBody  \n  indented\n\n")
    assert (result.text, result.title) == ("Title\n\nBody\n  indented", "Title")
