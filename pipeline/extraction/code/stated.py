"""Read the language that a page states for a code block: in classes, in attributes, in a label beside it."""

import re
from functools import lru_cache

from lxml import etree

from pipeline.extraction.tree.tree import class_of

# Names that say nothing about the language.
_UNSTATED = frozenset([
    "default", "none", "text", "plain", "plaintext", "plain-text", "plain_text", "nohighlight", "txt",
    "notranslate", "highlight", "hljs", "lang", "language", "code", "raw", "literal", "output",
    "nohighlighting", "no-highlight", "auto", "source", "wrapper", "line", "lines", "numbers",
    "sourcecode", "numberlines", "numbersource", "undefined", "unknown", "null", "other", "block", "inline",
    "toolbar", "container", "content", "data", "display", "generic", "normal", "ascii", "text-only",
])  # fmt: skip
_ALIASES = {
    "python3": "python", "py": "python", "python2": "python", "py3": "python", "ipython": "python",
    "ipython3": "python", "ipython2": "python", "gfm": "markdown",
    "js": "javascript", "jscript": "javascript", "node": "javascript", "nodejs": "javascript",
    "ecmascript": "javascript", "ts": "typescript", "sh": "bash", "zsh": "bash", "rb": "ruby", "rs": "rust",
    "golang": "go", "c++": "cpp", "cplusplus": "cpp", "cxx": "cpp", "csrc": "c", "c++src": "cpp",
    "cs": "csharp",
    "c#": "csharp", "c-sharp": "csharp", "c_sharp": "csharp", "dotnet": "csharp", "f#": "fsharp",
    "fs": "fsharp",
    "yml": "yaml", "md": "markdown", "tex": "latex", "hs": "haskell", "kt": "kotlin",
    "pl": "perl", "objectivec": "objective-c", "obj-c": "objective-c", "objc": "objective-c", "rlang": "r",
    "ps1": "powershell", "docker": "dockerfile", "make": "makefile", "rest": "rst",
    "restructuredtext": "rst", "vb.net": "vbnet", "tsql": "sql", "mysql": "sql", "pgsql": "sql",
    "postgresql": "sql", "plpgsql": "sql", "shell-session": "console", "shellsession": "console",
    "htm": "html", "markup": "html", "xhtml": "html", "html5": "html", "html4strict": "html", "php5": "php",
    "java5": "java",
}  # fmt: skip
# Names that stand for a language without any prefix.
_KNOWN = frozenset([
    "bash", "shell", "console", "python", "pycon", "javascript", "typescript", "java", "c", "cpp", "csharp",
    "go", "rust", "ruby", "php", "perl", "r", "julia", "haskell", "scala", "kotlin", "swift", "sql", "html",
    "css", "xml", "json", "yaml", "toml", "ini", "diff", "latex", "matlab", "octave", "lua", "fortran",
    "lisp", "scheme", "clojure", "erlang", "elixir", "ocaml", "fsharp", "dart", "groovy", "powershell",
    "dockerfile", "makefile", "cmake", "rst", "markdown", "cython", "prolog", "asm", "nasm", "vhdl",
    "verilog", "vim", "awk", "sed", "objective-c", "pascal", "delphi", "vbnet", "nix", "zig", "solidity",
    "graphql", "protobuf", "http", "nginx", "coffeescript", "less", "scss", "sass", "doctest", "pytb", "coq",
    "lean", "isabelle", "agda", "idris", "sage", "maple", "mathematica", "stata", "sas", "jsx", "tsx", "vb",
    "vba", "vbscript", "actionscript", "applescript", "batch", "basic", "ada", "cobol", "apl", "tcl",
    "racket",
    "elm", "nim", "crystal", "hlsl", "glsl", "cuda", "opencl", "jinja", "twig", "handlebars", "terraform",
    "hcl",
    "apache", "svelte", "vue", "json5", "jsonc", "llvm", "wasm", "assembly", "brainfuck", "smalltalk", "d",
    "v",
])  # fmt: skip
# Names that are also words of everyday use, so that a class alone does not state them.
_ONLY_WITH_PREFIX = frozenset(
    ("basic", "batch", "elm", "crystal", "apache", "assembly", "node", "make", "rest", "d", "v")
)
_ATTRIBUTES = (
    "data-lang", "data-language", "data-enlighter-language", "data-syntax", "data-code-language",
    "data-code-lang", "data-highlight-language", "data-syntaxhighlighter-params", "data-mode", "language",
)  # fmt: skip
# Prefixes of classes that a language follows, whatever its name.
_SURE = (
    r"language|lang|brush|mw-highlight-lang|mw-code|highlight-source|highlight-text|highlight|hljs-language"
    r"|ltx_lst_language|lst-language|prism-language"
)
# Prefixes that other names have too: only a known language may follow.
_UNSURE = (
    r"code|code-block|src|sh|hl|syntax|hljs|prism|pre|snippet|codehilite|highlighter|cm|mode|rainbow|geshi"
)
_PREFIXED = re.compile(rf"(?:({_SURE})|{_UNSURE})[-_:](?=[A-Za-z])", re.I)
_NAME = re.compile(r"[A-Za-z][\w+#.-]{0,24}")
_SEPARATED = re.compile(r"\b(brush|lang|language)\s?:\s{1,3}")
# A colour scheme of W3Schools: `pythonHigh`.
_COLOURED = re.compile(r"([a-z]{1,12})High")


def canonical_language(name: str) -> str:
    """Return the usual lower-case name of a language, "" for names that say nothing."""
    name = name.strip().lower().rstrip(";")
    for prefix in ("text/x-", "application/x-", "text/", "application/", "x-"):
        name = name.removeprefix(prefix)
    return "" if name in _UNSTATED else _ALIASES.get(name, name)


def known_language(name: str) -> str:
    """Return the usual name of a language that is known without context ("Python", "C++"); else ""."""
    language = canonical_language(name)
    return language if language in _KNOWN else ""


def stated_language(element: etree._Element) -> str:
    """Return the language that the element, its child `<code>`, or one of four wrappers around it states."""
    candidates = [element, *element.iterchildren("code")]
    ancestor = element.getparent()
    for _ in range(4):
        if ancestor is None or ancestor.tag in ("body", "article", "main", "section", "li"):
            break
        candidates.append(ancestor)
        ancestor = ancestor.getparent()
    for place, candidate in enumerate(candidates):
        language = _language_of(candidate, bare=place < 2 or len(candidates[-1]) == 1)
        if language:
            return language
    return ""


def _language_of(element: etree._Element, bare: bool) -> str:
    for attribute in _ATTRIBUTES:
        value = element.get(attribute)
        if value:
            language = language_in_classes(value, False) if ":" in value else canonical_language(value)
            if language:
                return language
    language = language_in_classes(class_of(element), bare)
    if language or not bare:
        return language
    language = canonical_language(element.get("lang", ""))
    return language if language in _KNOWN and len(language) > 2 else ""


@lru_cache(maxsize=65536)
def language_in_classes(classes: str, bare: bool) -> str:
    """Return the language that class names state, with a prefix or (if `bare`) without one; else ""."""
    names = _SEPARATED.sub(r"\1:", classes).split()
    plain = ""
    for place, name in enumerate(names):
        language = _prefixed_language(name)
        if language:
            return language
        follows = place > 0 and names[place - 1] in ("sourceCode", "hljs", "syntaxhighlighter", "src")
        if (bare or follows) and not plain and name not in _ONLY_WITH_PREFIX:
            coloured = _COLOURED.fullmatch(name)
            plain = known_language(coloured[1] if coloured else name.partition(":")[0])
    return plain


def _prefixed_language(name: str) -> str:
    """Return the language of `language-c++`, `mw-highlight-lang-python3`, `sh_java`; "" if there is none."""
    sure = False
    rest = name
    while match := _PREFIXED.match(rest):
        sure = sure or match[1] is not None
        rest = rest[match.end() :]
    if rest is name:
        return ""
    found = _NAME.match(rest)
    if found is None:
        return ""
    stated = found[0].rstrip(".-")
    language = known_language(stated) or known_language(stated.partition("-")[0])
    # Two letters that are no language of programs are one of people: `lang-en`.
    is_name = sure and "-" not in stated and len(stated) > 2
    return language or (canonical_language(stated) if is_name else "")
