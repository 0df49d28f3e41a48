"""Where the files are: a root on this machine or behind fsspec, and errors that name the file."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import fsspec.core
import pyarrow as pa
import pyarrow.fs as pafs
from chimes import Context
from chimes.errors import (
    ChimesError,
    ConfigError,
    InfrastructureError,
    NotFoundError,
    OutOfMemoryError,
    PermissionDeniedError,
    SchemaMismatchError,
    UnsupportedError,
)

from chimes_files.config import FilesConfig

__all__ = ["File", "Storage", "blaming"]

_URL = re.compile(r"[a-z][a-z0-9+.-]*:(//|:)", re.IGNORECASE)
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


@dataclass(frozen=True)
class File:
    """A file by its path below the root (with ``/``) and its size."""

    path: str
    size_bytes: int


@dataclass(frozen=True)
class _Root:
    filesystem: Any
    folder: str
    only: str | None  # the name of the file, where the root is one
    driver: Any = None  # of fsspec; None on this machine


class Storage:
    """Lists and opens the files below the configured root. Nothing is touched before it is asked for."""

    def __init__(self, config: FilesConfig, context: Context) -> None:
        self._config, self._context = config, context

    @property
    def only(self) -> str | None:
        """The name of the file where the root is a file and no folder."""
        return self._root.only

    @property
    def name(self) -> str:
        """The root's own name, without the folders above it."""
        return self._root.only or self._root.folder.rstrip("/").rpartition("/")[2] or "root"

    @cached_property
    def filesystem(self) -> Any:
        """A pyarrow filesystem in which paths are relative to the root."""
        return pafs.SubTreeFileSystem(self._root.folder, self._root.filesystem)

    def check(self) -> None:
        """Raise NotFoundError or PermissionDeniedError unless the root can be listed, or read."""
        with blaming(self._config.root):
            if self.only:
                self.filesystem.open_input_file(self.only).close()
            elif self._root.driver:
                self._root.driver.ls(self._root.folder, detail=False)
            else:
                os.scandir(self._root.folder).close()

    def files(self) -> list[File]:
        """All regular files below the root, sorted by path; hidden names are left out."""
        with blaming(self._config.root):
            if self.only:
                return [File(self.only, self.filesystem.get_file_info(self.only).size)]
            found = self._list_remote() if self._root.driver else self._list_local()
            return sorted((file for file in found if not self._is_hidden(file.path)), key=lambda file: file.path)

    def open_file(self, path: str) -> Any:
        """A seekable ``pyarrow.NativeFile``."""
        return self.filesystem.open_input_file(path)

    def open_text(self, path: str) -> Any:
        """A ``pyarrow.NativeFile`` read from the front, decompressed by the path's last suffix."""
        compression = _COMPRESSED.get(os.path.splitext(path)[1].lower())
        return self.filesystem.open_input_stream(path, compression=compression)

    @cached_property
    def _root(self) -> _Root:
        with blaming(self._config.root):
            filesystem, path, driver = self._resolve()
            kind = filesystem.get_file_info(path).type
            if kind == pafs.FileType.NotFound:
                raise NotFoundError(f"there is no file or folder {self._config.root}", hint="correct `root`")
            if kind == pafs.FileType.Directory:
                return _Root(filesystem, path, None, driver)
            if kind != pafs.FileType.File:
                raise ConfigError(f"{self._config.root} is neither a file nor a folder", hint="correct `root`")
            folder, _, name = path.rpartition("/")
            return _Root(filesystem, folder or "/", name, driver)

    def _resolve(self) -> tuple[Any, str, Any]:
        root = self._config.root
        if not _URL.match(root):
            return pafs.LocalFileSystem(), os.path.abspath(root), None
        if root.lower().startswith("file://"):
            filesystem, path = pafs.FileSystem.from_uri(root)
            return filesystem, path, None
        secrets = {name: self._context.secrets.resolve(reference) for name, reference in self._config.secrets.items()}
        try:
            driver, path = fsspec.core.url_to_fs(root, **self._config.storage, **secrets)
        except ImportError as error:
            raise UnsupportedError(f"no driver for {root} is installed", hint=str(error)) from error
        except (ValueError, TypeError) as error:
            raise ConfigError(f"{root} cannot be opened with fsspec: {error}", hint="correct `root`") from error
        return pafs.PyFileSystem(pafs.FSSpecHandler(driver)), path, driver

    def _list_local(self) -> Iterator[File]:
        # Links to folders are followed, each folder once: a link to a folder above would be walked for ever.
        root, seen = self._root.folder, set[str]()
        for folder, below, names in os.walk(root, followlinks=True, onerror=_raise):
            real = os.path.realpath(folder)
            below[:] = [] if real in seen else sorted(below)
            for name in names if real not in seen else ():
                path = os.path.join(folder, name)
                facts = os.stat(path) if os.path.exists(path) else None
                if facts and stat.S_ISREG(facts.st_mode):
                    yield File(os.path.relpath(path, root), facts.st_size)
            seen.add(real)

    def _list_remote(self) -> Iterator[File]:
        # Folder by folder: the recursive listing of fsspec leaves out what it may not see, without a word.
        root, folders = self._root.folder.rstrip("/"), [self._root.folder]
        while folders:
            folder = folders.pop()
            for entry in self._root.driver.ls(folder, detail=True):
                if entry["name"].rstrip("/") == folder.rstrip("/"):
                    continue
                if entry["type"] == "directory":
                    folders.append(entry["name"])
                elif entry["type"] == "file":
                    yield File(entry["name"].removeprefix(root + "/"), entry["size"] or 0)

    def _is_hidden(self, path: str) -> bool:
        return any(part.startswith(self._config.hidden) for part in path.split("/"))


def _raise(error: OSError) -> None:
    raise error


@contextmanager
def blaming(path: str, label: str | None = None) -> Iterator[None]:
    """Turn what goes wrong inside into a ChimesError that names ``path``; ``label`` is the format expected."""
    try:
        yield
    except ChimesError:
        raise
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", hint="was it moved after the plan? plan again") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"{path} may not be read", hint="ask its owner for permission") from error
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise OutOfMemoryError(f"{path} needs more memory than there is", hint="ask for smaller batches") from error
    except pa.ArrowNotImplementedError as error:
        raise UnsupportedError(f"{path}: {_first_line(error)}", hint="leave that column out") from error
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise _unreadable(path, label, error) from error


def _unreadable(path: str, label: str | None, error: Exception) -> ChimesError:
    # A real failure of the machine has an errno; what a reader finds wrong inside a file has none.
    if getattr(error, "errno", None) is not None:
        return InfrastructureError(f"{path} cannot be read: {_first_line(error)}", hint="is the disk or server well?")
    what = f"is not valid {label}" if label else "cannot be read"
    return SchemaMismatchError(f"{path} {what}: {_first_line(error)}", hint="is the file whole, its format as said?")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
