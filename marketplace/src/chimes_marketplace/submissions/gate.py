"""The gate of an upload: the checks that a file must pass before it is accepted. The client waits for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimes.checks.formats.fields import parse_headers
from chimes.checks.rules import FileRules
from chimes.checks.run import run_file_checks
from chimes.checks.subject import Subject, open_subject
from chimes.evidence.finding import Finding
from packaging.metadata import parse_email

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.agreement import differences
from chimes_marketplace.submissions.checks import FormAgrees
from chimes_marketplace.submissions.form import UploadForm, is_absent

__all__ = ["Examination", "blocking_error", "examine", "without_said"]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """The result of the gate for one file. ``about`` has the keys of packaging's RawMetadata.

    ``type``: plugin, library, or None if the file does not say. ``metadata``: the bytes of a wheel's METADATA.
    ``findings``: of the form and of all checks.
    """

    form: str
    type: str | None
    about: dict[str, Any]
    metadata: bytes | None
    findings: tuple[Finding, ...]

    @property
    def requires_python(self) -> str | None:
        """The Python versions that the file requires; None if it does not say."""
        value = self.about.get("requires_python")
        return value if isinstance(value, str) and not is_absent(value) else None


def examine(path: Path, form: UploadForm, *, rules: FileRules, may_use_reserved_name: bool) -> Examination:
    """Run all file checks on the file at ``path`` with the marketplace's ``rules``. Bad content never raises."""
    if may_use_reserved_name:
        rules = rules.granting(form.project)
    with open_subject(path, filename=form.filename, limits=rules.limits) as subject:
        found = [each for outcome in run_file_checks(subject, rules=rules) for each in outcome.result.findings]
        about = _about(subject)
        readable = subject.metadata is not None if subject.frame.readable else False
        metadata = subject.metadata if readable and subject.form == "wheel" else None
        check = FormAgrees()
        differing = check.judge(check.observe(differences(form, about))) if readable else []
        return Examination(
            form=subject.form,
            type=subject.type if subject.frame.readable else None,
            about=about,
            metadata=metadata,
            findings=without_said([*found, *differing]),
        )


def blocking_error(filename: str, findings: Sequence[Finding]) -> MarketplaceError | None:
    """The error, with all findings, if any finding blocks the upload; else None."""
    blocking = [each for each in findings if each.blocks == "upload" and each.severity == "error"]
    if not blocking:
        return None
    existing = next((each for each in blocking if each.code == "A14"), None)
    if existing is not None:
        return MarketplaceError("file-exists", existing.message, fix=existing.fix, findings=findings)
    code = "form-differs" if all(each.code == "A17" for each in blocking) else "checks-failed"
    number = "one finding blocks" if len(blocking) == 1 else f"{len(blocking)} findings block"
    message = f"{filename} is not accepted: {number} the upload"
    fix = "fix what the findings name and upload again; to run the same checks locally: chimes check FILE"
    return MarketplaceError(code, message, fix=fix, findings=findings)


def without_said(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """The findings without text from the file itself: so they are stored and shown."""
    return tuple(each.without_said() for each in findings)


def _about(subject: Subject) -> dict[str, Any]:
    data = (subject.metadata if subject.frame.readable else None) or b""
    if not parse_headers(data).fields:
        # Absent, or larger than the limit: the mail parser would take too long.
        return {}
    try:
        raw, _ = parse_email(data.decode("utf-8"))
    except Exception:
        # A04 reports metadata that cannot be parsed; without it nothing is known about the file.
        return {}
    return dict(raw)
