"""What every extractor returns."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Extraction:
    """Text of one document, and what was seen and kept of its code blocks and formulas."""

    text: str
    """Markdown in NFC, "" when nothing was found."""
    title: str
    code_seen: int
    code_kept: int
    math_seen: int
    math_kept: int
    engine: str
    """What made the text, for instance `maintext`, `trafilatura`, `forum`."""
