"""Which streams there are: files grouped by folder and format, each group under a name of its own.

A file in the root is a stream; so are all files of one format in a folder below it. Folders named
``key=value`` belong to the folder above them and give its rows a column. A name is the path below the root
without the file's suffix; where two streams would have the same name, both keep a suffix.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import unquote

import pyarrow as pa
from chimes.errors import ConflictError, NotFoundError, SchemaMismatchError

from chimes_files.config import FilesConfig, FormatName
from chimes_files.storage import File, Storage
from chimes_files.types import parse_type

__all__ = ["DataFile", "Stream", "find_streams", "get_stream", "key_fields"]

SUFFIXES: dict[FormatName, tuple[str, ...]] = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv",),
    "ipc": (".arrow", ".ipc", ".feather"),
    "jsonl": (".jsonl", ".ndjson"),
}
MORE_SUFFIXES: dict[FormatName, tuple[str, ...]] = {"csv": (".tsv", ".txt"), "jsonl": (".json",)}
"""Suffixes that say too little alone: they count where the configuration names the format."""

COMPRESSED = (".gz", ".bz2", ".zst", ".lz4")
HIVE_NULL = "__HIVE_DEFAULT_PARTITION__"
_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
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

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns that come from folder names."""
        return tuple(name for name, _ in self.files[0].values)


@dataclass(frozen=True)
class _Place:
    """What a file's path says: its stream's name, the name that it falls back on, whether that is a folder."""

    name: str
    longer: str
    format: FormatName
    is_folder: bool
    values: tuple[tuple[str, str | None], ...] = ()


def get_stream(streams: dict[str, Stream], name: str) -> Stream:
    """The stream called ``name``. Raises NotFoundError with the names that there are."""
    if name in streams:
        return streams[name]
    names = list(streams)
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    there = f"streams: {', '.join(names[:_LISTED])}{more}" if names else "the root holds no file of a known format"
    raise NotFoundError(f"there is no stream {name!r}", hint=there)


def find_streams(storage: Storage, config: FilesConfig) -> dict[str, Stream]:
    """The streams by name, sorted. Raises ConflictError where two cannot be told apart by name."""
    groups: dict[_Place, list[DataFile]] = {}
    for file in storage.files():
        if place := _place(file, storage, config):
            key = replace(place, values=())
            groups.setdefault(key, []).append(DataFile(file.path, file.size_bytes, place.values))
    taken = Counter(place.name for place in groups)
    streams: dict[str, Stream] = {}
    for place, files in groups.items():
        name = place.name if taken[place.name] == 1 else place.longer
        if name in streams:
            raise ConflictError(f"two streams are called {name!r}", hint="rename a file or folder, or set `format`")
        streams[name] = Stream(name, place.format, tuple(files))
    return dict(sorted(streams.items()))


def _place(file: File, storage: Storage, config: FilesConfig) -> _Place | None:
    known = _format(file.path, config, alone=storage.only is not None)
    if known is None:
        return None
    format_name, suffix = known
    stem = file.path.removesuffix(suffix) if suffix else file.path
    *folders, _ = file.path.split("/")
    if config.stream_per == "file" or not folders:
        return _Place(stem, file.path, format_name, False)
    values: list[tuple[str, str | None]] = []
    while config.partitioning == "hive" and folders and folders[-1].find("=") > 0:
        key, _, value = folders.pop().partition("=")
        values.insert(0, (unquote(key), None if value == HIVE_NULL else unquote(value)))
    name = "/".join(folders) or storage.name
    return _Place(name, f"{name}.{format_name}", format_name, True, tuple(values))


def _format(path: str, config: FilesConfig, *, alone: bool) -> tuple[FormatName, str] | None:
    """The format of a file and the suffix that says so, empty if only the configuration does."""
    wanted = [config.format] if config.format != "auto" else list(SUFFIXES)
    for name in wanted:
        suffixes = SUFFIXES[name] + (MORE_SUFFIXES.get(name, ()) if config.format != "auto" else ())
        if name in ("csv", "jsonl"):
            suffixes += tuple(suffix + packed for suffix in suffixes for packed in COMPRESSED)
        for suffix in suffixes:
            if path.lower().endswith(suffix) and not path.lower().endswith("/" + suffix):
                return name, path[-len(suffix) :]
    return (wanted[0], "") if alone and config.format != "auto" else None


def key_fields(stream: Stream, config: FilesConfig) -> list[pa.Field]:
    """The columns that folder names give. Raises SchemaMismatchError where the files differ in their keys."""
    for file in stream.files:
        if tuple(name for name, _ in file.values) != stream.keys:
            raise SchemaMismatchError(
                f"{file.path} lies in other key=value folders than {stream.files[0].path}",
                hint=f"use the keys {', '.join(stream.keys) or '(none)'} for every file of stream {stream.name!r}",
            )
    return [pa.field(key, _key_type(key, stream.files, config)) for key in stream.keys]


def _key_type(key: str, files: Iterable[DataFile], config: FilesConfig) -> pa.DataType:
    if key in config.partition_types:
        return parse_type(config.partition_types[key])
    values = [value for file in files if (value := dict(file.values)[key]) is not None]
    return pa.int64() if values and all(map(_WHOLE.fullmatch, values)) else pa.string()
