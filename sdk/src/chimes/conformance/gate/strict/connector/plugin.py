"""The entry module of the strict reference connector."""

from __future__ import annotations

from chimes import Registration, hookimpl


@hookimpl
def chimes_connectors() -> list[Registration]:
    """One connector."""
    return [
        Registration(
            name="strict",
            summary="Arrow IPC files of one folder, by the interface and nothing more",
            target="chimes_strict_connector.connector:StrictConnector",
            harness="chimes_strict_connector.harness:StrictConnectors",
            api="chimes.connector/1",
        )
    ]
