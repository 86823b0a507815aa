"""Extract the text of a PDF with pdfium: lines in reading order, joined to paragraphs, without furniture.

Furniture is text that many pages repeat at their top or bottom (running heads, page numbers). Words that a
hyphen splits at a line's end are joined. A paragraph ends where a line is clearly shorter than usual and ends
a sentence, or where the next line looks like a heading or an item.
"""

import re
from collections import Counter

import pypdfium2 as pdfium

from pipeline.extraction.encodings import clean
from pipeline.extraction.result import Extraction

# Our choice: later pages are dropped; the longest paper of the sample sets has 70 pages.
MAX_PAGES = 1_000
# Our choice: only the first and last lines of a page, this many each, can be furniture.
FURNITURE_LINES = 2
# Our choice: they are furniture if this fraction of the pages has the same text there (digits aside).
MIN_REPEATED_FRACTION = 0.3
# Our choice: a line below this fraction of the usual length ends its paragraph if it also ends a sentence.
SHORT_LINE_FRACTION = 0.8
_LIGATURES = str.maketrans(
    {
        "ﬀ": "ff",
        "ﬁ": "fi",
        "ﬂ": "fl",
        "ﬃ": "ffi",
        "ﬄ": "ffl",
        "ﬅ": "st",
        "ﬆ": "st",
        "\u00ad": "-",
        "\ufffe": "-",
    }
)
_ITEM = re.compile(r"(?:[•●▪◦‣∙–]|\d{1,2}[.)]|\([a-z0-9]{1,3}\)|[a-z]\))\s+\S")
_HEADING = re.compile(
    r"(?:\d{1,2}(?:\.\d{1,2}){0,3}\.?|[A-Z]\.\d{0,2}|Appendix [A-Z])\s+[A-Z][^.!?]{2,80}\Z|(?:Abstract"
    r"|Introduction|References|Acknowledg\w+|Conclusions?)\Z"
)
_SENTENCE_END = re.compile(r"[.!?:;][\"')\]”’]{0,2}\Z")
_PAGE_NUMBER = re.compile(
    r"(?:page\s+)?[-–—\s]{0,3}(?:\d{1,4}|[ivxlc]{1,7})[-–—\s]{0,3}(?:\s*(?:of|/)\s*\d{1,4})?", re.I
)


def extract_pdf(data: bytes) -> Extraction:
    """Extract the text of a PDF; raise pypdfium2's PdfiumError (a RuntimeError) if it is broken or locked."""
    document = pdfium.PdfDocument(data)
    try:
        title = str(document.get_metadata_value("Title") or "").strip()
        pages = [_page_lines(document, number) for number in range(min(len(document), MAX_PAGES))]
    finally:
        document.close()
    pages = without_furniture(pages)
    text = clean("\n\n".join(paragraphs_of(pages))).strip()
    if not title and text:
        title = text.partition("\n")[0][:200]
    return Extraction(text, title, 0, 0, 0, 0, "pdfium")


def _page_lines(document: pdfium.PdfDocument, number: int) -> list[str]:
    page = document[number]
    text_page = page.get_textpage()
    try:
        text = text_page.get_text_bounded()
    finally:
        text_page.close()
        page.close()
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_LIGATURES)
    return [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def _shape(line: str) -> str:
    return re.sub(r"\d+", "#", line).strip().lower()


def without_furniture(pages: list[list[str]]) -> list[list[str]]:
    """Remove the lines that repeat at the edges of pages, and page numbers there."""
    edges: Counter[str] = Counter()
    for lines in pages:
        edges.update({_shape(line) for line in lines[:FURNITURE_LINES] + lines[-FURNITURE_LINES:]})
    repeated = {
        shape for shape, count in edges.items() if count >= max(3, MIN_REPEATED_FRACTION * len(pages))
    }
    cleaned = []
    for lines in pages:
        last = len(lines) - 1
        cleaned.append(
            [
                line
                for place, line in enumerate(lines)
                if not (
                    (place < FURNITURE_LINES or place > last - FURNITURE_LINES)
                    and (_shape(line) in repeated or _PAGE_NUMBER.fullmatch(line))
                )
            ]
        )
    return cleaned


def paragraphs_of(pages: list[list[str]]) -> list[str]:
    """Join the lines of all pages to paragraphs and headings; the usual length is the 80th percentile."""
    lengths = sorted(len(line) for lines in pages for line in lines)
    usual = lengths[int(len(lengths) * 0.8)] if lengths else 0
    paragraphs: list[str] = []
    current = ""
    for line in (line for lines in pages for line in lines):
        if _HEADING.match(line):
            paragraphs += [current, f"## {line}"]
            current = ""
            continue
        if current and _ITEM.match(line):
            paragraphs.append(current)
            current = ""
        current = _joined(current, line)
        if len(line) < SHORT_LINE_FRACTION * usual and _SENTENCE_END.search(line):
            paragraphs.append(current)
            current = ""
    paragraphs.append(current)
    return [_escaped(paragraph) for paragraph in paragraphs if paragraph]


def _joined(text: str, line: str) -> str:
    """Append the next line to `text` and join a word that a hyphen splits."""
    if not text:
        return line
    if text.endswith("-") and len(text) > 2 and text[-2].isalpha() and line[:1].islower():
        return text[:-1] + line
    return f"{text} {line}"


def _escaped(paragraph: str) -> str:
    return paragraph.replace("$", "\\$").replace("|", "\\|")
