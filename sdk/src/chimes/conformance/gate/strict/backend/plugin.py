"""The entry module of the strict reference backend."""

from __future__ import annotations

from chimes import Registration, hookimpl


@hookimpl
def chimes_backends() -> list[Registration]:
    """One backend."""
    return [
        Registration(
            name="strict",
            summary="Processes of this machine, by the interface and nothing more",
            target="chimes_strict_backend.backend:StrictBackend",
            harness="chimes_strict_backend.harness:StrictBackends",
            api="chimes.backend/1",
        )
    ]
