"""Find pickles that name anything except the classes of a checkpoint's metadata, before they are executed.

torch reads a distributed checkpoint's `.metadata` with pickle.load, which calls every callable that the file
names. This module parses the pickle's instructions without running them; each name that the pickle would
import must be on a list.
"""

import pickletools
import zipfile
from pathlib import Path

import torch

METADATA = ".metadata"
COMMON = "common.pt"

_TORCH_CHECKPOINT = "torch.distributed.checkpoint"
ALLOWED = frozenset(
    (
        *((f"{_TORCH_CHECKPOINT}.filesystem", name) for name in ("_StorageInfo", "_StoragePrefix")),
        *((f"{_TORCH_CHECKPOINT}.planner", name) for name in ("SavePlan", "WriteItem", "WriteItemType")),
        (f"{_TORCH_CHECKPOINT}.planner", "TensorWriteData"),
        *(
            (f"{_TORCH_CHECKPOINT}.metadata", name)
            for name in (
                "BytesStorageMetadata",
                "ChunkStorageMetadata",
                "Metadata",
                "MetadataIndex",
                "StorageMeta",
                "TensorProperties",
                "TensorStorageMetadata",
                "_MEM_FORMAT_ENCODING",
            )
        ),
        *(("torch", name) for name in ("Size", "float32", "bfloat16", "float16", "int64", "uint8")),
        ("torch.serialization", "_get_layout"),
        ("collections", "OrderedDict"),
    )
)
"""Every global that torch 2.11 to 2.13 writes for the tensors of a model and its optimizer.

These are classes that hold data, and a function that looks up memory layouts. The list was made by saving
checkpoints and listing the names in them."""


def forbidden_globals(path: Path) -> list[str]:
    """Return the names that `.metadata` and `common.pt` in a checkpoint folder would import against the list.

    A pickle that cannot be parsed gives an entry too, so that it is never loaded. [] means safe.
    """
    found = []
    for name in (METADATA, COMMON):
        try:
            globals_ = _globals((path / name).read_bytes() if name == METADATA else _zipped(path / name))
        except (OSError, ValueError, IndexError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
            found.append(f"{name}: {type(error).__name__} {error}")
            continue
        found += [f"{name}: {module}.{thing}" for module, thing in sorted(globals_ - ALLOWED)]
    return found


def _zipped(path: Path) -> bytes:
    """Return the pickle inside a file of torch.save, read with torch's own zip reader.

    Another zip reader could be made to see another pickle in the same file. Raises ValueError or RuntimeError
    if torch.save cannot have written the file.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        if any(member.compress_type != zipfile.ZIP_STORED for member in archive.infolist()):
            raise ValueError("the archive is compressed, which torch.save never does")
        if file.read(4) != b"PK\x03\x04":  # torch would load bytes before the archive as a pickle
            raise ValueError("there are bytes before the archive")
    pickled: bytes = torch._C.PyTorchFileReader(str(path)).get_record("data.pkl")
    return pickled


def _globals(pickled: bytes) -> set[tuple[str, str]]:
    """Return (module, name) of everything that a pickle would import. Raises ValueError if it is no pickle.

    A name that is computed at load time (STACK_GLOBAL of anything but two constant strings) is returned as
    ("?", "?"), which is never on the list.
    """
    found: set[tuple[str, str]] = set()
    memo: dict[int, str | None] = {}
    stack: list[str | None] = []  # pushed values, in order: constant strings, None for everything else
    for operation, argument, _ in pickletools.genops(pickled):
        name = operation.name
        if name in ("SHORT_BINUNICODE", "BINUNICODE", "UNICODE", "BINUNICODE8"):
            stack.append(argument)
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1] if stack else None
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            memo[argument] = stack[-1] if stack else None
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            stack.append(memo.get(argument))
        elif name in ("GLOBAL", "INST"):
            module, _, thing = argument.partition(" ")
            found.add((module, thing))
            stack.append(None)
        elif name == "STACK_GLOBAL":
            module, thing = (*stack[-2:], None, None)[:2]
            found.add((module, thing) if module and thing else ("?", "?"))
            stack.append(None)
        elif name in ("EXT1", "EXT2", "EXT4"):
            found.add(("?", "?"))
        elif name not in ("PROTO", "FRAME", "STOP"):
            stack.append(None)
    return found
