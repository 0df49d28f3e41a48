"""Finds a pipeline's components and calls into them, so that a plugin's crash has the plugin's name on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import JsonValue

from chimes.context import Context
from chimes.errors import ChimesError, PluginCrashedError, PluginLoadError
from chimes.kinds.component import parse_config
from chimes.kinds.descriptors import KINDS, Kind
from chimes.registry import Listing, Registry

__all__ = ["Part", "calling", "find_part"]

T = TypeVar("T")


@dataclass(frozen=True)
class Part:
    """A component that a pipeline names: where it comes from, its class, its validated configuration."""

    listing: Listing
    target: type[Any]
    config: Any

    @property
    def address(self) -> str:
        """``<distribution>:<component>``."""
        return self.listing.address

    def make(self, context: Context) -> Any:
        """Construct the component."""
        return self.call("the constructor", lambda: self.target(self.config, context))

    def call(self, what: str, step: Callable[[], T], expect: type[T] | None = None) -> T:
        """Call into the plugin; see ``calling``."""
        return calling(what, self.address, step, expect)


def find_part(registry: Registry, kind: Kind, address: str, values: Mapping[str, JsonValue]) -> Part:
    """Find a component and validate its configuration.

    Raises NotFoundError, PluginLoadError, ConfigError, PluginCrashedError.
    """
    listing = registry.get_listing(kind, address)
    target = registry.get_class(kind, address)
    interface = KINDS[kind].load_interface()
    if not (isinstance(target, type) and issubclass(target, interface)):
        raise PluginLoadError(
            f"{listing.registration.target} of {listing.address} is not a {interface.__name__}",
            hint=f"the plugin's author must derive it from chimes.{interface.__name__}",
        )
    return Part(listing, target, calling("the configuration", listing.address, lambda: parse_config(target, values)))


def calling(what: str, address: str, step: Callable[[], T], expect: type[T] | None = None) -> T:
    """What ``step`` returns. Whatever a plugin raises that is no ChimesError becomes PluginCrashedError.

    So does an answer that is not an ``expect``. MemoryError and KeyboardInterrupt pass.
    """
    try:
        answer = step()
    except (ChimesError, MemoryError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise PluginCrashedError(
            f"{what} of {address} raised {type(error).__name__}: {error}",
            hint="report it to the plugin's author, with the traceback",
        ) from error
    if expect is not None and not isinstance(answer, expect):
        raise PluginCrashedError(
            f"{what} of {address} returned a {type(answer).__name__}, not a {expect.__name__}",
            hint="report it to the plugin's author; chimes check finds this",
        )
    return answer
