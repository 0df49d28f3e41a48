"""The fast gate: everything that is asked of an uploaded file while its author waits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chimes.checks.formats.fields import parse_headers
from chimes.checks.rules import FileRules
from chimes.checks.run import run_file_checks
from chimes.checks.subject import Subject, open_subject
from packaging.metadata import parse_email

from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.submissions.agreement import differences
from chimes_marketplace.submissions.checks import FormAgrees
from chimes_marketplace.submissions.form import UploadForm, is_absent

__all__ = ["Examined", "examine", "finding_json", "refusal"]


@dataclass(frozen=True, kw_only=True)
class Examined:
    """What the gate learned of a file. ``about`` has the keys of packaging's RawMetadata.

    ``type``: plugin, library, or None where the file does not say. ``metadata``: the core metadata's own bytes, of a
    wheel only. ``findings``: of the form and of all checks.
    """

    form: str
    type: str | None
    about: dict[str, Any]
    metadata: bytes | None
    findings: tuple[dict[str, Any], ...]

    @property
    def requires_python(self) -> str | None:
        """What the file asks for, None if it does not say."""
        value = self.about.get("requires_python")
        return value if isinstance(value, str) and not is_absent(value) else None


def examine(path: Path, form: UploadForm, *, rules: Mapping[str, Any], is_admin: bool) -> Examined:
    """Ask all checks of the file at ``path`` by the marketplace's ``rules``. Never raises for what is in it.

    An admin is granted reserved names.
    """
    granted = [*rules.get("files", {}).get("granted_names", []), *([form.project] if is_admin else [])]
    chosen = FileRules.from_mapping(rules.get("files", {}))
    return _examine(path, form, chosen.model_copy(update={"granted_names": frozenset(granted)}))


def _examine(path: Path, form: UploadForm, rules: FileRules) -> Examined:
    with open_subject(path, filename=form.filename, limits=rules.limits) as subject:
        found = [each for outcome in run_file_checks(subject, rules=rules) for each in outcome.result.findings]
        about = _about(subject)
        readable = subject.metadata is not None if subject.frame.readable else False
        metadata = subject.metadata if readable and subject.form == "wheel" else None
        check = FormAgrees()
        differing = check.judge(check.observe(differences(form, about))) if readable else []
        return Examined(
            form=subject.form,
            type=subject.type if subject.frame.readable else None,
            about=about,
            metadata=metadata,
            findings=tuple(finding_json(each.model_dump()) for each in (*found, *differing)),
        )


def refusal(filename: str, findings: Sequence[dict[str, Any]]) -> MarketplaceError | None:
    """The error for findings that stand in the way of an upload, with all findings; None if there are none."""
    blocking = [finding for finding in findings if finding["blocks"] == "upload" and finding["severity"] == "error"]
    if not blocking:
        return None
    taken = next((finding for finding in blocking if finding["code"] == "A14"), None)
    if taken is not None:
        return MarketplaceError("file-exists", taken["message"], fix=taken["fix"], findings=findings)
    number = "a finding" if len(blocking) == 1 else f"{len(blocking)} findings"
    stands = "stands" if len(blocking) == 1 else "stand"
    code = "form-differs" if all(finding["code"] == "A17" for finding in blocking) else "checks-failed"
    message = f"{filename} is not taken: {number} {stands} in the way"
    fix = "correct what the findings name and upload again; the same checks at home: chimes check FILE"
    return MarketplaceError(code, message, fix=fix, findings=findings)


def finding_json(finding: dict[str, Any]) -> dict[str, Any]:
    """A finding as it is kept and shown: without what the file itself said."""
    return {key: finding[key] for key in ("code", "severity", "blocks", "message", "fix", "where")}


def _about(subject: Subject) -> dict[str, Any]:
    data = (subject.metadata if subject.frame.readable else None) or b""
    if not parse_headers(data).fields:
        # Nothing, or more than is read: a mail parser takes its time for it.
        return {}
    try:
        raw, _ = parse_email(data.decode("utf-8"))
    except Exception:
        # Whatever a mail parser stumbles over, A04 names; here it only means that nothing is known.
        return {}
    return dict(raw)
