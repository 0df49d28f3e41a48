"""Cuts a read into partitions: units of files (row groups, stored batches, stripes of rows) in order.

A unit is the part of a file that can be read without the bytes before it: a row group of Parquet, a record batch of
Arrow IPC. Text has no such units, so its rows are counted in stripes, and each partition parses the whole file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from chimes import Partition
from chimes.errors import InvalidStateError
from chimes.kinds.component import Value
from chimes.kinds.schema import ArrowSchema
from pydantic import ValidationError, field_validator

from chimes_files.config import FormatName
from chimes_files.streams import DataFile, Stream

__all__ = ["Piece", "Token", "deal", "read_token", "text_units"]

_MANY = 4


class Piece(Value):
    """Part of a file: units [start, stop) of ``total``, or the whole file."""

    path: str
    values: tuple[tuple[str, str | None], ...] = ()
    units: tuple[int, int, int] | None = None

    @field_validator("path")
    @classmethod
    def _below_root(cls, path: str) -> str:
        if path.startswith("/") or ".." in path.split("/"):
            raise ValueError("not a path below the root")
        return path

    @field_validator("units")
    @classmethod
    def _in_order(cls, units: tuple[int, int, int] | None) -> tuple[int, int, int] | None:
        if units is not None and not 0 <= units[0] <= units[1] <= units[2]:
            raise ValueError("not a range of units")
        return units


class Token(Value):
    """What ``read`` needs from the plan: format, pieces, the stream's whole schema with the forms of guessed types."""

    version: Literal[1] = 1
    format: FormatName
    arrow_schema: ArrowSchema
    pieces: tuple[Piece, ...]


def read_token(partition: Partition) -> Token:
    """The token that ``plan`` wrote. Raises InvalidStateError for anything else."""
    try:
        return Token.model_validate(partition.token)
    except ValidationError as error:
        raise InvalidStateError(
            f"partition {partition.id!r} was not planned by this connector",
            hint="pass the partitions of plan() unchanged",
        ) from error


def text_units(file: DataFile, stream: Stream, wanted: int, min_part_bytes: int) -> int:
    """The number of parts of a text file: its share of ``wanted``, each of at least ``min_part_bytes``."""
    everything = sum(other.size_bytes for other in stream.files) or 1
    share = -(-wanted * file.size_bytes // everything)
    return max(1, min(share, file.size_bytes // min_part_bytes))


def deal(
    files: Sequence[DataFile], wanted: int, weigh: Callable[[DataFile], Sequence[int]]
) -> list[tuple[tuple[Piece, ...], int | None]]:
    """At most ``wanted`` groups of pieces, each with its weight (None: not weighed), disjoint and complete.

    ``weigh`` opens a file and gives the weight of each unit. It is not called for one group, or for many more files
    than groups: whole files are then distributed by their size.
    """
    if wanted == 1:
        return [(tuple(Piece(path=file.path, values=file.values) for file in files), None)]
    if len(files) >= _MANY * wanted:
        atoms = [(file, None, max(file.size_bytes, 1)) for file in files]
        return [(_join(group), None) for group in _share(atoms, wanted)]
    weighed = [
        (file, (unit, unit + 1, len(weights)), weight)
        for file in files
        for weights in (weigh(file),)
        for unit, weight in enumerate(weights)
    ]
    return [(_join(group), sum(weight for _, _, weight in group)) for group in _share(weighed, wanted)] or [((), 0)]


Atom = tuple[DataFile, tuple[int, int, int] | None, int]


def _share(atoms: Sequence[Atom], wanted: int) -> Iterator[list[Atom]]:
    """Consecutive atoms in groups of about the same weight; an atom belongs to the group that contains its middle."""
    total = sum(weight for _, _, weight in atoms)
    groups: list[list[Atom]] = [[] for _ in range(wanted)]
    before = 0
    for atom in atoms:
        weight = atom[2]
        groups[min(wanted - 1, (2 * before + weight) * wanted // (2 * total)) if total else 0].append(atom)
        before += weight
    return (group for group in groups if group)


def _join(atoms: Sequence[Atom]) -> tuple[Piece, ...]:
    pieces: list[Piece] = []
    for file, units, _ in atoms:
        last = pieces[-1] if pieces else None
        if units and last and last.path == file.path and last.units:
            units = (last.units[0], units[1], units[2])
            pieces.pop()
        pieces.append(Piece(path=file.path, values=file.values, units=units))
    return tuple(pieces)
