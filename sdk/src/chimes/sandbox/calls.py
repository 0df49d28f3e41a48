"""Parses the lines that strace writes: a process, a system call, its arguments, its result.

Names and data that the traced code chose are quoted and escaped by strace, so that they cannot be confused with other
parts of the line.
"""

from __future__ import annotations

import codecs
import functools
import posixpath
import re
from dataclasses import dataclass

__all__ = ["Call", "Number", "address", "join", "local_path", "parse_call", "parse_number", "parse_path", "unquote"]

TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"(?:\.\.\.)?|<[^<>]*>|/\*.*?\*/|[(\[{)\]},]|[^"<(\[{)\]},/]+|.', re.S)
RESULT = re.compile(r"\s*= (?:-1 (?P<error>E[A-Z0-9]+)|\w+<(?P<path>[^<>]*)>)?")
NUMBER = re.compile(r"(-?\d+)(?:<([^<>]*)>)?")
LOCAL = re.compile(r'sa_family=AF_(?:UNIX|LOCAL), sun_path=("[^"\\]*(?:\\.[^"\\]*)*")')
FAMILY = re.compile(r"sa_family=(AF_\w+)")
PORT = re.compile(r"sin6?_port=htons\((\d+)\)")
HOST = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
FIRST_EPHEMERAL_PORT = 32_768


@dataclass(frozen=True)
class Call:
    """One system call. ``error`` is a name (``EROFS``) or empty; ``path`` the file of a returned descriptor.

    ``result`` is as printed; ``?`` if the call never returned.
    """

    name: str
    args: tuple[str, ...]
    result: str
    error: str
    path: str | None

    def arg(self, index: int) -> str:
        """An argument as printed, empty if the call has fewer."""
        return self.args[index] if index < len(self.args) else ""


@dataclass(frozen=True)
class Number:
    """The number of a process or descriptor, as the traced code sees it; ``path`` is the file of a descriptor."""

    value: int
    path: str | None


def parse_call(text: str) -> Call | None:
    """A call from its line without the process number; None for anything else."""
    name, opening, _ = text.partition("(")
    if not opening or not name.replace("_", "").isalnum():
        return None
    args, current, depth, end = [], "", 0, len(text)
    for token in TOKEN.finditer(text, len(name) + 1):
        word = token.group()
        if word in ")]}" and depth == 0:
            end = token.end()
            break
        if word == "," and depth == 0:
            args.append(current.strip())
            current = ""
            continue
        depth += (word in "([{") - (word in ")]}")
        current += word
    args.append(current.strip())
    result = RESULT.match(text, end)
    if result is None:
        return Call(name, tuple(args), "?", "", None)
    value = text[end:].strip().removeprefix("= ")
    return Call(name, tuple(args), value, result["error"] or "", result["path"])


def parse_number(text: str) -> Number | None:
    """A number and the path that strace shows for it; None if the text is not a number."""
    match = NUMBER.match(text)
    if match is None:
        return None
    value, path = match.groups()
    return Number(int(value), path)


def parse_path(text: str) -> str | None:
    """A path from a quoted argument; None if strace could not read it."""
    return unquote(text[1 : text.rindex('"')]) if text.startswith('"') and text.count('"') > 1 else None


@functools.lru_cache(maxsize=1024)
def unquote(text: str) -> str:
    """The text of an escaped string, made printable."""
    if "\\" in text:
        text = codecs.decode(text, "unicode_escape").encode("latin-1").decode("utf-8", "backslashreplace")
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def join(folder: str, path: str) -> str:
    """An absolute path, computed without reading the file system."""
    return "/" + posixpath.normpath(posixpath.join(folder, path)).lstrip("/")


def address(text: str) -> str | None:
    """The first address in an argument, as text; None for a local one (a Unix socket, netlink)."""
    family = FAMILY.search(text)
    if family is None or family[1] in ("AF_UNIX", "AF_LOCAL", "AF_NETLINK", "AF_UNSPEC"):
        return None
    port, host = PORT.search(text), HOST.search(text)
    if port is None or host is None:
        return family[1]
    name = host[1] or f"[{host[2]}]"
    is_ephemeral = int(port[1]) >= FIRST_EPHEMERAL_PORT and (name.startswith("127.") or name == "[::1]")
    return f"{name}:{'*' if is_ephemeral else port[1]}"


def local_path(text: str) -> str | None:
    """The path of a Unix socket in an argument; None for any other address, and for a name without a file."""
    found = LOCAL.search(text)
    return parse_path(found[1]) if found else None
