"""Lists and opens files below the root, on this machine or behind fsspec. Errors name the file.

What is listed:

=====================================  =================================================================
found below the root                   in the list
=====================================  =================================================================
regular file, or a link to one         yes
folder, or a link to one               its files; not where the link leads to a folder that contains it
hidden name (``_x``, ``.x``)           no, nor what is below it
hidden name with ``=`` (``_x=1``)      yes: it is a key and a value, not a hidden name
link to nothing, or to itself          yes, with a problem
pipe, socket, device                   yes, with a problem
name that is not UTF-8                 yes, with a problem
name with control characters           yes; messages show them escaped
=====================================  =================================================================

A file with a problem cannot be read. Its stream is refused, so that no row is missing without an error.
"""

from __future__ import annotations

import os
import re
import stat
from collections import Counter
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
from chimes.text import escape

from chimes_files.config import FilesConfig

__all__ = ["File", "Storage", "blaming"]

_MOST_VISITS = 1000

_URL = re.compile(r"[a-z][a-z0-9+.-]*:(//|:)", re.IGNORECASE)
_COMPRESSED = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd", ".lz4": "lz4"}


@dataclass(frozen=True)
class File:
    """A file by its path below the root (with ``/``) and its size."""

    path: str
    size_bytes: int
    problem: str | None = None
    """Why the file cannot be read, if that can be told without opening it."""


@dataclass(frozen=True)
class _Root:
    filesystem: Any
    folder: str
    only: str | None  # the file's name if the root is a file
    driver: Any = None  # of fsspec; None for files on this machine


class Storage:
    """Lists and opens the files below the configured root. Making one touches no file."""

    def __init__(self, config: FilesConfig, context: Context) -> None:
        self._config, self._context = config, context

    @property
    def only(self) -> str | None:
        """The file's name if the root is a file, None if it is a folder."""
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
        """The files below the root that are not hidden, sorted by path."""
        with blaming(self._config.root):
            if self.only:
                return [File(self.only, self.filesystem.get_file_info(self.only).size)]
            found = self._list_remote() if self._root.driver else self._list_local()
            return sorted(found, key=lambda file: file.path)

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
        root, real = self._root.folder, dict[str, str]()
        visits = Counter[str]()
        for folder, below, names in os.walk(root, followlinks=True, onerror=_raise):
            real[folder] = os.path.realpath(folder)
            parent = os.path.dirname(folder)
            # A link to a folder above would be followed for ever, and links that branch nearly so.
            above = set[str]() if folder == root else _folders_above(parent, root, real)
            visits[real[folder]] += 1
            if visits[real[folder]] > _MOST_VISITS:
                raise UnsupportedError(
                    f"more than {_MOST_VISITS} links lead to {escape(real[folder])}", hint="remove some of the links"
                )
            is_circle = real[folder] in above
            below[:] = [] if is_circle else sorted(name for name in below if not self._is_hidden(name))
            for name in names if not is_circle else ():
                if not self._is_hidden(name) and (file := _local_file(os.path.join(folder, name), root)):
                    yield file

    def _list_remote(self) -> Iterator[File]:
        # Folder by folder: the recursive listing of fsspec leaves out folders that it may not list.
        root, folders = self._root.folder.rstrip("/"), [self._root.folder]
        while folders:
            folder = folders.pop()
            for entry in self._root.driver.ls(folder, detail=True):
                path = entry["name"].rstrip("/")
                if path == folder.rstrip("/") or self._is_hidden(path.rpartition("/")[2]):
                    continue
                if entry["type"] == "directory":
                    folders.append(entry["name"])
                else:
                    problem = None if entry["type"] == "file" else f"is of the kind {entry['type']!r}, not a file"
                    yield File(path.removeprefix(root + "/"), entry["size"] or 0, problem)

    def _is_hidden(self, name: str) -> bool:
        # As in Spark and Hive, a name with a key and a value in it is data: `_id=1`.
        return name.startswith(self._config.hidden) and name.find("=") < 1


def _folders_above(folder: str, root: str, real: dict[str, str]) -> set[str]:
    """The real paths of ``folder`` and the folders above it, up to ``root``."""
    above = {real[folder]}
    while folder != root:
        folder = os.path.dirname(folder)
        above.add(real[folder])
    return above


def _local_file(path: str, root: str) -> File | None:
    """A file with its problem, if it has one; None if it is gone already."""
    name = os.path.relpath(path, root)
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return File(name, 0, "is a link that leads to no file") if os.path.islink(path) else None
    except OSError as error:
        return File(name, 0, f"cannot be examined: {error.strerror}")
    if not stat.S_ISREG(facts.st_mode):
        return File(name, 0, "is a pipe, a socket or a device, not a file")
    try:
        name.encode()
    except UnicodeEncodeError:
        return File(name, facts.st_size, "has a name or a folder whose name is not UTF-8")
    return File(name, facts.st_size)


def _raise(error: OSError) -> None:
    raise error


@contextmanager
def blaming(path: str, label: str | None = None) -> Iterator[None]:
    """Turn an exception inside into a ChimesError that names ``path``; ``label`` is the format expected."""
    try:
        yield
    except ChimesError:
        raise
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no file {path}", hint="plan again if it was moved after the plan") from error
    except PermissionError as error:
        raise PermissionDeniedError(f"{path} may not be read", hint="ask its owner for permission") from error
    except (MemoryError, pa.ArrowMemoryError) as error:
        raise OutOfMemoryError(f"{path} needs more memory than there is", hint="ask for smaller batches") from error
    except pa.ArrowNotImplementedError as error:
        raise UnsupportedError(f"{path}: {_first_line(error)}", hint="leave that column out") from error
    except (pa.ArrowException, OSError, ValueError, TypeError) as error:
        raise _unreadable(path, label, error) from error


def _unreadable(path: str, label: str | None, error: Exception) -> ChimesError:
    # A failure of the machine has an errno; an error that a reader raises for the content has none.
    if getattr(error, "errno", None) is not None:
        return InfrastructureError(f"{path} cannot be read: {_first_line(error)}", hint="check the disk or the server")
    what = f"is not valid {label}" if label else "cannot be read"
    return SchemaMismatchError(
        f"{path} {what}: {_first_line(error)}", hint="check that the file is complete and that `format` is right"
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__
