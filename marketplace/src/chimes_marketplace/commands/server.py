"""Runs the web server in the main thread and a worker in other threads, until a signal."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import click
from granian.constants import Interfaces
from granian.server.embed import Server
from litestar import Litestar

from chimes_marketplace.app import create_app
from chimes_marketplace.commands.signals import stop_at_signal
from chimes_marketplace.database import Database
from chimes_marketplace.errors import MarketplaceError
from chimes_marketplace.settings import Settings
from chimes_marketplace.storage.blobstore import BlobStore
from chimes_marketplace.submissions.arrivals import Arrivals
from chimes_marketplace.validation.reconciler import Reconciler
from chimes_marketplace.web.state import Marketplace
from chimes_marketplace.worker import make_worker

__all__ = ["make_worker", "run"]

LOG = logging.getLogger("chimes_marketplace")
THREADS = 32
"""How many requests may wait for disk or database at the same time."""
START_S, DRAIN_S = 30.0, 10.0


def run(
    settings: Settings,
    database: Database,
    blobs: BlobStore,
    worker: Reconciler | None,
    *,
    host: str,
    port: int,
    ready: str,
) -> None:
    """Serve until SIGTERM or SIGINT, with or without a worker.

    ``ready`` is printed when requests are accepted. Raises MarketplaceError when the server fails to start.
    """
    market = Marketplace(
        settings=settings,
        database=database,
        blobs=blobs,
        arrivals=Arrivals(database, expiry_s=settings.lease_s),
        wake=(lambda: None) if worker is None else worker.wake,
    )
    start = (lambda: None) if worker is None else worker.start
    try:
        asyncio.run(_serve(create_app(market), start, host, port, ready))
    finally:
        if worker is not None:
            worker.stop()


async def _serve(app: Litestar, start: Callable[[], None], host: str, port: int, ready: str) -> None:
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    with stop_at_signal(lambda: loop.call_soon_threadsafe(stopping.set)):
        await _serve_until(stopping, app, start, host, port, ready)


async def _serve_until(
    stopping: asyncio.Event, app: Litestar, start: Callable[[], None], host: str, port: int, ready: str
) -> None:
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="request"))
    server = Server(app, address=host, port=port, interface=Interfaces.ASGI, websockets=False, log_enabled=False)
    serving = asyncio.ensure_future(server.serve())
    stopped = asyncio.ensure_future(stopping.wait())
    starting = asyncio.ensure_future(_listening(host, port))
    try:
        await asyncio.wait((serving, stopped, starting), return_when=asyncio.FIRST_COMPLETED)
        if starting.done() and starting.result():
            start()
            click.echo(ready)
            await asyncio.wait((serving, stopped), return_when=asyncio.FIRST_COMPLETED)
        if not stopping.is_set():
            raise _broken(host, port) from (serving.exception() if serving.done() else None)
    finally:
        starting.cancel()
        stopped.cancel()
        server.stop()  # type: ignore[no-untyped-call]
        await _drained(serving)


async def _drained(serving: asyncio.Future[None]) -> None:
    await asyncio.wait((serving,), timeout=DRAIN_S)
    if not serving.done():
        LOG.warning("some requests were not finished after %.0f s and get no response", DRAIN_S)
        # Otherwise the web server's task logs that it was cancelled.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)


async def _listening(host: str, port: int) -> bool:
    """Whether the port accepts connections within the allowed time."""
    deadline = asyncio.get_running_loop().time() + START_S
    while asyncio.get_running_loop().time() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True
        await asyncio.sleep(0.02)
    return False


def _broken(host: str, port: int) -> MarketplaceError:
    message = f"the web server does not serve {host} port {port}"
    return MarketplaceError(
        "internal", message, fix="see the log above; choose another --port if another process uses it now"
    )
