"""Runs one command in a bubblewrap sandbox and observes it from outside; the same on a laptop and on a lane."""

from __future__ import annotations

from chimes.sandbox.command import Limits, Mount
from chimes.sandbox.events import Event
from chimes.sandbox.preflight import preflight
from chimes.sandbox.running import Cause, Sandbox

__all__ = ["Cause", "Event", "Limits", "Mount", "Sandbox", "preflight"]
