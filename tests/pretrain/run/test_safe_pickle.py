"""Pickles are read, not run: what names code is refused, however it hides."""

import collections
import io
import os
import pickle
import pickletools
import zipfile
from pathlib import Path

import pytest
import torch

from pretrain.run.safe_pickle import ALLOWED, COMMON, METADATA, forbidden_globals


class Evil:
    """Runs a command when it is loaded."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.target}",)


def write(folder: Path, metadata: object, common: object) -> Path:
    (folder / METADATA).write_bytes(metadata if isinstance(metadata, bytes) else pickle.dumps(metadata))
    torch.save(common, folder / COMMON)
    return folder


def test_plain_values_and_sizes_pass(tmp_path: Path) -> None:
    metadata = {"shape": torch.Size([2, 3]), "dtype": torch.float32, "order": collections.OrderedDict(a=1)}
    assert forbidden_globals(write(tmp_path, metadata, {"step": 3})) == []


@pytest.mark.parametrize("protocol", range(6))
def test_evil_metadata_is_named_and_not_run(tmp_path: Path, protocol: int) -> None:
    data = pickle.dumps({"a": [Evil(tmp_path / "ran")]}, protocol)
    found = forbidden_globals(write(tmp_path, data, {}))
    assert found == [".metadata: posix.system"]
    assert not (tmp_path / "ran").exists()


def test_evil_common_is_named_and_not_run(tmp_path: Path) -> None:
    assert forbidden_globals(write(tmp_path, {}, Evil(tmp_path / "ran"))) == ["common.pt: posix.system"]
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "hidden",
    [
        # `os`, `system`, then two names of the list that are popped before the import.
        b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x05torch\x8c\x04Size00\x93.",
        # The name is fetched from the memo: number 1 was stored, number 0 read back.
        b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x05torch\x8c\x04Size00h\x00h\x01\x93.",
        # The second name is a tuple's item, not a constant.
        b"\x80\x04\x8c\x05torch\x8c\x04Size\x8c\x06system\x85\x93.",
        # An extension code stands for a class that the file does not name.
        b"\x80\x04\x82\x01.",
    ],
)
def test_names_that_are_put_together_are_refused(tmp_path: Path, hidden: bytes) -> None:
    list(pickletools.genops(hidden))  # well-formed
    found = forbidden_globals(write(tmp_path, hidden, {}))
    assert found in ([".metadata: ?.?"], [".metadata: os.system"])


@pytest.mark.parametrize("damage", [b"", b"\x80", b"not a pickle", pickle.dumps([1, 2, 3])[:-1]])
def test_what_is_no_pickle_is_a_fault(tmp_path: Path, damage: bytes) -> None:
    [found] = forbidden_globals(write(tmp_path, damage, {}))
    assert found.startswith(".metadata: ")


def test_a_missing_or_empty_common_is_a_fault(tmp_path: Path) -> None:
    folder = write(tmp_path, {}, {})
    (folder / COMMON).unlink()
    assert [fault.partition(" ")[0] for fault in forbidden_globals(folder)] == ["common.pt:"]
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    (folder / COMMON).write_bytes(empty.getvalue())
    assert [fault.partition(" ")[0] for fault in forbidden_globals(folder)] == ["common.pt:"]


def test_what_torch_would_find_elsewhere_in_common_is_found(tmp_path: Path) -> None:
    evil = pickle.dumps(Evil(tmp_path / "ran"), 2)
    folder = write(tmp_path, {}, {})
    common = folder / COMMON
    plain = common.read_bytes()
    common.write_bytes(evil + plain)
    assert "bytes before the archive" in forbidden_globals(folder)[0]
    with zipfile.ZipFile(common, "w") as archive:  # torch takes the first folder, whatever its letters' case
        for name, data in (("x/DATA.PKL", evil), ("x/version", b"3"), ("y/data.pkl", pickle.dumps({}, 2))):
            archive.writestr(name, data)
    assert forbidden_globals(folder) == ["common.pt: posix.system"]
    with zipfile.ZipFile(common, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(10_000_000))
        archive.writestr("x/version", b"3")
    assert "compressed" in forbidden_globals(folder)[0]


def test_nothing_on_the_list_runs_what_it_is_given() -> None:
    """torch's data classes, dtypes and the layout table; nothing that takes a command or a path."""
    assert {module.partition(".")[0] for module, _ in ALLOWED} == {"torch", "collections"}
    assert not {name for _, name in ALLOWED} & {
        "load",
        "system",
        "eval",
        "exec",
        "getattr",
        "_rebuild_tensor",
    }
