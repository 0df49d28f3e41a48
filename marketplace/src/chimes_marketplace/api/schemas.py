"""Values that several responses of the API contain."""

from __future__ import annotations

from datetime import datetime

from litestar.openapi.datastructures import ResponseSpec
from pydantic import BaseModel, ConfigDict

from chimes_marketplace.web.errors import PROBLEM, Problem

__all__ = ["READING", "WRITING", "Answer", "FileAnswer"]


class Answer(BaseModel):
    """A frozen value in a response."""

    model_config = ConfigDict(frozen=True)


class FileAnswer(Answer):
    """A file. ``url`` is null if the caller may see that the file exists but may not download it."""

    filename: str
    form: str
    sha256: str
    size: int
    requires_python: str | None
    submission: int
    uploaded_at: datetime
    listed_at: datetime | None
    url: str | None


def _problem(description: str) -> ResponseSpec:
    return ResponseSpec(data_container=Problem, description=description, generate_examples=False, media_type=PROBLEM)


READING = {
    400: _problem("the request cannot be read"),
    401: _problem("it is not listed, and the request has no token"),
    403: _problem("the token is refused, or the project belongs to another member"),
    404: _problem("it does not exist"),
}
"""The error responses of routes that read."""

WRITING = READING | {409: _problem("the state does not allow this action, see fix")}
"""The error responses of routes that change something."""
