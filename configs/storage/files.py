"""Files of a run on any pyarrow filesystem: a local folder, s3:// or hdfs://.

There is no rename and no append here, so everything works the same on an object store.
Cost: a file written in one piece is in memory once; what is written is hashed on its way (xxh3-128, 10 GB/s).
"""

import errno
import re
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import xxhash

from configs.contract import ContractError, Part
from configs.storage.s3 import s3_filesystem

_THREADS = 16
"""Our choice: an object store answers one small request in some ten milliseconds, many at the same time."""

DISK_IS_FULL = (errno.ENOSPC, errno.EDQUOT)


def filesystem(path: str) -> tuple[pafs.FileSystem, str]:
    """The filesystem of a local path or URI (file:, s3:, hdfs:) and the path on it.

    What follows s3:// or file:// is taken as it is: names of files may hold spaces, % and ?.
    """
    scheme, has_scheme, rest = path.partition("://")
    if not has_scheme:
        return pafs.LocalFileSystem(), str(Path(path).absolute())
    if scheme == "file":
        return pafs.LocalFileSystem(), rest
    if scheme == "s3":
        local = re.sub("/+", "/", rest).rstrip("/")
        return s3_filesystem(local.partition("/")[0]), local
    found: tuple[pafs.FileSystem, str] = pafs.FileSystem.from_uri(path)
    return found


def local_folder(root: str) -> Path | None:
    """The folder of a root that is a path or a file: URI; None for another URI."""
    scheme, has_scheme, rest = root.partition("://")
    if not has_scheme:
        return Path(root)
    return Path(rest) if scheme == "file" else None


def make_folder(fs: pafs.FileSystem, path: str) -> None:
    """Make a folder where folders exist; on S3 it would be an empty object for each level."""
    if not isinstance(fs, pafs.S3FileSystem):
        fs.create_dir(path, recursive=True)


class HashedFile:
    """A new file that hashes what is written to it. It is whole when it was closed without an error."""

    def __init__(self, path: str) -> None:
        fs, local = filesystem(path)
        self._path = path
        self._state = xxhash.xxh3_128()
        self.num_bytes = 0
        with full_disk_told(path):
            make_folder(fs, local.rpartition("/")[0])
            self._stream = fs.open_output_stream(local, compression=None)

    def write(self, data: bytes | memoryview | pa.Buffer) -> int:
        """Append bytes. Raises ContractError if the disk is full."""
        view = memoryview(data)
        self._state.update(view)
        self.num_bytes += view.nbytes
        with full_disk_told(self._path):
            self._stream.write(data)
        return view.nbytes

    def close(self) -> None:
        """Finish the file. Raises ContractError if the disk is full."""
        with full_disk_told(self._path):
            self._stream.close()

    @property
    def closed(self) -> bool:
        """Whether the file is finished."""
        return bool(self._stream.closed)

    def flush(self) -> None:
        """Do nothing: Parquet's writer flushes more often than a store can take."""

    def digest(self) -> str:
        """xxh3-128 of everything written so far, in hex."""
        return self._state.hexdigest()


@contextmanager
def full_disk_told(path: str) -> Iterator[None]:
    """Turn the error of a full disk into one line that names the file."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_IS_FULL or "No space left on device" in str(error):
            raise ContractError(
                f"{path}: no space left on the device; remedy: make room, then run the same command again"
            ) from None
        raise


def digest_of(data: bytes) -> str:
    """xxh3-128 of `data`, in hex: the digest of a file with this content."""
    return xxhash.xxh3_128_hexdigest(data)


def write_bytes(folder: str, name: str, data: bytes, rows: int = 0) -> Part:
    """Write one file of a table; parents are created. The name must be new or belong to the same content.

    Raises ContractError if the disk is full.
    """
    file = HashedFile(f"{folder}/{name}")
    file.write(data)
    file.close()
    return Part(name, rows, len(data), file.digest())


def replace_bytes(folder: str, name: str, data: bytes) -> None:
    """Write one file in one step: a reader sees the old or the new whole.

    On an object store a file appears when it is closed; a local one is written beside and renamed.
    """
    fs, base = filesystem(folder)
    if not isinstance(fs, pafs.LocalFileSystem):
        write_bytes(folder, name, data)
        return
    write_bytes(folder, f"{name}.new", data)
    Path(base, f"{name}.new").replace(Path(base, name))


def read_many(folder: str, names: Sequence[str]) -> list[bytes]:
    """Many small files of a folder, whole, in the order of their names."""
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(lambda name: read_bytes(folder, name), names))


def read_bytes(folder: str, name: str) -> bytes:
    """One file of a table, whole. Raises FileNotFoundError."""
    fs, base = filesystem(folder)
    with fs.open_input_stream(f"{base}/{name}", compression=None) as stream:
        data: bytes = stream.read()
    return data


def delete_files(folder: str, names: Iterable[str]) -> None:
    """Delete files of a folder; those that are gone already do not matter."""
    fs, base = filesystem(folder)

    def delete(name: str) -> None:
        with suppress(FileNotFoundError):
            fs.delete_file(f"{base}/{name}")

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(delete, names))


def sizes_under(folder: str) -> dict[str, int]:
    """Bytes of every file under a folder by its path in it; empty if there is no such folder."""
    fs, base = filesystem(folder)
    infos = fs.get_file_info(pafs.FileSelector(base, recursive=True, allow_not_found=True))
    return {info.path[len(base) :].lstrip("/"): info.size for info in infos if info.is_file}
