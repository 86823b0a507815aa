"""The second engine: trafilatura finds the main content as a tree, and our Markdown writer writes it."""

from lxml import etree
from trafilatura import bare_extraction

from pipeline.extraction.tree.markdown import to_markdown
from pipeline.extraction.tree.slots import Slots


def trafilatura_text(page: etree._Element | str, slots: Slots) -> str:
    """Return the Markdown of the main content of `page`, or "" if there is none.

    `page` is the source, or a tree with placeholders of `slots`.
    """
    source = page if isinstance(page, str) else etree.tostring(page, method="html", encoding="unicode")
    document = bare_extraction(
        source, include_comments=True, include_tables=True, include_formatting=False, with_metadata=False
    )
    if document is None:
        return ""
    bodies = [body for body in (document.body, document.commentsbody) if isinstance(body, etree._Element)]
    return "\n\n".join(filter(None, (to_markdown(body, slots) for body in bodies)))
