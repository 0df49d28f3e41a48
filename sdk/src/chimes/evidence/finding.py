"""Findings, the conclusions of checks: their order, and their groups."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from pydantic import SerializerFunctionWrapHandler, model_serializer

from chimes.evidence.plain import Text
from chimes.kinds.component import Value

__all__ = ["SEVERITIES", "Blocks", "Finding", "Severity", "group_findings", "sort_findings"]

Severity = Literal["error", "warning", "info"]
Blocks = Literal["upload", "review", "verified", "certified"] | None
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""All severities, the worst first."""


class Finding(Value):
    """One conclusion of a check.

    ``message`` and ``fix`` are written by the check and are the same in every run. ``where`` names the place (a file,
    a field, a component). ``said`` is text of the plugin itself, such as the message of an exception: it is shown, and
    the verdict document leaves it out, because it may differ from run to run. Without such text the JSON form has no
    ``said``.
    """

    code: Text
    severity: Severity
    blocks: Blocks
    message: Text
    fix: Text
    where: Text | None = None
    said: Text | None = None

    @property
    def rejects(self) -> bool:
        """Whether a release with this finding cannot be listed, whatever a reviewer decides."""
        return self.severity == "error" and self.blocks not in ("review", "certified")

    def without_said(self) -> Finding:
        """The same finding as the verdict document holds it."""
        return self if self.said is None else self.model_copy(update={"said": None})

    @model_serializer(mode="wrap")
    def _omit_empty_said(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        form: dict[str, Any] = handler(self)
        if form.get("said") is None:
            form.pop("said", None)
        return form


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then warnings, then infos; by code and place within each."""
    return sorted(findings, key=lambda each: (SEVERITIES.index(each.severity), each.code, each.where or ""))


def group_findings(findings: Iterable[Finding]) -> list[tuple[Finding, ...]]:
    """Findings that differ only in code and place, as one group each; groups in order of their first finding."""
    groups: dict[tuple[str, str, str | None, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.severity, finding.message, finding.said, finding.fix), []).append(finding)
    return [tuple(group) for group in groups.values()]
