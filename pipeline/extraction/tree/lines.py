"""Read the line of text around an inline element, through the elements that do not end it.

Reading stops after a bounded number of characters and steps, so that its cost does not depend on the page.
"""

from collections.abc import Iterator
from typing import NamedTuple

from lxml import etree

from pipeline.extraction.tree.tree import INLINE

# Our choice: so much of the line before and after an element is read, in so many pieces of text at most.
MAX_CHARS_BEFORE, MAX_CHARS_AFTER, MAX_STEPS = 120, 16, 12


class Piece(NamedTuple):
    """A piece of text in the tree: the text of `owner`, or its tail."""

    owner: etree._Element
    is_tail: bool

    @property
    def text(self) -> str:
        """The text itself."""
        return (self.owner.tail if self.is_tail else self.owner.text) or ""

    def shorten(self, length: int) -> None:
        """Cut `length` characters from its end."""
        kept = self.text[: len(self.text) - length]
        if self.is_tail:
            self.owner.tail = kept
        else:
            self.owner.text = kept


def line_before(element: etree._Element) -> Iterator[Piece]:
    """Yield the pieces of text before an element in its line, the nearest first."""
    node, inside = element, None
    chars = 0
    for _ in range(MAX_STEPS):
        if inside is None:
            last = node.getprevious()
        else:
            last = inside[-1] if len(inside) else None
        if last is not None:
            piece, crossed, inside = Piece(last, True), last, last
        else:
            owner = node.getparent() if inside is None else inside
            if owner is None:
                return
            piece, crossed = Piece(owner, False), owner
            node, inside = owner, None
        yield piece
        chars += len(piece.text)
        if crossed.tag not in INLINE or chars >= MAX_CHARS_BEFORE:
            return


def shorten(line: list[Piece], length: int) -> None:
    """Cut `length` characters from the end of a line."""
    for piece in line:
        if not length:
            return
        cut = min(length, len(piece.text))
        piece.shorten(cut)
        length -= cut


def text_after(element: etree._Element) -> str:
    """Return the beginning of the text after an element and the scripts that follow it at once."""
    node = element
    for _ in range(MAX_STEPS):
        following = node.getnext()
        if node.tail or following is None or following.tag not in ("sup", "sub"):
            break
        node = following
    text = node.tail or ""
    if not text:
        following, parent = node.getnext(), node.getparent()
        if following is not None:
            text = (following.text or "") if following.tag in INLINE else ""
        elif parent is not None and parent.tag in INLINE:
            text = parent.tail or ""
    return text[:MAX_CHARS_AFTER]
