"""JSON Lines cut into blocks of whole lines, each line checked to be an object that Arrow's parser survives.

Arrow's parser ends the whole process where the first value is ``null`` or where values are nested very deep.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from chimes.errors import SchemaMismatchError

from chimes_files.formats.format import Source

__all__ = ["Block", "read_blocks"]

_BOM = b"\xef\xbb\xbf"
_DEEPEST = 64
_NO_OBJECT = re.compile(rb"\n[ \t\r\v\f]*[^{ \t\r\v\f\n]")
_BRACKETS = re.compile(rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)
"""Each bracket, and each string as a whole, so that the brackets in it are skipped."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a file, of which the first has the number ``line`` (counted from 1)."""

    source: Source
    text: bytes
    line: int

    def lines(self) -> Iterator[tuple[int, bytes]]:
        """The lines that are not blank, with their numbers."""
        for number, line in enumerate(self.text.split(b"\n"), self.line):
            if stripped := line.strip():
                yield number, stripped


def read_blocks(source: Source) -> Iterator[Block]:
    """The file in blocks of about ``block_bytes``, without blocks of blank lines.

    Raises SchemaMismatchError for a line that is longer than a block, not an object, or nested too deep.
    """
    size, number, rest = source.config.block_bytes, 1, b""
    with source.storage.open_text(source.path) as stream:
        while chunk := stream.read(size):
            text = rest + chunk
            end = text.rfind(b"\n") + 1
            if not end and len(text) > size:
                raise SchemaMismatchError(
                    f"line {number} of {source.path} is longer than {size} bytes",
                    hint="raise `block_bytes` above the longest line",
                )
            rest = text[end:]
            if end:
                yield from _checked(Block(source, text[:end], number))
            number += text.count(b"\n", 0, end)
    yield from _checked(Block(source, rest, number))


def _checked(block: Block) -> Iterator[Block]:
    if block.line == 1:
        block = Block(block.source, block.text.removeprefix(_BOM), 1)
    text = b"\n" + block.text
    if text.isspace():
        return
    if _NO_OBJECT.search(text):
        number = next(number for number, line in block.lines() if not line.startswith(b"{"))
        raise SchemaMismatchError(
            f"line {number} of {block.source.path} is not a JSON object", hint="write one object on each line"
        )
    # Every line opens one object; where few other brackets are opened, no line is nested deep.
    if text.count(b"{") + text.count(b"[") > text.count(b"\n{") + _DEEPEST:
        for number, line in block.lines():
            if line.count(b"[") + line.count(b"{") > _DEEPEST:
                _check_depth(block.source.path, number, line)
    yield block


def _check_depth(path: str, number: int, line: bytes) -> None:
    depth = 0
    for match in _BRACKETS.finditer(line):
        bracket = match[0][:1]
        depth += (bracket in b"[{") - (bracket in b"]}")
        if depth > _DEEPEST:
            raise SchemaMismatchError(
                f"{path} nests values more than {_DEEPEST} deep, in line {number}",
                hint="flatten the values, or remove that field",
            )
