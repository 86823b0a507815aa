"""What code a job runs: the import closure of its module, as one hash.

1. Parse the module's source. Follow every import of our own packages, inside functions too, the `__init__`
   files of their packages, and strings that name a module of ours ("pipeline.run_all") or a file beside the
   module ("sandbox_child.py"), since child processes are started by name; until nothing new is found.
2. Hash each module's syntax tree without docstrings and comments, the data files of the packages found
   (DATA_PATTERNS), and the installed version of every library that these modules import.
No module is imported for this. Cost: about 5 ms per module, once per process; a job has 30 to 70 modules.
"""

import ast
import hashlib
import importlib.metadata
import importlib.resources
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.resources.abc import Traversable

ROOMS = ("configs", "filters", "pipeline", "synth", "pretrain", "posttrain")
DATA_PATTERNS = {"models": (".ftz", ".json"), "prompts": (".md",)}
"""Folders of data in a package, and the endings of files there that a result depends on. The model card
(.md, .svg) beside the models is documentation.
"""

_DOTTED = re.compile(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+")
_FILE = re.compile(r"\w+\.py")


@cache
def code_hash(module: str) -> str:
    """Hash of everything in `closure(module)`: code, data files, library versions. Cached per process."""
    return hash_of(module, our_root())


def hash_of(module: str, root: Traversable) -> str:
    """`code_hash` of the sources under `root`, a folder or a zip."""
    found = closure(module, root)
    state = hashlib.blake2b(digest_size=16)
    libraries: set[str] = set()
    for name, tree in sorted(found.items()):
        state.update(name.encode())
        _update(state, tree)
        libraries |= {top for top in _imported_tops(tree) if top not in ROOMS}
    for package in sorted(_packages(found, root)):
        for path, data in _data_files(root, package):
            state.update(path.encode())
            state.update(data)
    for distribution, version in sorted(_versions(libraries)):
        state.update(f"{distribution}=={version}".encode())
    return state.hexdigest()


def our_root() -> Traversable:
    """The folder (or zip) that holds the rooms."""
    return importlib.resources.files("configs").parent  # type: ignore[attr-defined, no-any-return]


def closure(module: str, root: Traversable) -> dict[str, ast.Module]:
    """Syntax trees of `module` and of every module of ours that it imports, directly or not, by dotted name.

    Raises ModuleNotFoundError if `module` has no source under `root`.
    """
    found: dict[str, ast.Module] = {}
    queue = [module]
    while queue:
        name = queue.pop()
        if name in found:
            continue
        source = _source(root, name)
        if source is None:
            if name == module:
                raise ModuleNotFoundError(name)
            continue
        found[name] = ast.parse(source)
        parts = name.split(".")
        queue += [".".join(parts[:n]) for n in range(1, len(parts))]
        queue += [one for one in _imported(found[name]) if one.partition(".")[0] in ROOMS]
        queue += _named(found[name], name, root)
    return found


def _named(tree: ast.Module, module: str, root: Traversable) -> Iterator[str]:
    """Modules that a string names: dotted, or as a file in the module's package or in a folder of it."""
    package = module.split(".") if _is_package(root, module) else module.split(".")[:-1]
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
            continue
        if _DOTTED.fullmatch(node.value):
            yield node.value
        elif _FILE.fullmatch(node.value):
            folder = root.joinpath(*package)
            places = [package, *([*package, place.name] for place in folder.iterdir() if place.is_dir())]
            for place in places:
                if root.joinpath(*place, node.value).is_file():
                    yield ".".join([*place, node.value.removesuffix(".py")])


def _is_package(root: Traversable, name: str) -> bool:
    return root.joinpath(*name.split("."), "__init__.py").is_file()


def _source(root: Traversable, name: str) -> str | None:
    parts = name.split(".")
    for file in (
        root.joinpath(*parts[:-1], f"{parts[-1]}.py"),
        root.joinpath(*parts, "__init__.py"),
    ):
        if file.is_file():
            return file.read_text(encoding="utf-8")
    return None


def _imported(tree: ast.Module) -> Iterator[str]:
    """Dotted names that may be modules: for `from a.b import c` both a.b and a.b.c."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _imported_tops(tree: ast.Module) -> set[str]:
    return {name.partition(".")[0] for name in _imported(tree)} - set(sys.stdlib_module_names)


def _update(state: hashlib.blake2b, node: object) -> None:
    """Feed a syntax tree into the hash: no positions, no bare strings (docstrings), no empty fields.

    Leaving out empty fields makes the hash the same under Python 3.11 and 3.12, which adds one.
    """
    if isinstance(node, ast.AST):
        state.update(type(node).__name__.encode())
        for name in node._fields:
            value = getattr(node, name, None)
            if value is not None and value != []:
                state.update(f".{name}".encode())
                _update(state, value)
    elif isinstance(node, list):
        state.update(b"[")
        for item in node:
            if not _is_docstring(item):
                _update(state, item)
        state.update(b"]")
    else:
        state.update(f"{type(node).__name__}:{node!r}".encode())


def _is_docstring(node: object) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _packages(found: dict[str, ast.Module], root: Traversable) -> set[str]:
    """Packages with a module in the closure, other than their `__init__` alone."""
    return {name.rpartition(".")[0] for name in found if "." in name and not _is_package(root, name)}


def _data_files(root: Traversable, package: str) -> Iterator[tuple[str, bytes]]:
    for folder, endings in DATA_PATTERNS.items():
        place = root.joinpath(*package.split("."), folder)
        if place.is_dir():
            for file in sorted(place.iterdir(), key=lambda file: file.name):
                if file.name.endswith(endings):
                    yield f"{package}/{folder}/{file.name}", file.read_bytes()


def _versions(tops: set[str]) -> Iterator[tuple[str, str]]:
    """(distribution, installed version) of the libraries; one that is not installed is left out."""
    distributions = _distributions()
    for top in tops:
        for distribution in distributions.get(top, ()):
            yield distribution, importlib.metadata.version(distribution)


@cache
def _distributions() -> dict[str, list[str]]:
    return {top: sorted(set(names)) for top, names in importlib.metadata.packages_distributions().items()}
