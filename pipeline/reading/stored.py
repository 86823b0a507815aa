"""Open an input file so that a fault of the object store is not taken for a fault of the file.

A damaged file becomes rejects, which are the same in every run. A request that fails is another matter: it
ends the job, and the next run reads the file. pyarrow raises OSError for both.
"""

import io
from collections.abc import Callable
from typing import TypeVar

import pyarrow.fs as pafs

from configs.loader import ConfigError
from configs.tables import filesystem

T = TypeVar("T")

BUFFER_BYTES = 1 << 20
"""Our choice: one request to an object store; short seeks stay inside it."""


class StoredFile(io.RawIOBase):
    """The bytes of a file as they are stored, in a local folder or in an object store."""

    def __init__(self, path: str) -> None:
        """Open the file. Raises OSError if it is missing or a local one cannot be opened."""
        fs, local = filesystem(path)
        self._path, self._is_local = path, isinstance(fs, pafs.LocalFileSystem)
        self._file = self._told(lambda: fs.open_input_file(local))
        self.size: int = self._told(self._file.size)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return int(self._told(lambda: self._file.seek(offset, whence)))

    def tell(self) -> int:
        return int(self._file.tell())

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return int(self._told(lambda: self._file.readinto(buffer)))

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _told(self, function: Callable[[], T]) -> T:
        """The function's result. Raises ConfigError for an object store's fault."""
        try:
            return function()
        except FileNotFoundError:
            raise
        except OSError as error:
            if self._is_local:
                raise
            raise ConfigError(
                f"{self._path}: the object store does not give it ({error}); "
                "remedy: run the same command again, or correct its permissions"
            ) from None


def open_stored(path: str) -> tuple[io.BufferedReader, int]:
    """A buffered reader of a file, and its size in bytes. Raises OSError or ConfigError as StoredFile."""
    stored = StoredFile(path)
    return io.BufferedReader(stored, BUFFER_BYTES), stored.size
