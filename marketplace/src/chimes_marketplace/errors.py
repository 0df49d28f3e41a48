"""Errors of the marketplace: each has a stable code, an HTTP status, a message and a fix."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from chimes.text import escape

if TYPE_CHECKING:
    # Importing pydantic takes longer than `chimes-marketplace --help` may take.
    from chimes.evidence.finding import Finding

__all__ = ["CODES", "MarketplaceError"]

CODES = MappingProxyType(
    {
        "bad-digest": (400, "a digest in the form is missing or differs from that of the file"),
        "bad-form": (400, "the upload form cannot be read or lacks a field"),
        "bad-request": (400, "the path, query or body of the request cannot be read"),
        "bad-setting": (400, "a setting of the marketplace has an invalid value"),
        "busy": (503, "the database is locked for too long"),
        "checks-failed": (400, "the file has findings that block the upload"),
        "conflict": (409, "the current state does not allow this action"),
        "credentials-refused": (403, "the token is unknown, revoked or expired, or the credentials are malformed"),
        "credentials-required": (401, "the request needs a token"),
        "disk-full": (507, "the disk of the marketplace is too full"),
        "exists": (409, "the name is already in use"),
        "file-exists": (400, "the file name is already used by a file with other bytes"),
        "file-too-large": (413, "the file is larger than the marketplace accepts"),
        "form-differs": (400, "the upload form and the metadata in the file differ"),
        "gone": (410, "this action of the upload protocol is retired"),
        "internal": (500, "the marketplace failed"),
        "method-not-allowed": (405, "the address does not support this method"),
        "not-acceptable": (406, "the client accepts none of the available representations"),
        "not-found": (404, "the address or the thing that it names does not exist"),
        "not-yours": (403, "the project belongs to another member, or the token is for another project"),
        "range-outside": (416, "the file does not have the requested bytes"),
        "still-running": (409, "another server uses the same data folder"),
        "too-slow": (408, "the upload stalled before it was complete"),
    }
)
"""For each error code: its HTTP status and its title."""


class MarketplaceError(Exception):
    """A request or a command failed. ``findings``: those of checks."""

    def __init__(self, code: str, message: str, *, fix: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.status, self.title = CODES[code]
        self.code = code
        self.message = message
        self.fix = fix
        self.findings = tuple(findings)

    def to_text(self) -> str:
        """The text for a terminal: the message, then each finding with its fix, then the fix of the error."""
        lines = [f"{escape(self.message)} [{self.code}]"]
        for each in self.findings:
            place = f" in {each.where}" if each.where else ""
            lines.append(escape(f"{each.code} {each.severity}{place}: {each.message}. Fix: {each.fix}"))
        return "\n".join([*lines, f"Fix: {escape(self.fix)}"])
