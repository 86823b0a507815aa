"""Plain text: decoded and cleaned, nothing else."""

from pipeline.extraction.encodings import decode
from pipeline.extraction.result import Extraction

# Ours: a title is no longer than a long headline.
MAX_TITLE_CHARS = 120


def extract_text(data: bytes, charset: str | None = None) -> Extraction:
    """Text as it is; the title is the first line when it is short enough to be one."""
    text = "\n".join(line.rstrip() for line in decode(data, charset).split("\n")).strip("\n")
    first = text.partition("\n")[0].strip().lstrip("# ")
    return Extraction(text, first if len(first) <= MAX_TITLE_CHARS else "", 0, 0, 0, 0, "text")
