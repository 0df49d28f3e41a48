"""The configuration of the connector: where the files are, how they are written, what makes a stream."""

from __future__ import annotations

import codecs
from fnmatch import fnmatchcase
from typing import Annotated, Literal
from urllib.parse import urlsplit

import pyarrow as pa
from chimes import Config
from pydantic import AfterValidator, ConfigDict, Field, JsonValue, field_validator

from chimes_files.types import parse_type

__all__ = ["TEXT_FORMATS", "CsvOptions", "FilesConfig", "FormatName", "JsonlOptions"]

FormatName = Literal["parquet", "csv", "ipc", "jsonl"]
TEXT_FORMATS: tuple[FormatName, ...] = ("csv", "jsonl")


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
    quote: Character | None = Field('"', description="The character around a value; null if values are not quoted.")
    escape: Character | None = Field(None, description="The character that makes the next one an ordinary character.")
    encoding: str = Field("utf-8", description="The encoding of the text, by a name that Python knows.")
    names: tuple[str, ...] | None = Field(None, description="Names of the columns, for files without a header row.")
    null_values: tuple[str, ...] = Field(("",), description="The unquoted values that mean null.")
    types: ColumnTypes = Field(default={}, description='The same as `schema` under "*", for CSV files only.')
    streams: StreamTypes = Field(default={}, description="The same as `schema`, for CSV files only.")
    infer: bool = Field(True, description="Guess the types of columns that `schema` does not name; if false: string.")

    @field_validator("encoding")
    @classmethod
    def _encoding_exists(cls, encoding: str) -> str:
        try:
            name = codecs.lookup(encoding).name
            # Some codecs do not encode text, and only fail when they are used.
            "".encode(name)
        except LookupError as error:
            raise ValueError(f"{encoding!r} is not a text encoding") from error
        return name


class JsonlOptions(Config):
    """Types of the fields in JSON Lines files."""

    types: ColumnTypes = Field(default={}, description='The same as `schema` under "*", for JSON Lines files only.')
    streams: StreamTypes = Field(
        default={}, description="All fields of a stream, as {stream: {field: type}}; other fields are an error there."
    )


class FilesConfig(Config):
    """Files under one root."""

    # The plain name `schema` is taken by a method of pydantic's models.
    model_config = ConfigDict(serialize_by_alias=True)

    root: str = Field(
        min_length=1, description="A folder or a file: a path, or a URL whose fsspec driver is installed."
    )
    format: Literal["auto"] | FormatName = Field("auto", description="The format of the files; auto: by suffix.")
    stream_per: Literal["folder", "file"] = Field(
        "folder", description="Whether a folder below the root is one stream, or each file in it."
    )
    partitioning: Literal["hive", "none"] = Field(
        "hive", description="Whether folders named key=value are columns of the stream that they belong to."
    )
    partition_types: ColumnTypes = Field(
        default={}, description="Arrow types of key=value columns, in any stream; int64 or string if not given."
    )
    hidden: tuple[str, ...] = Field(
        (".", "_"), description="Files and folders whose names begin with one of these are ignored, except key=value."
    )
    declared: StreamTypes = Field(
        default={},
        alias="schema",
        description=(
            "Arrow types of columns in CSV and JSON Lines files, as {stream: {column: type}}. The stream is a name "
            'or a shell pattern ("*": every stream); a name counts before a pattern.'
        ),
    )
    csv: CsvOptions = Field(CsvOptions(), description="How CSV files are written.")
    jsonl: JsonlOptions = Field(JsonlOptions(), description="How JSON Lines files are read.")
    int96: Literal["us", "ns"] = Field(
        "us", description="The unit of legacy INT96 timestamps in Parquet; a value that it cannot hold is an error."
    )
    guess_bytes: int = Field(
        8 << 20, ge=1, description="How much text of a stream is examined to guess types; its files share it."
    )
    block_bytes: int = Field(
        1 << 20, ge=1024, le=1 << 30, description="How much text is parsed at a time; at least the longest row."
    )
    min_part_bytes: int = Field(
        16 << 20, ge=1, description="The least share of a text file for each part, as every part parses the whole file."
    )
    storage: dict[str, JsonValue] = Field(default={}, description="Options of the fsspec driver.")
    secrets: dict[str, str] = Field(
        default={}, description="Options of the fsspec driver that are secret, as references: env:NAME or file:/path."
    )

    @field_validator("root")
    @classmethod
    def _without_password(cls, root: str) -> str:
        if "://" in root and "@" in urlsplit(root).netloc:
            raise ValueError("the URL contains credentials; give them under `secrets`")
        return root

    def types_of(self, stream: str, format_name: FormatName) -> dict[str, pa.DataType]:
        """The types that the configuration gives for columns of a stream; a more exact place overrides."""
        specs: dict[str, JsonValue] = {}
        if format_name in TEXT_FORMATS:
            options = self.csv if format_name == "csv" else self.jsonl
            specs |= options.types | options.streams.get(stream, {})
        for pattern, types in self.declared.items():
            if pattern != stream and fnmatchcase(stream, pattern):
                specs |= types
        return {column: parse_type(spec) for column, spec in (specs | self.declared.get(stream, {})).items()}
