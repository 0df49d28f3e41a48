"""The registrations of the plugin."""

from __future__ import annotations

from chimes.hooks import hookimpl
from chimes.registration import Registration
from chimes.resources import Resources


@hookimpl
def chimes_models() -> list[Registration]:
    return [
        Registration(
            name="score",
            summary="A score of two numbers",
            target="acme_lab.model:Score",
            api="chimes.model/1",
            devices=("cpu", "npu"),
            resources=Resources(cpus_per_task=1),
        ),
        Registration(name="echo", summary="The id again", target="acme_lab.model:Echo", api="chimes.model/1"),
        Registration(name="nonsense", summary="No model", target="acme_lab.model:ScoreConfig", api="chimes.model/1"),
    ]


@hookimpl
def chimes_connectors() -> list[Registration]:
    return [
        Registration(
            name="numbers", summary="Numbered rows", target="acme_lab.source:Numbers", api="chimes.connector/1"
        )
    ]


@hookimpl
def chimes_backends() -> list[Registration]:
    return [
        Registration(
            name="bench", summary="Processes of this client", target="acme_lab.bench:Bench", api="chimes.backend/1"
        )
    ]
