"""Writes the pages of the index: HTML (PEP 503 and later ones), JSON (PEP 691, PEP 700)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from html import escape
from typing import Any
from urllib.parse import quote

from chimes_marketplace.index.entries import Entry, versions_of

__all__ = ["file_url", "project_html", "project_json", "root_html", "root_json"]

API_VERSION = "1.1"
PAGE = """\
<!DOCTYPE html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="pypi:repository-version" content="{api}">
    <title>{title}</title>
  </head>
  <body>
    <h1>{title}</h1>
{lines}
  </body>
</html>
"""


def root_html(names: Sequence[str]) -> bytes:
    """A link for each project."""
    lines = [f'    <a href="{escape(quote(name))}/">{escape(name)}</a><br>' for name in names]
    return _page("Simple index", lines)


def root_json(names: Sequence[str]) -> bytes:
    """The projects' names."""
    return _json({"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in names]})


def project_html(name: str, entries: Sequence[Entry], *, up: str) -> bytes:
    """A link for each file; ``up`` is the relative path from the page to the parent of ``files/``."""
    return _page(f"Links for {name}", [_anchor(entry, up) for entry in entries])


def project_json(name: str, entries: Sequence[Entry], *, up: str) -> bytes:
    """All data of each file; ``up`` is the relative path from the page to the parent of ``files/``."""
    return _json(
        {
            "meta": {"api-version": API_VERSION},
            "name": name,
            "versions": versions_of(entries),
            "files": [_file(entry, up) for entry in entries],
        }
    )


def file_url(sha256: str, filename: str) -> str:
    """The path of a file below the root of the index or of a stage."""
    return f"files/{sha256}/{quote(filename)}"


def _anchor(entry: Entry, up: str) -> str:
    attributes = {"href": f"{up}{file_url(entry.sha256, entry.filename)}#sha256={entry.sha256}"}
    if entry.requires_python:
        attributes["data-requires-python"] = entry.requires_python
    if entry.metadata_sha256:
        # Not data-dist-info-metadata as well (PEP 714): pip 23.0, which Debian 12 has, fails if JSON has that key.
        attributes["data-core-metadata"] = f"sha256={entry.metadata_sha256}"
    text = " ".join(f'{key}="{escape(value)}"' for key, value in attributes.items())
    return f"    <a {text}>{escape(entry.filename)}</a><br>"


def _file(entry: Entry, up: str) -> dict[str, Any]:
    metadata = {"sha256": entry.metadata_sha256} if entry.metadata_sha256 else False
    found = {
        "filename": entry.filename,
        "url": f"{up}{file_url(entry.sha256, entry.filename)}",
        "hashes": {"sha256": entry.sha256},
        "size": entry.size_bytes,
        "upload-time": _moment(entry.moment),
        "yanked": False,
        "core-metadata": metadata,
    }
    return found | ({"requires-python": entry.requires_python} if entry.requires_python else {})


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _page(title: str, lines: Sequence[str]) -> bytes:
    return PAGE.format(api=API_VERSION, title=escape(title), lines="\n".join(lines)).encode()


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
