"""Plain text is decoded and cleaned, and not changed further."""

from pipeline.extraction.encodings import decode
from pipeline.extraction.result import Extraction

# Our choice: a title is at most as long as a long headline.
MAX_TITLE_CHARS = 120


def extract_text(data: bytes, charset: str | None = None) -> Extraction:
    """Return the text without trailing spaces; its first line is the title if it is short enough."""
    text = "\n".join(line.rstrip() for line in decode(data, charset).split("\n")).strip("\n")
    first = text.partition("\n")[0].strip().lstrip("# ")
    return Extraction(text, first if len(first) <= MAX_TITLE_CHARS else "", 0, 0, 0, 0, "text")
