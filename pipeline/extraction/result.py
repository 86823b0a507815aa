"""The result type of every extractor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Extraction:
    """The text of one document, and the numbers of its code blocks and formulas that were seen and kept."""

    text: str
    """Markdown in NFC; "" if no text was found."""
    title: str
    code_seen: int
    code_kept: int
    math_seen: int
    math_kept: int
    engine: str
    """Name of the engine that made the text, for instance `maintext`, `trafilatura`, `forum`."""
