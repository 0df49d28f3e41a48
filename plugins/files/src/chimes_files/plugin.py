"""Registers the connector of this plugin; imports only ``chimes``."""

from __future__ import annotations

from chimes import Registration, hookimpl

__all__ = ["chimes_connectors"]


@hookimpl
def chimes_connectors() -> list[Registration]:
    """The one connector: ``files``."""
    return [
        Registration(
            name="files",
            summary="Reads Parquet, CSV, Arrow IPC and JSON Lines files, on this machine or behind fsspec.",
            target="chimes_files.connector:FilesConnector",
            harness="chimes_files.conformance:FilesHarness",
            capabilities=("thread_safe",),
            api="chimes.connector/1",
        )
    ]
