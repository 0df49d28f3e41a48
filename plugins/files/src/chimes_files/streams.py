"""Groups files into streams: by folder and format, each group under its own name.

A file in the root is a stream; so are all files of one format in a folder below it. Folders named
``key=value`` belong to the folder above them and give its rows a column. A name is the path below the root
without the file's suffix; where two streams would have the same name, both keep a suffix.

A stream has a problem if one of its files cannot be read or has a folder whose key or value is not clear. It is
then neither listed nor planned, because rows would be missing; the other streams are.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa
from chimes.errors import ConflictError, NotFoundError, SchemaMismatchError, UnsupportedError
from chimes.text import escape

from chimes_files.config import FilesConfig, FormatName
from chimes_files.storage import Storage
from chimes_files.types import parse_type

__all__ = ["DataFile", "Listing", "Stream", "find_streams", "key_fields"]

SUFFIXES: dict[FormatName, tuple[str, ...]] = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv",),
    "ipc": (".arrow", ".ipc", ".feather"),
    "jsonl": (".jsonl", ".ndjson"),
}
MORE_SUFFIXES: dict[FormatName, tuple[str, ...]] = {"csv": (".tsv", ".txt"), "jsonl": (".json",)}
"""Suffixes that do not identify a format: they count where the configuration names it."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")
_LISTED = 20


@dataclass(frozen=True)
class DataFile:
    """A file of a stream, with the values of its ``key=value`` folders (None: null)."""

    path: str
    size_bytes: int
    values: tuple[tuple[str, str | None], ...] = ()


@dataclass(frozen=True)
class Stream:
    """Files that are read as one table, sorted by path."""

    name: str
    format: FormatName
    files: tuple[DataFile, ...]
    problem: str | None = None
    """Why the stream cannot be read, with the path of the file."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that come from folder names."""
        return tuple(name for name, _ in self.files[0].values)


@dataclass(frozen=True)
class Listing:
    """The streams by name, sorted, and the files that belong to none of them."""

    streams: dict[str, Stream]
    unnamed: tuple[str, ...]
    """Paths of files whose stream would have a name that is not UTF-8."""
    ignored: tuple[str, ...]
    """Paths of files whose suffix does not name a format."""

    def get(self, name: str) -> Stream:
        """The stream called ``name``. Raises NotFoundError listing all names, UnsupportedError for a problem."""
        if name not in self.streams:
            names = list(self.streams)
            more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
            listed = f"streams: {', '.join(names[:_LISTED])}{more}"
            raise NotFoundError(
                f"there is no stream {name!r}", hint=listed if names else "the root has no file of a known format"
            )
        stream = self.streams[name]
        if stream.problem:
            raise UnsupportedError(
                f"stream {name!r} cannot be read completely: {stream.problem}",
                hint="rename, repair or remove that file or folder",
            )
        return stream


@dataclass(frozen=True)
class _Place:
    """The stream that a file belongs to: its name, a longer one for conflicts, and whether it is a folder."""

    name: str
    longer: str
    format: FormatName
    is_folder: bool


def find_streams(storage: Storage, config: FilesConfig) -> Listing:
    """All streams below the root. Raises ConflictError where two would have the same name."""
    groups: dict[_Place, list[DataFile]] = {}
    problems: dict[_Place, str] = {}
    ignored: list[str] = []
    for file in storage.files():
        known = _format(file.path, config, alone=storage.only is not None)
        if known is None:
            ignored.append(file.path)
            continue
        place, folders = _place(file.path, *known, storage.name, config)
        values, problem = _values(folders)
        groups.setdefault(place, []).append(DataFile(file.path, file.size_bytes, values))
        if problem := file.problem or problem:
            problems.setdefault(place, f"{escape(file.path)} {problem}")
    return _named(groups, problems, tuple(ignored))


def _named(groups: dict[_Place, list[DataFile]], problems: dict[_Place, str], ignored: tuple[str, ...]) -> Listing:
    taken = Counter(place.name for place in groups)
    streams: dict[str, Stream] = {}
    unnamed: list[str] = []
    for place, files in groups.items():
        name = place.name if taken[place.name] == 1 else place.longer
        if name in streams:
            raise ConflictError(f"two streams are called {name!r}", hint="rename a file or folder, or set `format`")
        if _is_utf8(name):
            streams[name] = Stream(name, place.format, tuple(files), problems.get(place))
        else:
            unnamed += [file.path for file in files]
    return Listing(dict(sorted(streams.items())), tuple(unnamed), ignored)


def _place(
    path: str, format_name: FormatName, suffix: str, root_name: str, config: FilesConfig
) -> tuple[_Place, list[str]]:
    """The stream of a file, and the folders above the file that are named ``key=value``."""
    *folders, _ = path.split("/")
    if config.stream_per == "file" or not folders:
        return _Place(path.removesuffix(suffix) if suffix else path, path, format_name, False), []
    keyed: list[str] = []
    while config.partitioning == "hive" and folders and folders[-1].find("=") > 0:
        keyed.insert(0, folders.pop())
    name = "/".join(folders) or root_name
    return _Place(name, f"{name}.{format_name}", format_name, True), keyed


def _values(folders: list[str]) -> tuple[tuple[tuple[str, str | None], ...], str | None]:
    """The keys and values in the names of folders; or none, and the reason why one is not clear."""
    values: dict[str, str | None] = {}
    for folder in folders:
        name, _, value = folder.partition("=")
        try:
            key, text = unquote(name, errors="strict"), unquote(value, errors="strict")
        except UnicodeError:
            return (), f"lies in {escape(folder)!r}, whose percent escapes are not UTF-8"
        if key in values:
            return (), f"lies in two folders with the key {key!r}"
        values[key] = None if value == HIVE_NULL else text
    return tuple(values.items()), None


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _format(path: str, config: FilesConfig, *, alone: bool) -> tuple[FormatName, str] | None:
    """The format of a file and the suffix that names it, empty if only the configuration does."""
    name = path.rpartition("/")[2].lower()
    wanted = [config.format] if config.format != "auto" else list(SUFFIXES)
    for format_name in wanted:
        suffixes = SUFFIXES[format_name] + (MORE_SUFFIXES.get(format_name, ()) if config.format != "auto" else ())
        if format_name in ("csv", "jsonl"):
            suffixes += tuple(suffix + packed for suffix in suffixes for packed in COMPRESSED)
        for suffix in suffixes:
            if name.endswith(suffix) and name != suffix:
                return format_name, path[-len(suffix) :]
    return (wanted[0], "") if alone and config.format != "auto" else None


def key_fields(stream: Stream, config: FilesConfig) -> list[pa.Field]:
    """The columns that folder names give. Raises SchemaMismatchError where the files differ in their keys."""
    for file in stream.files:
        if tuple(name for name, _ in file.values) != stream.keys:
            raise SchemaMismatchError(
                f"{file.path} lies in other key=value folders than {stream.files[0].path}",
                hint=f"use the keys {', '.join(stream.keys) or '(none)'} for every file of stream {stream.name!r}",
            )
    return [pa.field(key, _key_type(key, stream, config)) for key in stream.keys]


def _key_type(key: str, stream: Stream, config: FilesConfig) -> pa.DataType:
    declared = config.types_of(stream.name, stream.format)
    if key in declared:
        return declared[key]
    if key in config.partition_types:
        return parse_type(config.partition_types[key])
    values = [value for file in stream.files if (value := dict(file.values)[key]) is not None]
    return pa.int64() if values and all(map(_WHOLE.fullmatch, values)) else pa.string()
