"""What the class of an element in or beside code says: a line number, a line, a button, a header."""

import re
from functools import lru_cache
from typing import NamedTuple

# Classes of line numbers, in lower case and with hyphens only; and the ends of longer ones.
NUMBER_CLASSES = frozenset([
    "lineno", "linenos", "line-no", "line-nos", "linenodiv", "line-number", "line-numbers", "linenumber",
    "linenumbers", "line-numbers-rows", "line-num", "lines-num", "linenum", "line-nr", "linenr", "lnt", "ln",
    "lnum", "gutter", "gl", "hljs-ln-numbers", "hljs-ln-n", "blob-num", "crayon-num", "crayon-nums",
    "pre-numbering", "ltx-tag-listingline", "codemirror-gutters", "ec-line-number",
])  # fmt: skip
_NUMBER_ENDS = (
    "-gutter", "-gutter-wrapper", "-line-number", "-line-numbers", "-line-num", "-linenum", "linenumber",
    "-lineno", "-linenos", "-source-line",
)  # fmt: skip
# Classes of line numbers on cells and links, which highlighters also give to numbers in the code.
_CELL_CLASSES = frozenset(("number", "num", "nums", "l", "hl", "line", "lines"))
# Parts of the classes of buttons and bars. Highlighters use the second kind for names in the code too, so
# only blocks are headers.
_TOOL_PARTS = ("copy", "toolbar", "clipboard", "button", "btn", "operation", "viewcode", "headerlink")
_HEADER_PARTS = ("header", "title", "action", "lang", "bar", "tools", "fold", "caption", "label")
# The end of a name of a line ("line", "token-line", "codeLine"), and not, say, of "inline".
_LINE_NAME = re.compile(
    r"(?<!in)(?<!new)(?<!under)(?<!over)(?<!out)(?<!multi)(?<!head)(?<!base)(?:line|row)\Z"
)
_LINE_NAMES = frozenset(("cl", "blob-code-inner"))


class Role(NamedTuple):
    """What a class says."""

    is_number: bool
    is_cell_number: bool
    """Whether it is the class of line numbers if the element is a cell or a link."""
    is_tool: bool
    is_header: bool
    is_line: bool


@lru_cache(maxsize=65536)
def role_of(classes: str) -> Role:
    """Return what the class names say of an element in or beside code."""
    lowered = classes.lower()
    names = lowered.replace("_", "-").split()
    is_number = any(name in NUMBER_CLASSES or name.endswith(_NUMBER_ENDS) for name in names)
    return Role(
        is_number,
        is_number or not _CELL_CLASSES.isdisjoint(names),
        any(part in lowered for part in _TOOL_PARTS),
        any(part in lowered for part in _HEADER_PARTS),
        any(name in _LINE_NAMES or _LINE_NAME.search(name[-12:]) for name in names),
    )
