"""``chimes-marketplace worker``: validates in a separate process, next to a server and other workers."""

from __future__ import annotations

import logging
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import click

from chimes_marketplace.commands.folder import data_option, opened, read_settings
from chimes_marketplace.commands.signals import stop_at_signal
from chimes_marketplace.storage.local import LocalBlobs

__all__ = ["command"]

LOCAL = "http://127.0.0.1:8080"
EPILOG = f"""\b
Examples:
  chimes-marketplace serve --no-worker --data market
  chimes-marketplace worker --data market
  chimes-marketplace worker --data market --url http://127.0.0.1:9000

Start any number of workers, with the settings of the server: the slots are counted over all of them. A killed worker
loses nothing: after CHIMES_MARKETPLACE_LEASE_S seconds another one continues its runs. Without --url the
address is CHIMES_MARKETPLACE_PUBLIC_URL, or {LOCAL}.

\b
Exit status:
  0  ended by a signal; validations in progress continue, and another worker collects them
  2  could not start: no such data folder, a database of another version, an invalid setting
"""


def _address(ctx: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    if value is not None and (urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname):
        raise click.BadParameter(f"{value!r} is not an address such as {LOCAL}", ctx, parameter)
    return value


@click.command(epilog=EPILOG)
@click.option("--url", callback=_address, help="The server's address: jobs install from its index.")
@data_option
def command(url: str | None, data: Path) -> None:
    """Validate submissions, until a signal ends it."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = read_settings(data)
    # Importing the conformance suite takes most of a second, and only serve and worker need it.
    from chimes_marketplace.worker import make_worker, work_until  # noqa: PLC0415

    stopping = threading.Event()
    with opened(settings) as database, stop_at_signal(stopping.set):
        blobs = LocalBlobs(settings.data / "blobs")
        worker = make_worker(settings, database, blobs, url=url or settings.public_url or LOCAL)
        click.echo(f"working as {worker.worker.name} for {settings.data}")
        work_until(worker, stopping)
