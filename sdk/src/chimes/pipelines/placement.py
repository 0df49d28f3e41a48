"""Finds where a model can run: compares its device and the requested resources with a backend's pools."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chimes.errors import DeviceUnavailableError, InfeasibleError, Problem
from chimes.kinds.backend import Inventory, Pool
from chimes.kinds.component import Value
from chimes.resources import AcceleratorRequest, Device, Resources

__all__ = ["Placement", "choose_resources", "find_placements"]


class Placement(Value):
    """A pool that can run the job; ``unknown`` names what the pool does not report."""

    pool: str
    device: str
    unknown: tuple[str, ...] = ()


def choose_resources(
    device: Device, default: Resources, cpus: int | None, memory_bytes: int | None, walltime_s: float | None
) -> Resources:
    """The resources of the job: the pipeline's, else the model's default; one accelerator for its device."""
    accelerators = () if device.kind == "cpu" else (AcceleratorRequest(kinds=(device.kind,)),)
    return Resources(
        cpus_per_task=cpus or default.cpus_per_task,
        memory_bytes_per_task=memory_bytes or default.memory_bytes_per_task,
        accelerators=accelerators,
        walltime_s=walltime_s or default.walltime_s,
    )


def find_placements(
    device: Device, model_devices: Sequence[str], resources: Resources, backend: str, inventory: Inventory
) -> tuple[tuple[Placement, ...], tuple[Problem, ...]]:
    """The pools that can run the model on ``device``, or the problems if there is no such pool."""
    if device.kind not in model_devices:
        known = ", ".join(model_devices)
        problem = Problem(
            code=DeviceUnavailableError.code,
            message=f"the model cannot run on {device.kind}: it supports {known}",
            fix=f'write device = "{model_devices[0]}"' if model_devices else "choose another model",
            where="model.device",
        )
        return (), (problem,)
    reasons = {pool.name: list(_lacks(device, resources, pool)) for pool in inventory.pools}
    feasible = tuple(
        Placement(pool=pool.name, device=device.kind, unknown=tuple(_unknown(resources, pool)))
        for pool in inventory.pools
        if not reasons[pool.name]
    )
    return feasible, () if feasible else (_infeasible(device, model_devices, backend, inventory, reasons),)


def _count(pool: Pool, kind: str) -> int:
    return sum(n for name, n in pool.accelerators.items() if name == kind or name.startswith(f"{kind}."))


def _lacks(device: Device, resources: Resources, pool: Pool) -> Iterator[str]:
    if device.kind != "cpu":
        count = _count(pool, device.kind)
        if count == 0:
            yield f"has no {device.kind}"
        elif count <= device.index:
            yield f"has {count} {device.kind}, {device} is not among them"
    if pool.cpus is not None and pool.cpus < resources.cpus_per_task:
        yield f"has {pool.cpus} cpus, {resources.cpus_per_task} are asked for"
    memory = resources.memory_bytes_per_task
    if memory is not None and pool.memory_bytes is not None and pool.memory_bytes < memory:
        yield f"has {pool.memory_bytes} bytes of memory, {memory} are asked for"
    limit = pool.walltime_limit_s
    if resources.walltime_s is not None and limit is not None and limit < resources.walltime_s:
        yield f"ends jobs after {limit:g} s, {resources.walltime_s:g} s are asked for"


def _unknown(resources: Resources, pool: Pool) -> Iterator[str]:
    if pool.cpus is None:
        yield "cpus"
    if resources.memory_bytes_per_task is not None and pool.memory_bytes is None:
        yield "memory"


def _infeasible(
    device: Device, model_devices: Sequence[str], backend: str, inventory: Inventory, reasons: dict[str, list[str]]
) -> Problem:
    near = "; ".join(f"pool {name} {', '.join(lacks)}" for name, lacks in reasons.items())
    only_device = device.kind != "cpu" and all(
        len(lacks) == 1 and " " + device.kind in lacks[0] for lacks in reasons.values()
    )
    elsewhere = [
        kind
        for kind in model_devices
        if kind != device.kind and any(kind == "cpu" or _count(pool, kind) for pool in inventory.pools)
    ]
    if only_device and reasons:
        fix = f'write device = "{elsewhere[0]}", or choose' if elsewhere else "choose"
        fix, where = f"{fix} another [backend]", "model.device"
    else:
        fix, where = "ask for less under [resources], or choose another [backend]", "resources"
    return Problem(
        code=InfeasibleError.code,
        message=f"cannot run on {device.kind}: {near or f'backend {backend} has no pools'}",
        fix=fix,
        where=where,
    )
