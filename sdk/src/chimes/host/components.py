"""Finds a pipeline's components and calls them, so that the error of a crash names its plugin."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import JsonValue

from chimes.context import Context
from chimes.errors import ChimesError, PluginCrashedError, PluginLoadError
from chimes.kinds.component import parse_config
from chimes.kinds.descriptors import KINDS, Kind
from chimes.registry import Listing, Registry
from chimes.registry.interrupts import user_interrupts

__all__ = ["Part", "calling", "closing", "find_part"]

T = TypeVar("T")
log = logging.getLogger(__name__)


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

    @contextmanager
    def open(self, context: Context) -> Iterator[Any]:
        """Construct the component, and close it at the end; see ``closing``."""
        component = self.make(context)
        with closing(component, self.address):
            yield component

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


@contextmanager
def closing(resource: Any, what: str) -> Iterator[None]:
    """Close a component, or an iterator that it gave, at the end of the block.

    Raises PluginCrashedError where that fails. An error of the block stays the error: then a failing close is logged.
    """
    try:
        yield
    except GeneratorExit:
        # The reader has enough rows: this is not an error.
        _close(resource, what)
        raise
    except BaseException:
        try:
            _close(resource, what)
        except PluginCrashedError as error:
            log.warning("%s, after another error", error, exc_info=True)
        raise
    _close(resource, what)


def _close(resource: Any, what: str) -> None:
    close = getattr(resource, "close", None)
    if close is None:
        return
    with user_interrupts():
        try:
            close()
        except MemoryError:
            raise
        except BaseException as error:
            raise _crashed(f"close of {what}", error) from error


def calling(what: str, address: str, step: Callable[[], T], expect: type[T] | None = None) -> T:
    """Call ``step`` and return its answer, which must be an ``expect``.

    Raises PluginCrashedError for another answer, and instead of every exception of the plugin that is neither a
    ChimesError nor a MemoryError. The user's Ctrl-C stays a KeyboardInterrupt.
    """
    with user_interrupts():
        try:
            answer = step()
        except (ChimesError, MemoryError, GeneratorExit):
            raise
        except BaseException as error:
            raise _crashed(f"{what} of {address}", error) from error
    if expect is not None and not isinstance(answer, expect):
        raise PluginCrashedError(
            f"{what} of {address} returned a {type(answer).__name__}, not a {expect.__name__}",
            hint="report it to the plugin's author; chimes check finds this",
        )
    return answer


def _crashed(what: str, error: BaseException) -> PluginCrashedError:
    return PluginCrashedError(
        f"{what} raised {type(error).__name__}: {error}", hint="report it to the plugin's author, with the traceback"
    )
