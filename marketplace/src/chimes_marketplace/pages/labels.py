"""Labels of states, verdicts and levels on the pages, and what a reader can do next."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

__all__ = [
    "BLOCKS",
    "ERRORS",
    "FORMS",
    "GLYPHS",
    "KINDS",
    "LEVELS",
    "MEMBERS",
    "NEXT",
    "RUNS",
    "SENTENCES",
    "SEVERITIES",
    "STATES",
    "VERDICTS",
    "Next",
]


def N_(text: str) -> str:  # noqa: N802
    """Mark a text for translation; the template translates it."""
    return text


@dataclass(frozen=True)
class Next:
    """What to do in a state: a sentence, and the command for it, if there is one."""

    text: str
    command: str | None = None


STATES = MappingProxyType(
    {
        "staged": N_("staged"),
        "validating": N_("validating"),
        "listed": N_("listed"),
        "rejected": N_("rejected"),
        "held": N_("held"),
        "cancelled": N_("cancelled"),
        "infra": N_("not judged"),
    }
)
SENTENCES = MappingProxyType(
    {
        "staged": N_("The upload is open: more files of this release may follow."),
        "validating": N_("In validation: there is no verdict yet."),
        "listed": N_("Listed: the release was run and passed every required check."),
        "rejected": N_("Not listed: findings block the listing."),
        "held": N_("Held: an administrator decides whether it is listed."),
        "cancelled": N_("Cancelled before there was a verdict."),
        "infra": N_("Not judged: the marketplace failed. The plugin is not the cause."),
    }
)
NEXT = MappingProxyType(
    {
        "staged": Next(N_("The upload ends when no new file arrives for some seconds. To end it now:"), "close"),
        "validating": Next(
            N_("You do not need to do anything. Reload this page to see the progress. To cancel the submission:"),
            "cancel",
        ),
        "listed": Next(N_("Anyone can install it. A listed version never changes; publish changes as a new version.")),
        "rejected": Next(
            N_(
                "Correct the faults that the findings name, and upload again. You can keep the version, because it was "
                "never listed. The command at the end of this page runs the same checks locally."
            )
        ),
        "held": Next(
            N_("Wait for the decision of an administrator. The reason will be shown here. To cancel the submission:"),
            "cancel",
        ),
        "cancelled": Next(N_("Upload the files again, or validate these files again:"), "retry"),
        "infra": Next(N_("You can keep the version. To validate it again:"), "retry"),
    }
)
VERDICTS = MappingProxyType(
    {
        "pass": N_("pass"),
        "fail": N_("fail"),
        "warn": N_("warning"),
        "not_applicable": N_("not applicable"),
        "waived": N_("waived"),
        "not_run": N_("not run"),
        "infra": N_("not judged"),
        "stale": N_("stale"),
    }
)
GLYPHS = MappingProxyType(
    {
        "pass": "✓",
        "fail": "✗",
        "warn": "!",
        "not_applicable": "–",
        "waived": "~",
        "not_run": "○",
        "infra": "?",
        "stale": "◷",
        "listed": "✓",
        "rejected": "✗",
        "held": "!",
        "staged": "○",
        "validating": "◷",
        "cancelled": "–",
        "error": "✗",
        "warning": "!",
        "info": "i",
    }
)
"""The glyph of each state, verdict and severity, shown beside its colour and word."""

SEVERITIES = MappingProxyType({"error": N_("error"), "warning": N_("warning"), "info": N_("note")})
BLOCKS = MappingProxyType(
    {
        "upload": N_("blocks the upload"),
        "review": N_("needs an administrator's approval"),
        "verified": N_("blocks the listing"),
        "certified": N_("blocks certification"),
    }
)
LEVELS = MappingProxyType({"verified": N_("verified"), "certified": N_("certified")})
KINDS = MappingProxyType({"model": N_("model"), "connector": N_("connector"), "backend": N_("backend")})
FORMS = MappingProxyType({"wheel": N_("wheel"), "sdist": N_("source")})
RUNS = MappingProxyType(
    {
        "waiting": N_("waiting for a lane"),
        "admitted": N_("running"),
        "clean": N_("clean"),
        "findings": N_("with findings"),
        "infra": N_("not judged"),
        "cancelled": N_("cancelled"),
        "done": N_("done"),
    }
)
MEMBERS = MappingProxyType(
    {
        "government": N_("government"),
        "industry": N_("industry"),
        "education": N_("education"),
        "research": N_("research"),
        "capital": N_("capital"),
        "user": N_("user"),
    }
)
ERRORS = MappingProxyType(
    {
        400: N_("The request is invalid"),
        401: N_("This is not listed: sign in to see it"),
        403: N_("You may not see this"),
        404: N_("Not found"),
        405: N_("This action is not supported here"),
        500: N_("The marketplace failed"),
    }
)
