"""What the marketplace's states, verdicts and levels are called on pages, and what a reader does next."""

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
    """Mark a text for translation where it stands; it is translated where it is shown."""
    return text


@dataclass(frozen=True)
class Next:
    """What to do in a state: a sentence, and the command that does it, if there is one."""

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
        "staged": N_("The upload is still open: more files of this release may come."),
        "validating": N_("Being validated: no verdict yet."),
        "listed": N_("Listed: it was run, and nothing that it is asked for failed."),
        "rejected": N_("Not listed: it has findings that stand in the way."),
        "held": N_("Held: a person decides whether it is listed."),
        "cancelled": N_("Cancelled before there was a verdict."),
        "infra": N_("Not judged: the marketplace's own machinery failed. This says nothing about the plugin."),
    }
)
NEXT = MappingProxyType(
    {
        "staged": Next(N_("It closes when no file has come for some seconds. To end the upload at once:"), "close"),
        "validating": Next(N_("Nothing. Load this page again to see how far it is. To give it up:"), "cancel"),
        "listed": Next(N_("Install it: everybody can. What is listed never changes; a change is a new version.")),
        "rejected": Next(
            N_(
                "Correct what the findings name and upload again. The version may stay the same: it was never listed. "
                "The same checks run at home with the command at the end of this page."
            )
        ),
        "held": Next(
            N_("Wait for an administrator of this marketplace. The reason will be shown here. To give it up:"), "cancel"
        ),
        "cancelled": Next(N_("Upload the files again, or have these validated after all:"), "retry"),
        "infra": Next(N_("The version is not lost. Have it validated again:"), "retry"),
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
"""Beside a colour there always is a glyph, and a word."""

SEVERITIES = MappingProxyType({"error": N_("error"), "warning": N_("warning"), "info": N_("note")})
BLOCKS = MappingProxyType(
    {
        "upload": N_("blocks the upload"),
        "review": N_("needs a person's approval"),
        "verified": N_("blocks the listing"),
        "certified": N_("blocks the level certified"),
    }
)
LEVELS = MappingProxyType({"verified": N_("verified"), "certified": N_("certified")})
KINDS = MappingProxyType({"model": N_("model"), "connector": N_("connector"), "backend": N_("backend")})
FORMS = MappingProxyType({"wheel": N_("wheel"), "sdist": N_("source")})
RUNS = MappingProxyType(
    {
        "waiting": N_("waits for a lane"),
        "admitted": N_("runs"),
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
        400: N_("That request cannot be read"),
        401: N_("This is not listed: say who you are"),
        403: N_("This is not yours to read"),
        404: N_("There is nothing here"),
        405: N_("That cannot be done here"),
        500: N_("The marketplace itself failed"),
    }
)
