"""Find the kind of a document from its first bytes, its content type and the file name in its URL."""

from urllib.parse import urlsplit

KIND_OF_TYPE = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/x-ipynb+json": "notebook",
    "application/x-tex": "latex",
    "application/x-latex": "latex",
    "text/x-tex": "latex",
    "text/plain": "text",
    "text/markdown": "text",
    "text/x-python": "code",
    "text/x-c": "code",
    "text/x-c++src": "code",
    "text/x-java-source": "code",
    "text/x-rust": "code",
    "text/x-go": "code",
    "text/javascript": "code",
    "application/javascript": "code",
}
"""Content type without parameters -> kind. Style sheets, images, JSON and feeds are not documents."""

_KIND_OF_EXTENSION = {"ipynb": "notebook", "tex": "latex", "html": "html", "htm": "html"} | dict.fromkeys(
    ("py", "pyx", "c", "h", "cc", "cpp", "hpp", "java", "js", "ts", "rs", "go", "jl", "hs", "r", "sh"), "code"
)
# Types that carry no information: servers send notebooks and source files with these.
_VAGUE_TYPES = ("", "text/plain", "application/octet-stream", "application/json", "binary/octet-stream")
_PDF_START = b"%PDF-"
_HTML_STARTS = (b"<!doctype html", b"<html")


def kind_of(content_type: str | None, url: str | None, content: bytes) -> str | None:
    """Return one of the contract's KINDS, or None if extraction cannot read this kind of document."""
    stated = (content_type or "").split(";")[0].strip().lower()
    if content[:1024].lstrip().startswith(_PDF_START):
        return "pdf"
    if stated in _VAGUE_TYPES:
        name = urlsplit(url).path.rsplit("/", 1)[-1] if _is_parsable(url) else ""
        by_name = _KIND_OF_EXTENSION.get(name.rsplit(".", 1)[-1].lower()) if "." in name else None
        if by_name:
            return by_name
        if content[:1024].lstrip().lower().startswith(_HTML_STARTS):
            return "html"
    kind = KIND_OF_TYPE.get(stated)
    return None if kind == "pdf" else kind  # a real PDF was returned above


def _is_parsable(url: str | None) -> bool:
    try:
        return bool(url and urlsplit(url))
    except ValueError:
        return False
