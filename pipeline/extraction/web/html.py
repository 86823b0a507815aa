"""Convert a web page to Markdown: main text, formulas and code.

Formulas and code are taken out of the tree first (`math`, `code`, `delimiters`). A main-content extractor
finds the text, and the pieces that were taken out are put back where it left their placeholders. Our
extractor is `maintext`. If it finds little text or loses formulas or code, a second engine reads the same
page, and the better result is kept. The field `engine` names the engine that was taken.
"""

from pipeline.extraction.encodings import clean, decode_source
from pipeline.extraction.formats.forum import thread_blocks
from pipeline.extraction.result import Extraction
from pipeline.extraction.tree.slots import FORMULAS
from pipeline.extraction.web import engines
from pipeline.extraction.web.page import read

__all__ = ["Extraction", "extract_html"]


def extract_html(html: bytes, url: str | None = None, charset: str | None = None) -> Extraction:
    """Return the main content of a page as Markdown; "" for an empty page. `charset` is the HTTP header's."""
    page = read(decode_source(html, charset))
    if page is None:
        return Extraction("", "", 0, 0, 0, 0, "none")
    slots = page.slots
    thread = thread_blocks(page)
    text, numbers, engine = (*thread, "forum") if thread else engines.best_text(page)
    kept = [slots.kinds[number] for number in set(numbers)]
    return Extraction(
        text=clean(slots.restore(text)).strip(),
        title=clean(page.title),
        code_seen=slots.seen("code"),
        code_kept=kept.count("code"),
        math_seen=slots.seen(*FORMULAS) + slots.num_unreadable,
        math_kept=sum(kind in FORMULAS for kind in kept),
        engine=engine,
    )
