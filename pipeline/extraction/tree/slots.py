"""Hold finished Markdown in placeholders while the page around it is processed.

Formulas, code blocks and inline code are taken out of the page first. One plain word stands in for each of
them; the main-content extractor moves these words like any other, and they are replaced last. A placeholder
that is missing at the end was lost by the main-content extractor.
"""

import re

# Begins no word of any page, because parsers refuse it.
_NO_MARK = "\x00"
# Kinds of pieces that are formulas; a `script` is a power or index that the page wrote without TeX.
FORMULAS = ("math", "display", "script")


class Slots:
    """Pieces of finished Markdown, and the placeholder words that stand for them."""

    def __init__(self, page: str) -> None:
        """Take the whole source of the page, in which no placeholder may occur."""
        self._page = page
        self.mark = _NO_MARK
        self.pieces: list[str] = []
        self.kinds: list[str] = []
        self.num_unreadable = 0
        """Formulas of the page that could not be converted; nothing stands for them."""
        self._word = re.compile(_NO_MARK)

    def _choose_mark(self) -> None:
        """Choose the beginning of the placeholders; the page is searched only if it has a piece at all."""
        number = 0
        while (mark := f"qx{number}z") in self._page:
            number += 1
        self.mark = mark
        self._word = re.compile(rf"{mark}(\d+)e")

    def add(self, markdown: str, kind: str) -> str:
        """Store `markdown` (kind: code, inline, or one of FORMULAS) and return its placeholder.

        A formula that became part of another one is of the kind `merged`.
        """
        if not self.pieces:
            self._choose_mark()
        self.pieces.append(markdown)
        self.kinds.append(kind)
        return f"{self.mark}{len(self.pieces) - 1}e"

    def is_block(self, text: str) -> bool:
        """Whether `text` is exactly the placeholder of a code block or displayed formula."""
        match = self._word.fullmatch(text)
        return match is not None and self.kinds[int(match[1])] in ("code", "display")

    def is_code(self, text: str) -> bool:
        """Whether `text` is exactly the placeholder of a code block."""
        match = self._word.fullmatch(text)
        return match is not None and self.kinds[int(match[1])] == "code"

    def restore(self, text: str) -> str:
        """Replace every placeholder in `text` by its piece; a space parts formulas that touch each other."""
        return self._word.sub(self._piece, text)

    def _piece(self, match: re.Match[str]) -> str:
        piece = self.pieces[int(match[1])]
        touches = piece.endswith("$") and self._word.match(match.string, match.end())
        return f"{piece} " if touches and self.pieces[int(touches[1])].startswith("$") else piece

    def split(self, text: str) -> list[str]:
        """Split `text` at placeholders: prose at even indices, numbers of pieces (as strings) at odd ones."""
        return self._word.split(text)

    def numbers(self, text: str) -> list[int]:
        """Return the numbers of the pieces whose placeholders occur in `text`, in order and with repeats."""
        return [int(number) for number in self._word.findall(text)]

    def seen(self, *kinds: str) -> int:
        """Count the pieces of these kinds that were taken out of the page."""
        return sum(kind in kinds for kind in self.kinds)
