"""Find the programming language of a file: by name, extension or `#!` line, and last by magika's model."""

import re
from functools import lru_cache
from pathlib import PurePosixPath

_EXTENSIONS = {
    extension: language
    for language, extensions in {
        "python": "py pyi pyw", "cython": "pyx pxd", "javascript": "js mjs cjs jsx",
        "typescript": "ts tsx mts", "java": "java", "c": "c h", "cpp": "cc cpp cxx c++ hh hpp hxx ipp",
        "csharp": "cs", "go": "go", "rust": "rs", "ruby": "rb rake gemspec", "php": "php", "perl": "pl pm t",
        "r": "r", "julia": "jl", "haskell": "hs lhs",
        "scala": "scala sc", "kotlin": "kt kts", "swift": "swift", "objective-c": "m mm", "sql": "sql",
        "bash": "sh bash zsh ksh", "fish": "fish",
        "powershell": "ps1 psm1", "html": "html htm xhtml", "css": "css", "scss": "scss", "less": "less",
        "xml": "xml xsd xslt svg", "json": "json jsonl", "yaml": "yaml yml",
        "toml": "toml", "ini": "ini cfg", "markdown": "md markdown", "rst": "rst",
        "latex": "tex sty cls bib", "matlab": "mat", "lua": "lua", "fortran": "f f90 f95 f03 for",
        "lisp": "lisp lsp cl", "emacs-lisp": "el", "scheme": "scm ss rkt", "clojure": "clj cljs cljc edn",
        "erlang": "erl hrl", "elixir": "ex exs", "ocaml": "ml mli",
        "fsharp": "fs fsx fsi", "dart": "dart", "groovy": "groovy gradle", "cmake": "cmake", "prolog": "pro",
        "assembly": "asm s", "vhdl": "vhd vhdl", "verilog": "v sv svh",
        "awk": "awk", "vim": "vim", "nix": "nix", "zig": "zig", "solidity": "sol", "graphql": "graphql gql",
        "protobuf": "proto", "cuda": "cu cuh", "coq": "coq",
        "lean": "lean", "agda": "agda", "idris": "idr", "isabelle": "thy", "ada": "ada adb ads",
        "pascal": "pas pp", "d": "d", "nim": "nim", "crystal": "cr", "tcl": "tcl",
        "stan": "stan", "dockerfile": "dockerfile", "makefile": "mk mak", "diff": "diff patch", "vue": "vue",
        "svelte": "svelte", "wasm": "wat", "opencl": "opencl",
    }.items()
    for extension in extensions.split()
}  # fmt: skip
_NAMES = {
    "makefile": "makefile", "gnumakefile": "makefile", "dockerfile": "dockerfile", "cmakelists.txt": "cmake",
    "rakefile": "ruby", "gemfile": "ruby",
    "sconstruct": "python", "sconscript": "python", "wscript": "python", "jenkinsfile": "groovy",
    ".bashrc": "bash", "build.bazel": "starlark", "build": "starlark",
}  # fmt: skip
_SHEBANG = re.compile(
    rb"\A#![^\n]{0,100}?(?:/|\s)(python|bash|sh|zsh|ksh|perl|ruby|node|php|lua|Rscript|awk|tclsh|make|fish"
    rb"|julia)[\d.]*\b"
)
_SHEBANG_LANGUAGES = {
    "sh": "bash",
    "zsh": "bash",
    "ksh": "bash",
    "node": "javascript",
    "Rscript": "r",
    "tclsh": "tcl",
    "make": "makefile",
}
_OBJECTIVE_C = re.compile(rb"^\s{0,40}(?:@interface|@implementation|@import|#import)\b", re.M)
_CPP = re.compile(
    rb"^\s{0,40}(?:class\s+\w+|namespace\s+\w+|template\s*<|using\s+\w+|public:|private:)|\bstd::", re.M
)
_PROLOG = re.compile(rb"^\s{0,40}:-\s|^[a-z]\w*\([^\n]{0,200}\)\s*:-", re.M)
# magika's names of languages, and our names for them.
_MAGIKA = {
    "shell": "bash",
    "cs": "csharp",
    "objectivec": "objective-c",
    "asm": "assembly",
    "rmd": "markdown",
    "txt": "",
    "unknown": "",
    "empty": "",
    "txtascii": "",
}
# Our choice: below this score magika's answer is a guess. Its own high-confidence threshold is .9 for most
# types.
MIN_MAGIKA_SCORE = 0.7


def language_of(path: str, data: bytes) -> str:
    """Return the lower-case name of the language, "" if it is unknown."""
    name = PurePosixPath(path).name.lower()
    extension = name.rpartition(".")[2] if "." in name.lstrip(".") else ""
    if name in _NAMES:
        return _NAMES[name]
    head = data[:20_000]
    if extension == "m":
        return "objective-c" if _OBJECTIVE_C.search(head) else "matlab"
    if extension == "h":
        return "objective-c" if _OBJECTIVE_C.search(head) else "cpp" if _CPP.search(head) else "c"
    if extension == "pl":
        return "prolog" if _PROLOG.search(head) else "perl"
    if extension in _EXTENSIONS:
        return _EXTENSIONS[extension]
    shebang = _SHEBANG.match(head)
    if shebang:
        program = shebang[1].decode()
        return _SHEBANG_LANGUAGES.get(program, program)
    if extension in ("txt", "csv", "tsv", "log", "rtf"):
        return ""
    return _language_by_content(data)


@lru_cache(maxsize=1)
def _magika():  # type: ignore[no-untyped-def]
    from magika import Magika

    return Magika()


def _language_by_content(data: bytes) -> str:
    if not data.strip():
        return ""
    result = _magika().identify_bytes(data)
    if not result.ok or result.score < MIN_MAGIKA_SCORE or result.output.group != "code":
        return ""
    label = str(result.output.label)
    return _MAGIKA.get(label, label)
