"""One command in a bubblewrap sandbox, watched from outside: the same at home and on a lane."""

from __future__ import annotations

from chimes.sandbox.command import Limits, Mount
from chimes.sandbox.events import Event
from chimes.sandbox.preflight import preflight
from chimes.sandbox.running import Cause, Sandbox

__all__ = ["Cause", "Event", "Limits", "Mount", "Sandbox", "preflight"]
