"""Which engine's text a page gets.

Ours runs first. It says how sure it is; below that, or when it lost formulas or code, trafilatura reads the
same page (formulas and code as words), and the one that kept more of both is taken.
"""

from lxml import etree

from pipeline.extraction.tree.markdown import to_markdown
from pipeline.extraction.tree.slots import Slots
from pipeline.extraction.tree.tree import inventory_of
from pipeline.extraction.web import maintext
from pipeline.extraction.web.page import parse, take_out
from pipeline.extraction.web.phrases import without_idle_blocks
from pipeline.extraction.web.second_opinion import trafilatura_text

# Ours: a core that loses more than this part of the page's blocks of code or formulas is asked about.
MAX_LOST_FRACTION = 0.1


def best_text(tree: etree._Element, page: str, title: str, slots: Slots) -> tuple[str, list[int], str]:
    """(Markdown with words of `slots` in it, numbers of the pieces in it, name of the engine)."""
    root = maintext.main_content(tree, title, slots.mark)
    text = without_idle_blocks(to_markdown(root, slots))
    numbers = slots.numbers(text)
    if maintext.is_confident(text) and _lost_fraction(numbers, slots) <= MAX_LOST_FRACTION:
        return text, numbers, "maintext"
    # The tree was pruned in place. A second one from the same page has the same words in the same places.
    again = parse(page)
    assert again is not None
    again_slots = take_out(again, page, inventory_of(again))
    # A page without code and formulas goes in as it came, for trafilatura also reads its scripts' metadata.
    other = trafilatura_text(again if again_slots.pieces else page, slots)
    other_numbers = slots.numbers(other)
    if _score(other, other_numbers) > _score(text, numbers):
        return other, other_numbers, "trafilatura"
    return text, numbers, "maintext"


def _lost_fraction(numbers: list[int], slots: Slots) -> float:
    seen = slots.seen("code", "math", "display")
    kept = sum(slots.kinds[number] != "inline" for number in set(numbers))
    return 1 - kept / seen if seen else 0.0


def _score(text: str, numbers: list[int]) -> float:
    """Length of text, a formula or block of code counting as a sentence."""
    return len(text) + 80 * len(set(numbers))
