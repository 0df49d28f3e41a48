"""``chimes-marketplace serve``: the web server, and by default a worker, in one process."""

from __future__ import annotations

import contextlib
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from chimes.files import try_lock

from chimes_marketplace.commands.folder import data_option, make_folder, opened, read_settings
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.storage.local import LocalBlobs

__all__ = ["command"]

EPILOG = """\b
Examples:
  chimes-marketplace serve --data market
  chimes-marketplace serve --data /srv/market --host 0.0.0.0 --port 8080
  chimes-marketplace serve --no-worker --data market

Makes the data folder and migrates the database if needed. SIGTERM or Ctrl-C ends it: requests in progress are
answered; validations in progress continue, and the next start or another worker collects them.

\b
Exit status:
  0  ended by a signal
  2  could not start: the port is in use, another server uses the folder, an invalid setting
"""
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@click.command(epilog=EPILOG)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free port.")
@click.option("--worker/--no-worker", default=True, help="Also validate in this process. Default: yes.")
@data_option
def command(host: str, port: int, worker: bool, data: Path) -> None:
    """Serve the index, the API and the pages, and validate submissions."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    make_folder(data)
    with _only_one(data):
        settings = read_settings(data)
        port = _free(host, port)
        # Importing Litestar, granian and the conformance suite takes most of a second; other commands do not need them.
        from chimes_marketplace.commands.server import make_worker, run  # noqa: PLC0415

        with opened(settings, make=True) as database:
            blobs = LocalBlobs(settings.data / "blobs")
            blobs.remove_abandoned()
            shown = f"[{host}]" if ":" in host else host
            own = ANY.get(host, host)
            own = f"[{own}]" if ":" in own else own
            ready = f"serving http://{shown}:{port}/ from {settings.data}"
            validator = make_worker(settings, database, blobs, url=f"http://{own}:{port}") if worker else None
            run(settings, database, blobs, validator, host=host, port=port, ready=ready)


@contextlib.contextmanager
def _only_one(data: Path) -> Iterator[None]:
    """Hold the lock of the data folder. The system releases it when the process ends.

    Only servers take it: workers and other commands may run next to a server.
    """
    lock = try_lock(data / "serve.lock")
    if lock is None:
        raise MarketplaceError(
            "still-running",
            f"another server uses the data folder {str(data)!r}",
            fix="end it first, or give this one another --data",
        )
    try:
        yield
    finally:
        lock.release()


def _free(host: str, port: int) -> int:
    """The port, or a free one for 0. Raises MarketplaceError if it cannot be bound."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            raise MarketplaceError(
                "bad-setting",
                f"cannot listen on {host} port {port}: {error.strerror or error}",
                fix="choose another --port (0 takes a free one) or --host",
            ) from error
        return int(probe.getsockname()[1])
