r"""Convert a document's Markdown to safe HTML: escaped prose, code in <pre>, LaTeX as MathML.

Documents may be malicious, so no text of theirs reaches the page unescaped. Prose and code pass html.escape.
latex2mathml converts formulas, but it does not escape its output; this module therefore writes the MathML
itself, and keeps only the elements, attributes and plain values that the lists below allow. There are no
links, images or styles. A formula that cannot be converted, or that defines macros (which can grow
exponentially), is shown as source text.
"""

import html
import re
from xml.etree.ElementTree import Element

from latex2mathml import exceptions
from latex2mathml.converter import Converter

from filters.measure.spans import Span, find_spans

_ELEMENTS = """math mrow mi mn mo ms mtext mspace mfrac msqrt mroot mstyle msub msup msubsup munder mover
    munderover mmultiscripts mprescripts none mtable mtr mtd mpadded mphantom menclose merror"""
_ATTRIBUTES = """display displaystyle scriptlevel mathvariant stretchy symmetric fence separator largeop
    movablelimits form accent accentunder minsize maxsize linethickness columnalign columnlines rowlines
    columnspacing rowspacing width height depth lspace rspace notation"""
# Names and small positive lengths. A negative or large length could move a formula over the rest of the page.
_VALUE = re.compile(
    r"(?:[a-z][a-z-]*|\d{1,2}(?:\.\d{1,4})?(?:em|ex|px|pt)?)(?: (?:[a-z][a-z-]*|\d(?:\.\d{1,4})?em))*"
)
_DEFINITION = re.compile(r"\\(?:re)?newcommand|\\providecommand|\\[egx]?def\b|\\let\b|\\DeclareMathOperator")
_MAX_FORMULA_CHARS = (
    1_500  # Our choice: the longest display formula of the MATH data set has 1,390 characters
)

# The library's own exceptions have no common base class. The built-in ones were raised by 60,000 mutated
# formulas.
_FAULTS = (
    *(fault for fault in vars(exceptions).values() if isinstance(fault, type)),
    *(ArithmeticError, AttributeError, LookupError, RuntimeError, StopIteration, TypeError, ValueError),
)


def render_document(text: str, max_chars: int) -> str:
    """Return the first `max_chars` characters of a text as HTML, with an ellipsis if the text is longer."""
    cut = text[:max_chars]
    pieces = []
    position = 0
    after_block = False
    for span in find_spans(cut):
        pieces.append(_prose(cut[position : span.start], after_block, span.is_block))
        pieces.append(_span(cut, span))
        position, after_block = span.end, span.is_block
    pieces.append(_prose(cut[position:], after_block, False))
    return "".join(pieces) + (" …" if len(text) > max_chars else "")


def render_formula(latex: str, is_block: bool) -> str:
    """Convert LaTeX to a MathML element; return its source in <code> if it cannot be converted."""
    source = f'<code class="tex">{escape(latex)}</code>'
    if len(latex) > _MAX_FORMULA_CHARS or _DEFINITION.search(latex):
        return source
    try:
        element = Converter(display="block" if is_block else "inline").convert_to_element(latex)
        return _write(element)
    except _FAULTS:
        return source


def escape(text: str) -> str:
    """Escape `text` for element content and quoted attributes; control characters become U+FFFD."""
    shown = (c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text)
    return html.escape("".join(shown), quote=True)


def _prose(text: str, after_block: bool, before_block: bool) -> str:
    """Escape prose and put headings in bold. Empty lines next to blocks are removed: blocks have margins."""
    text = text.lstrip("\n") if after_block else text
    text = text.rstrip("\n") if before_block else text
    lines = [
        f"<strong>{escape(line.lstrip('# '))}</strong>" if re.match(r"#{1,6} ", line) else escape(line)
        for line in re.sub(r"\n{3,}", "\n\n", text).split("\n")
    ]
    return "\n".join(lines)


def _span(text: str, span: Span) -> str:
    source = text[span.start : span.end]
    if span.kind == "math":
        return render_formula(_without_delimiters(source), span.is_block)
    if not span.is_block:
        return f"<code>{escape(source.strip('`'))}</code>"
    opening, _, body = source.partition("\n")
    lines = body.split("\n")
    if lines and set(lines[-1].strip(" \t>")) <= set("`~"):
        lines.pop()
    language = escape(opening.strip(" \t>`~[]"))
    return f'<pre class="code" data-language="{language}">{escape(chr(10).join(lines))}</pre>'


def _without_delimiters(source: str) -> str:
    for opening, closing in (("$$", "$$"), ("$", "$"), (r"\[", r"\]"), (r"\(", r"\)")):
        if source.startswith(opening):
            return source.removeprefix(opening).removesuffix(closing).strip()
    return source


def _write(element: Element) -> str:
    """Serialise allowed elements and attributes; replace any other element by its children."""
    inner = escape(html.unescape(element.text or "")) + "".join(_write(child) for child in element)
    tail = escape(html.unescape(element.tail or ""))
    if element.tag not in _ELEMENTS.split():
        return inner + tail
    attributes = "".join(
        f' {name}="{value}"'
        for name, value in element.attrib.items()
        if name in _ATTRIBUTES.split() and _VALUE.fullmatch(value)
    )
    if element.tag == "mi" and inner.isalpha() and len(inner) > 1:
        # The name of a function, such as log: the library would set it without spaces, like a variable.
        return f'<mo lspace="0.1667em" rspace="0.1667em">{inner}</mo>{tail}'
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>{tail}"
