"""What is refused: every error has a code that never changes, a status, one sentence and one fix."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

__all__ = ["CODES", "MarketplaceError"]

CODES = MappingProxyType(
    {
        "bad-digest": (400, "a digest in the form is not that of the bytes, or there is none"),
        "bad-form": (400, "the upload's form cannot be read, or lacks a field"),
        "bad-request": (400, "a request's path, query or body cannot be read"),
        "bad-setting": (400, "a setting of the marketplace has no usable value"),
        "busy": (503, "the marketplace's database is held by others for too long"),
        "checks-failed": (400, "the file has findings that stand in the way of an upload"),
        "conflict": (409, "the thing is not in a state in which that can be done"),
        "credentials-refused": (403, "the token is unknown, revoked or expired"),
        "credentials-required": (401, "who asks must say who it is"),
        "exists": (409, "a member, user or the like of that name is there already"),
        "file-exists": (400, "other bytes are listed, or being judged, under that file name"),
        "file-too-large": (413, "the file is larger than this marketplace takes"),
        "form-differs": (400, "form and file say different things"),
        "gone": (410, "that action of the upload protocol was retired"),
        "internal": (500, "the marketplace itself failed"),
        "disk-full": (507, "the marketplace's disk is too full to take more"),
        "method-not-allowed": (405, "that address does not take this method"),
        "not-found": (404, "there is no such thing"),
        "not-yours": (403, "it belongs to another member, or the token is for another project"),
        "range-outside": (416, "the file does not have the bytes that were asked for"),
        "too-slow": (408, "nothing came for too long, and the upload is not whole"),
        "still-running": (409, "another server uses the same data folder"),
    }
)
"""Code to (HTTP status, title), for every error of the marketplace."""


class MarketplaceError(Exception):
    """A request or command that is refused. ``findings`` are those of checks, as JSON."""

    def __init__(self, code: str, message: str, *, fix: str, findings: Sequence[dict[str, Any]] = ()) -> None:
        super().__init__(message)
        self.status, self.title = CODES[code]
        self.code = code
        self.message = message
        self.fix = fix
        self.findings = list(findings)

    def to_json(self) -> dict[str, Any]:
        """What programs are shown."""
        return {"code": self.code, "message": self.message, "fix": self.fix, "findings": self.findings}

    def to_text(self) -> str:
        """What people at a terminal are shown: the sentence, then each finding with its fix."""
        lines = [f"{self.message} [{self.code}]"]
        lines += [f"{each['code']} {each['severity']}: {each['message']}. Fix: {each['fix']}" for each in self.findings]
        return "\n".join([*lines, f"Fix: {self.fix}"])
