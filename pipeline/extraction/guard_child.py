"""The child process of `guard`: it reads requests from standard input and writes answers to standard output.

A message is a length (4 bytes, big endian) and a pickle of plain tuples; this file packs and unpacks both.
Standard output is redirected at start, so that a library that prints cannot break the messages.
"""

import gc
import os
import pickle
import resource
import struct
import sys
from collections.abc import Callable
from dataclasses import astuple
from typing import BinaryIO

from pipeline.extraction.web.html import Extraction

KINDS = ("html", "pdf", "latex", "notebook", "code", "repository", "thread", "text")
READY = b"ready"
_LENGTH = struct.Struct(">I")
# Our choice: our writers use two Python frames per element, and legal pages can be deep.
RECURSION_LIMIT = 20_000
# Our choice: a page is thousands of objects in a tree with hardly any reference cycles. Searching for cycles
# after every 700 objects (Python's default) costs 5 % of the time; after every 50,000 the cost cannot be
# measured.
GC_THRESHOLD = 50_000


def pack(kind: str, content: bytes, url: str | None, charset: str | None) -> bytes:
    """Encode one request."""
    return pickle.dumps((kind, content, url, charset), protocol=5)


def unpack_answer(answer: bytes) -> Extraction | tuple[str, str]:
    """Decode an answer: the extraction, or (reason, detail) of a failure."""
    values = pickle.loads(answer)
    return Extraction(*values) if len(values) > 2 else values


def extractor_of(kind: str) -> Callable[[bytes, str | None, str | None], Extraction]:
    """Return the function that extracts documents of `kind` from (content, url or path, charset)."""
    if kind == "html":
        from pipeline.extraction.web.html import extract_html

        return extract_html
    if kind == "pdf":
        from pipeline.extraction.formats.pdf import extract_pdf

        return lambda content, url, charset: extract_pdf(content)
    if kind == "latex":
        from pipeline.extraction.formats.latex import extract_latex

        return lambda content, url, charset: extract_latex(content, charset)
    if kind == "notebook":
        from pipeline.extraction.formats.notebook import extract_notebook

        return lambda content, url, charset: extract_notebook(content)
    if kind in ("code", "repository"):
        from pipeline.extraction.code.repository import extract_code, extract_repository

        extract = extract_code if kind == "code" else extract_repository
        return lambda content, url, charset: extract(content, url or "")
    if kind == "thread":
        from pipeline.extraction.formats.forum import extract_thread

        return lambda content, url, charset: extract_thread(content)
    from pipeline.extraction.formats.text import extract_text

    return lambda content, url, charset: extract_text(content, charset)


def answer(request: bytes) -> bytes:
    """Extract the document in `request`; errors of the document become (reason, detail)."""
    kind, content, url, charset = pickle.loads(request)
    values: tuple[object, ...]
    try:
        values = astuple(extractor_of(kind)(content, url, charset))
    except MemoryError:
        values = ("out_of_memory", "address space limit reached")
    except Exception as error:  # any parser error is a fault of the document and becomes a reject
        values = ("extractor_error", f"{type(error).__name__}: {error}"[:500])
    return pickle.dumps(values, protocol=5)


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer requests until the parent closes its end of the pipe."""
    _send(answers, READY)
    while len(header := requests.read(_LENGTH.size)) == _LENGTH.size:
        _send(answers, answer(requests.read(_LENGTH.unpack(header)[0])))


def _send(answers: BinaryIO, message: bytes) -> None:
    answers.write(_LENGTH.pack(len(message)) + message)
    answers.flush()


def main() -> None:
    """Run as `python -m pipeline.extraction.guard_child MAX_MEMORY_BYTES`."""
    max_memory_bytes = int(sys.argv[1])
    resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, max_memory_bytes))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.setrecursionlimit(RECURSION_LIMIT)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
