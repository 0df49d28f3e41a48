"""Registers the components of this plugin. Imports only ``chimes``."""

from chimes import Registration, hookimpl


@hookimpl
def chimes_models() -> list[Registration]:
    """The models of this plugin."""
    return [
        Registration(
            name="{{ cookiecutter.component }}",
            summary={{ cookiecutter.__python_summary }},
            target="{{ cookiecutter.__package }}.model:WeightedSum",
            api="chimes.model/1",
            harness="{{ cookiecutter.__package }}.conformance:WeightedSums",
        )
    ]
