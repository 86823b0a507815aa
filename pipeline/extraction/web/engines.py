"""Choose the engine whose text a page gets.

Our engine (`maintext`) runs first. The page falls back to the second engine, trafilatura, if the first text
is too short or lost formulas or code. Trafilatura reads the same page, with formulas and code as
placeholders, and the text that kept more of everything is taken.
"""

from pipeline.extraction.tree.markdown import to_markdown
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.web import maintext
from pipeline.extraction.web.page import Page, read
from pipeline.extraction.web.phrases import without_invitations
from pipeline.extraction.web.second_opinion import trafilatura_text

# Our choice: a page falls back to the second engine if the first loses more than this fraction of its code
# blocks and formulas.
MAX_LOST_FRACTION = 0.1


def best_text(page: Page) -> tuple[str, list[int], str]:
    """Return the Markdown with the page's placeholders, the numbers of its pieces, and the engine's name."""
    slots = page.slots
    root = maintext.main_content(page.tree, page.title, slots.mark)
    text = without_invitations(to_markdown(root, slots))
    numbers = slots.numbers(text)
    if maintext.is_confident(text) and _lost_fraction(numbers, slots) <= MAX_LOST_FRACTION:
        return text, numbers, "maintext"
    # The tree was pruned in place. A second tree of the same page has the same placeholders in the same
    # places.
    again = read(page.source)
    assert again is not None
    # A page without code and formulas is passed as source, because trafilatura also reads the metadata in its
    # scripts.
    other = trafilatura_text(again.tree if again.slots.pieces else page.source, slots)
    other_numbers = slots.numbers(other)
    if _weighted_length(other, other_numbers) > _weighted_length(text, numbers):
        return other, other_numbers, "trafilatura"
    return text, numbers, "maintext"


def _lost_fraction(numbers: list[int], slots: Slots) -> float:
    seen = slots.seen("code", "math", "display")
    kept = sum(slots.kinds[number] in ("code", "math", "display") for number in set(numbers))
    return 1 - kept / seen if seen else 0.0


def _weighted_length(text: str, numbers: list[int]) -> float:
    """Return the length of the text, where each formula and code block counts as a sentence."""
    return len(text) + 80 * len(set(numbers))
