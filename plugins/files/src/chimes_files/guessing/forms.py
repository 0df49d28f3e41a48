"""The one way in which a column's values are written as text, by which a guessed type is proved reversible.

A form is a regular expression and an Arrow type. A type is guessed for a column only where one form matches
every text that was examined and the values give every text back; in all other cases the column stays text. The
read checks each later text against the same form, so that no value is ever changed without an error.

The form travels with the plan in the metadata of the column's field. ``plain`` takes it off again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

from chimes_files.guessing.numerals import are_exact

__all__ = ["Form", "find_form", "find_misfit", "holds_numerals", "numeral_field", "plain", "with_form"]

_KEY = b"chimes_files.form"
_NUMERAL = b"numeral"


@dataclass(frozen=True)
class Form:
    """A regular expression (RE2) that the whole text must match, and the type that the text then gives."""

    pattern: str
    dtype: pa.DataType

    def read(self, texts: pa.Array) -> pa.Array:
        """The values of an array or chunked array of strings. Raises ArrowInvalid unless each text comes back."""
        if pc.all(pc.match_substring_regex(texts, rf"\A(?:{self.pattern})\z")).as_py() is False:
            raise pa.ArrowInvalid(f"a text is not written as {self.pattern}")
        if self.pattern.startswith(" "):
            texts = pc.utf8_ltrim(texts, " ")
        if pt.is_time32(self.dtype):
            # Arrow casts no text to a time, only to a timestamp.
            return pc.binary_join_element_wise("1970-01-01", texts, " ").cast(pa.timestamp("s")).cast(self.dtype)
        values = texts.cast(self.dtype)
        if pt.is_floating(self.dtype) and not are_exact(texts, values):
            raise pa.ArrowInvalid(f"a number has more digits than {self.dtype} holds")
        return values

    def reads(self, texts: pa.Array) -> bool:
        """Whether ``read`` takes all these texts."""
        try:
            self.read(texts)
        except pa.ArrowInvalid:
            return False
        return True


def find_misfit(texts: pa.Array, read: Callable[[pa.Array], pa.Array]) -> int:
    """The index of the first text for which ``read`` raises ArrowInvalid, in an array that it refuses."""
    start, stop = 0, len(texts)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            # Not a slice: Arrow casts also those values of a list that are outside of a slice.
            read(texts.take(pa.array(range(start, middle))))
            start = middle
        except pa.ArrowInvalid:
            stop = middle
    return start


def with_form(field: pa.Field, form: Form) -> pa.Field:
    """``field`` with the form's type, and the form in its metadata."""
    return pa.field(field.name, form.dtype, metadata={_KEY: form.pattern.encode()})


def find_form(field: pa.Field) -> Form | None:
    """The form in the field's metadata; None for a field whose type is not guessed."""
    pattern = (field.metadata or {}).get(_KEY)
    return None if pattern is None else Form(pattern.decode(), field.type)


def numeral_field(field: pa.Field) -> pa.Field:
    """``field`` as a string that holds the digits of JSON numbers, for numbers that no type holds."""
    return pa.field(field.name, pa.string(), metadata={_KEY: _NUMERAL})


def holds_numerals(field: pa.Field) -> bool:
    """Whether ``field`` was made by ``numeral_field``."""
    return (field.metadata or {}).get(_KEY) == _NUMERAL


def plain(schema: pa.Schema) -> pa.Schema:
    """The schema without the forms in its fields' metadata."""
    return pa.schema([_plain_field(field) for field in schema], metadata=schema.metadata)


def _plain_field(field: pa.Field) -> pa.Field:
    metadata = {key: value for key, value in (field.metadata or {}).items() if key != _KEY}
    return pa.field(field.name, _plain_type(field.type), field.nullable, metadata or None)


def _plain_type(dtype: pa.DataType) -> pa.DataType:
    if pt.is_struct(dtype):
        return pa.struct([_plain_field(field) for field in dtype.fields])
    if pt.is_list(dtype):
        return pa.list_(_plain_field(dtype.value_field))
    return dtype
