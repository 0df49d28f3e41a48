"""What a user says about the files: where they are, what is in them, and what makes a stream."""

from __future__ import annotations

import codecs
from typing import Annotated, Literal
from urllib.parse import urlsplit

from chimes import Config
from pydantic import AfterValidator, Field, JsonValue, field_validator

from chimes_files.types import parse_type

__all__ = ["CsvOptions", "FilesConfig", "FormatName", "JsonlOptions"]

FormatName = Literal["parquet", "csv", "ipc", "jsonl"]


def _known_types(types: dict[str, JsonValue]) -> dict[str, JsonValue]:
    for column, spec in types.items():
        try:
            parse_type(spec)
        except ValueError as error:
            raise ValueError(f"column {column!r}: {error}") from error
    return types


def _known_streams(streams: dict[str, dict[str, JsonValue]]) -> dict[str, dict[str, JsonValue]]:
    for types in streams.values():
        _known_types(types)
    return streams


ColumnTypes = Annotated[dict[str, JsonValue], AfterValidator(_known_types)]
StreamTypes = Annotated[dict[str, dict[str, JsonValue]], AfterValidator(_known_streams)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class CsvOptions(Config):
    """Delimiters, quotes and types of CSV files."""

    delimiter: Character = Field(",", description="The character between two values.")
    quote: Character | None = Field('"', description="The character around a value; null if there is none.")
    escape: Character | None = Field(None, description="The character that takes the meaning from the next one.")
    encoding: str = Field("utf-8", description="The encoding of the text, a name that Python knows.")
    names: tuple[str, ...] | None = Field(None, description="Names of the columns where the file has no header row.")
    null_values: tuple[str, ...] = Field(("",), description="What stands for null where it is not quoted.")
    types: ColumnTypes = Field(default={}, description="Arrow types by column, as {column: type}, in any stream.")
    streams: StreamTypes = Field(default={}, description="Arrow types in one stream, as {stream: {column: type}}.")
    infer: bool = Field(
        True, description="Guess the types of other columns from the first block; if not, they are text."
    )

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            # Some codecs are none of text, and only say so when they are used.
            "".encode(name)
        except LookupError as error:
            raise ValueError(f"there is no encoding {encoding!r} of text") from error
        return name


class JsonlOptions(Config):
    """Types of the fields in JSON Lines files."""

    types: ColumnTypes = Field(
        default={}, description="Arrow types by field, as {field: type}; others are guessed from the first block."
    )
    streams: StreamTypes = Field(
        default={}, description="All fields of one stream, as {stream: {field: type}}; nothing is guessed there."
    )


class FilesConfig(Config):
    """Files under one root."""

    root: str = Field(
        min_length=1, description="A folder or a file: a path, or a URL of which fsspec has the driver installed."
    )
    format: Literal["auto"] | FormatName = Field("auto", description="The format of the files; auto: by suffix.")
    stream_per: Literal["folder", "file"] = Field(
        "folder", description="What makes a stream in a folder below the root: all its files, or each file."
    )
    partitioning: Literal["hive", "none"] = Field(
        "hive", description="Whether folders named key=value are columns of the stream that they belong to."
    )
    partition_types: ColumnTypes = Field(
        default={}, description="Arrow types of key=value columns; int64 or string if not given."
    )
    hidden: tuple[str, ...] = Field(
        (".", "_"), description="Files and folders whose names begin with one of these are not seen."
    )
    csv: CsvOptions = Field(CsvOptions(), description="How CSV files are written.")
    jsonl: JsonlOptions = Field(JsonlOptions(), description="How JSON Lines files are read.")
    block_bytes: int = Field(
        1 << 20, ge=1024, le=1 << 30, description="How much text is parsed at a time; more than the longest row."
    )
    min_part_bytes: int = Field(
        16 << 20, ge=1, description="Text files are not cut into parts for less than this: each part parses it all."
    )
    storage: dict[str, JsonValue] = Field(default={}, description="Options of the fsspec driver.")
    secrets: dict[str, str] = Field(
        default={}, description="Options of the fsspec driver that are secret, as references: env:NAME or file:/path."
    )

    @field_validator("root")
    @classmethod
    def _without_password(cls, root: str) -> str:
        if "://" in root and "@" in urlsplit(root).netloc:
            raise ValueError("a URL with credentials in it; name them under `secrets`")
        return root
