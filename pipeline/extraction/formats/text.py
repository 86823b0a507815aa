"""Plain text is decoded and cleaned; pictures in it (base64 in Markdown) go. It is not changed further."""

from pipeline.extraction.encodings import decode
from pipeline.extraction.formats.embedded_html import without_pictures
from pipeline.extraction.result import Extraction

# Our choice: a title is at most as long as a long headline.
MAX_TITLE_CHARS = 120


def extract_text(data: bytes, charset: str | None = None) -> Extraction:
    """Return the text without trailing spaces; its first line is the title if it is short enough."""
    lines = without_pictures(decode(data, charset)).split("\n")
    text = "\n".join(line.rstrip() for line in lines).strip("\n")
    first = text.partition("\n")[0].strip().lstrip("# ")
    return Extraction(text, first if len(first) <= MAX_TITLE_CHARS else "", 0, 0, 0, 0, "text")
