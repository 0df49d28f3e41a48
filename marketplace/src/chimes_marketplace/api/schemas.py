"""The values that several answers of the API hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from litestar.openapi.datastructures import ResponseSpec
from pydantic import BaseModel, ConfigDict

__all__ = ["READING", "WRITING", "Answer", "ComponentAnswer", "FileAnswer", "FindingAnswer", "Refusal"]


class Answer(BaseModel):
    """What the API answers with: a value that does not change."""

    model_config = ConfigDict(frozen=True)


class FindingAnswer(Answer):
    """What a check concluded. ``blocks``: upload, review, verified, certified, or nothing."""

    code: str
    severity: str
    blocks: str | None
    message: str
    fix: str
    where: str | None

    @classmethod
    def of(cls, finding: dict[str, Any]) -> FindingAnswer:
        """From a finding as it is kept."""
        return cls.model_validate({"blocks": None, "where": None, **finding})


class ComponentAnswer(Answer):
    """One model, connector or backend, and how far it was proved."""

    kind: str
    name: str
    level: str | None

    @classmethod
    def of(cls, component: dict[str, Any]) -> ComponentAnswer:
        """From a component as it is kept."""
        return cls.model_validate({"level": None, **component})


class FileAnswer(Answer):
    """A file. ``url`` is null where the reader may know of it and not fetch it."""

    filename: str
    form: str
    sha256: str
    size: int
    requires_python: str | None
    submission: int
    uploaded_at: datetime
    listed_at: datetime | None
    url: str | None


class Refusal(Answer):
    """Every refusal: a code that never changes, one sentence, one fix."""

    code: str
    message: str
    fix: str
    findings: list[dict[str, Any]]


READING = {
    status: ResponseSpec(data_container=Refusal, description=text, generate_examples=False)
    for status, text in {
        400: "the request cannot be read",
        401: "it is not listed: say who you are",
        403: "the token is refused, or it is another member's",
        404: "there is no such thing",
    }.items()
}
"""The refusals of what reads."""

WRITING = READING | {
    409: ResponseSpec(
        data_container=Refusal, description="its state does not allow that, see fix", generate_examples=False
    )
}
"""The refusals of what changes something."""
