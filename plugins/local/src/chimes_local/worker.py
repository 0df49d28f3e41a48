"""The process around one job: detaches itself, waits in the queue, runs the job (``chimes.jobs.wrapper``).

Started as ``python -m chimes_local.worker FOLDER``; imports nothing heavy, since every job waits for it.
"""

from __future__ import annotations

import sys
from pathlib import Path

from chimes.jobs import folder as jobfolder
from chimes.jobs.wrapper import start_detached

from chimes_local.queue import QueuePlace

__all__ = ["main"]


def main(folder: Path) -> None:
    """Return once a detached wrapper has the job of this control folder, ``<root>/jobs/<id>``."""
    job = jobfolder.get_job(folder)
    start_detached(folder, admission=QueuePlace(folder.parent.parent, folder.name, int(job["slots"])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
