"""Finished Markdown held out of the way while the page around it is worked on.

Formulas, code blocks and inline code are taken out of the page first and stand there as one plain word each;
the main-content core moves those words like any other, and they are put back last. A word that is missing in
the end was lost by the core.
"""

import re


class Slots:
    """Pieces of finished Markdown by the words that stand for them."""

    def __init__(self, page: str) -> None:
        """`page` is the whole source: words are chosen that do not occur in it."""
        number = 0
        while (mark := f"qx{number}z") in page:
            number += 1
        self.mark = mark
        self.pieces: list[str] = []
        self.kinds: list[str] = []
        self._word = re.compile(rf"{mark}(\d+)e")

    def add(self, markdown: str, kind: str) -> str:
        """Keep `markdown` (kind: code, math, display, inline) and return the word that stands for it."""
        self.pieces.append(markdown)
        self.kinds.append(kind)
        return f"{self.mark}{len(self.pieces) - 1}e"

    def is_block(self, text: str) -> bool:
        """Whether `text` is nothing but the word of a code block or displayed formula."""
        match = self._word.fullmatch(text)
        return match is not None and self.kinds[int(match[1])] in ("code", "display")

    def is_code(self, text: str) -> bool:
        """Whether `text` is nothing but the word of a code block."""
        match = self._word.fullmatch(text)
        return match is not None and self.kinds[int(match[1])] == "code"

    def restore(self, text: str) -> str:
        """`text` with every word replaced by its piece."""
        return self._word.sub(lambda match: self.pieces[int(match[1])], text)

    def split(self, text: str) -> list[str]:
        """`text` cut at words: prose at even places, numbers of pieces (as strings) at odd ones."""
        return self._word.split(text)

    def numbers(self, text: str) -> list[int]:
        """Numbers of the pieces whose words occur in `text`, in order, repeats included."""
        return [int(number) for number in self._word.findall(text)]

    def seen(self, *kinds: str) -> int:
        """How many pieces of these kinds were taken out of the page."""
        return sum(kind in kinds for kind in self.kinds)
