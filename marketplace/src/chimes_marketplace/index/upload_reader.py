"""Parses the multipart body of an upload while it arrives: keeps fields, writes the file to disk, computes digests."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Any, Protocol

from chimes.text import quote
from litestar.concurrency import sync_to_thread
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.storage.blobstore import IncomingBlob
from chimes_marketplace.submissions.form import DIGESTS, METADATA_FIELDS, UploadForm

__all__ = ["UploadReader", "boundary_of"]

CONTENT = "content"
TEXT_BYTES = 1 << 20
PARTS = 10_000
BATCH = 1 << 20
CLIENT = "upload with a current twine or uv"


class Digest(Protocol):
    """A hash object of hashlib."""

    def update(self, data: bytes, /) -> None:
        """Add bytes."""
        ...

    def hexdigest(self) -> str:
        """The digest so far."""
        ...


def boundary_of(content_type: str) -> str:
    """The multipart boundary. Raises MarketplaceError ``bad-form`` for another type of body."""
    kind, options = parse_options_header(content_type)
    boundary: str = options.get("boundary", "")
    if kind != "multipart/form-data" or not boundary:
        raise _bad(f"the body is {quote(content_type) if content_type else 'without a type'}, not multipart/form-data")
    return boundary


class UploadReader:
    """Reads one body and writes its file to ``incoming``. ``filename`` is the name of the file, None before it begins.

    When name and version are known, ``arriving`` is called with them in a thread. The context that it returns is
    entered then and left at ``close``.
    """

    def __init__(
        self,
        incoming: IncomingBlob,
        *,
        limit_bytes: int,
        arriving: Callable[[str, str], AbstractContextManager[object]],
    ) -> None:
        self.filename: str | None = None
        self._incoming = incoming
        self._limit_bytes = limit_bytes
        self._arriving = arriving
        self._under_way = contextlib.ExitStack()
        self._is_under_way = False
        self._fields: dict[str, list[str]] = {}
        self._text_bytes = 0
        self._segment: MultipartSegment | None = None
        self._part = bytearray()
        self._batch = bytearray()
        self._digests: dict[str, Digest] = {
            "md5_digest": hashlib.md5(usedforsecurity=False),
            "blake2_256_digest": hashlib.blake2b(digest_size=32),
        }

    @property
    def fields(self) -> Mapping[str, Sequence[str]]:
        """The text fields, each with all its values."""
        return MappingProxyType(self._fields)

    def close(self) -> None:
        """End the upload, whether it succeeded or not."""
        self._under_way.close()

    async def read(self, boundary: str, body: AsyncIterator[bytes]) -> None:
        """Parse the whole body. Raises MarketplaceError ``bad-form``, ``file-too-large``, ``disk-full``."""
        try:
            with PushMultipartParser(boundary, max_segment_count=PARTS) as parser:
                async for chunk in body:
                    # Data after the end of the form is ignored.
                    for event in parser.parse(chunk) if chunk and not parser.closed else ():
                        await self._take(event)
        except MultipartError as error:
            raise _bad(f"the form cannot be read: {error}") from error
        await self._flush()

    def check_digests(self, form: UploadForm) -> None:
        """Raise MarketplaceError ``bad-digest`` for the first digest that differs from the digest of the bytes."""
        found = {field: digest.hexdigest() for field, digest in self._digests.items()}
        found["sha256_digest"] = self._incoming.sha256
        for field in DIGESTS:
            given = form.digests.get(field)
            if given is not None and given != found[field]:
                message = f"the {field} is {quote(given)}, but the received bytes have {found[field]!r}"
                raise MarketplaceError(
                    "bad-digest", message, fix="upload again; the file was changed before or during the upload"
                )

    async def _take(self, event: Any) -> None:
        match event:
            case MultipartSegment():
                self._begin(event)
            case None:
                await self._end()
            case _ if self._segment is not None and self._segment.name == CONTENT:
                await self._keep(event)
            case _:
                self._count(len(event))
                self._part += event

    def _begin(self, segment: MultipartSegment) -> None:
        name = segment.name
        if segment.disposition != "form-data" or not name:
            raise _bad("a part of the form has no name")
        if name == CONTENT:
            if segment.filename is None:
                raise _bad("the field 'content' is text and not a file")
            if self.filename is not None:
                raise _bad("the form has two files 'content'")
            self.filename = segment.filename
        elif segment.filename is not None and name in METADATA_FIELDS:
            raise _bad(f"the field {quote(name)} was sent as a file")
        self._count(len(name))
        self._segment, self._part = segment, bytearray()

    def _count(self, size: int) -> None:
        self._text_bytes += size
        if self._text_bytes > TEXT_BYTES:
            raise _bad(f"the form's text is larger than {TEXT_BYTES} bytes", "shorten the README")

    async def _end(self) -> None:
        assert self._segment is not None
        name = self._segment.name or ""
        if name == CONTENT or self._segment.filename is not None:
            return
        try:
            text = self._part.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _bad(f"the field {quote(name)} is not UTF-8") from error
        self._fields.setdefault(name, []).append(text)
        project, version = self._fields.get("name"), self._fields.get("version")
        if project and version and not self._is_under_way:
            self._is_under_way = True
            self._under_way.enter_context(await sync_to_thread(self._arriving, project[0].strip(), version[0].strip()))

    async def _keep(self, data: bytes) -> None:
        if self._incoming.size_bytes + len(self._batch) + len(data) > self._limit_bytes:
            message = f"the file is larger than {self._limit_bytes} bytes"
            raise MarketplaceError("file-too-large", message, fix="publish weights and data separately from the code")
        self._batch += data
        if len(self._batch) >= BATCH:
            await self._flush()

    async def _flush(self) -> None:
        batch, self._batch = bytes(self._batch), bytearray()
        try:
            await sync_to_thread(self._write, batch)
        except OSError as error:
            message = f"the file cannot be stored: {error.strerror}"
            raise MarketplaceError("disk-full", message, fix="try again later; the operator must make room") from error

    def _write(self, batch: bytes) -> None:
        self._incoming.write(batch)
        for digest in self._digests.values():
            digest.update(batch)


def _bad(message: str, fix: str = CLIENT) -> MarketplaceError:
    return MarketplaceError("bad-form", message, fix=fix)
