"""Checks whether a wheel installs a command under a name that belongs to another."""

from __future__ import annotations

import re

from packaging.utils import canonicalize_name

from chimes.checks.filecheck import WheelCheck
from chimes.checks.subject import WheelSubject
from chimes.evidence.finding import Finding
from chimes.evidence.record import Facts
from chimes.text import quote

__all__ = ["ScriptsOwn"]

SCRIPT_GROUPS = ("console_scripts", "gui_scripts")
ENDINGS = re.compile(r"(?:-script)?\.(?:exe|bat|cmd|com|ps1|py|pyw)$")
VERSIONED = re.compile(r"(python|pythonw|pip|pydoc|idle|2to3|easy_install)-?[0-9][0-9.]*t?$")
KEPT = 200


class ScriptsOwn(WheelCheck):
    """Are the commands of the wheel free of names that other distributions or the system own?

    A script is installed into the folder that comes first on the path: one named `python`, `pip` or like the
    command of another distribution is run instead of the real one. Only the name's owner may ship it.
    """

    code = "A11"
    source = "wheel specification: .data/scripts; entry points specification"

    def observe(self, subject: WheelSubject) -> Facts:
        """The distribution's name, and the commands as (name, where it comes from)."""
        found = {
            (point.name, "entry_points.txt") for point in subject.entry_points.points if point.group in SCRIPT_GROUPS
        }
        found |= {(path, name) for name in subject.names for path in _script_paths(name)}
        commands = [list(item) for item in sorted(found)]
        return {"distribution": subject.filename.split("-")[0], "commands": commands}

    def judge(self, facts: Facts) -> list[Finding]:
        """One finding per command that the distribution does not own."""
        findings = []
        distribution = canonicalize_name(facts["distribution"])
        for name, where in facts["commands"]:
            if not _is_plain(name):
                message = f"the command {quote(name)} is a path, not a name"
                findings.append(self.finding(message, "name it by letters, digits, '.', '_' and '-'", where=where))
                continue
            owner = self._owner(name)
            if owner is None or (owner and canonicalize_name(owner) == distribution):
                continue
            whose = f"of {quote(owner)}" if owner else "of the system"
            message = f"the command {quote(name)} shadows the one {whose}"
            findings.append(self.finding(message, "give it a name of your own", where=where))
        return findings[:KEPT]

    def _owner(self, name: str) -> str | None:
        plain = ENDINGS.sub("", name.lower())
        if versioned := VERSIONED.fullmatch(plain):
            plain = versioned[1]
        return self.rules.script_owners.get(plain)


def _script_paths(member: str) -> list[str]:
    """The command that a member becomes, by the scheme ``scripts`` or by ``data`` into a ``bin`` folder."""
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return []
    scheme, _, path = rest.partition("/")
    if scheme == "data":
        folder, _, path = path.partition("/")
        if folder.lower() not in ("bin", "scripts", "sbin"):
            return []
    elif scheme != "scripts":
        return []
    return [path] if path and "/" not in path else []


def _is_plain(name: str) -> bool:
    return bool(name) and not any(character in '/\\:\0"' for character in name) and name not in (".", "..")
