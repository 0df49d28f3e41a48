"""Starts processes and ends their whole tree; the only package that imports ``subprocess`` or reads ``/proc``."""

from __future__ import annotations

from chimes.processes.command import DEVNULL, PIPE, Completed, Process, run
from chimes.processes.guard import scratch_folder
from chimes.processes.tree import descendants, kill_tree

__all__ = ["DEVNULL", "PIPE", "Completed", "Process", "descendants", "kill_tree", "run", "scratch_folder"]
