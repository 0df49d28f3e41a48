"""The program of a child that serves one plugin while it is judged (see ``chimes.rpc.bootstrap``).

It imports no heavy module before a session is prepared, so that the imports of an entry module can be observed.
"""

from __future__ import annotations

import dataclasses
import logging
import sys
from typing import TYPE_CHECKING, Any

from chimes.conformance.child.audit import watch
from chimes.conformance.child.imports import changes, state_with_filters
from chimes.registry import load_plugin
from chimes.rpc.installed import add_site, find_distribution

if TYPE_CHECKING:
    from chimes.rpc.bootstrap import Connection

__all__ = ["entry", "prepare", "session"]


def prepare() -> None:
    """Import the modules that every session needs, once before the forks."""
    import chimes.conformance.child.session  # noqa: F401, PLC0415 - loads pydantic and pyarrow


def entry(connection: Connection, *, distribution: str, site: str, watched: bool) -> None:
    """Import the entry modules; answer with their registrations and the changes in this process."""
    add_site(site)
    if watched:
        connection.events = watch()
    connection.answer_with(lambda: _entry(distribution, site))


def session(connection: Connection, *, distribution: str, site: str, root: str, watched: bool) -> None:
    """Serve one session. ``watched``: record side effects with audit events."""
    from chimes.conformance.child.session import Session  # noqa: PLC0415 - loads pydantic and pyarrow

    add_site(site)
    if watched:
        connection.events = watch()
    Session(distribution, site, root).serve(connection)


def _entry(distribution: str, site: str) -> dict[str, Any]:
    logging.getLogger()
    before = state_with_filters()
    modules = set(sys.modules)
    plugin = load_plugin(find_distribution(distribution, site))
    after = state_with_filters()
    return {
        "failure": plugin.failure,
        "version": plugin.version,
        "components": [
            {"kind": item.kind, "failure": item.failure, "registration": dataclasses.asdict(item.registration)}
            for item in plugin.components
        ],
        "modules": sorted(set(sys.modules) - modules),
        "changed": changes(before, after),
    }
