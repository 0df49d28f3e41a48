"""The object that knows the installed plugins, and finds components by kind and address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from chimes.errors import NotFoundError, PluginLoadError
from chimes.kinds.descriptors import Kind
from chimes.registry.distributions import find_plugins, normalize
from chimes.registry.loading import import_component, load_plugin
from chimes.registry.plugins import Listing, Plugin

__all__ = ["Registry"]


@dataclass(frozen=True)
class Registry:
    """The plugins that were found. Make one with ``Registry.discover()``; there is no global one."""

    plugins: tuple[Plugin, ...] = field(default=())

    @classmethod
    def discover(cls, path: Iterable[str] | None = None, only: Iterable[str] | None = None) -> Registry:
        """Import the entry modules of the plugins on ``path`` (default: ``sys.path``) in this process.

        ``only`` restricts to these distributions (default: the environment variable CHIMES_PLUGINS, a
        comma-separated list; set but empty means none). An exception of a plugin becomes the failure of its row.
        """
        return cls(tuple(load_plugin(distribution) for distribution in find_plugins(path, only)))

    @property
    def listings(self) -> tuple[Listing, ...]:
        """All components of all plugins."""
        return tuple(listing for plugin in self.plugins for listing in plugin.components)

    def get_listing(self, kind: Kind, address: str) -> Listing:
        """The component at ``address``; raises NotFoundError, or PluginLoadError if it can't be used."""
        distribution, _, name = address.partition(":")
        wanted = f"{normalize(distribution)}:{name}"
        for plugin in self.plugins:
            if plugin.distribution == normalize(distribution) and plugin.failure:
                raise PluginLoadError(
                    f"plugin {plugin.distribution} {plugin.version} did not load: {plugin.failure}",
                    hint="chimes list shows every plugin with its reason",
                )
        for listing in self.listings:
            if listing.address == wanted and listing.kind == kind:
                if listing.failure:
                    raise PluginLoadError(f"{wanted} cannot be used here: {listing.failure}")
                return listing
        known = ", ".join(item.address for item in self.listings if item.kind == kind) or "none"
        raise NotFoundError(f"there is no {kind} {address!r}", hint=f"installed {kind}s: {known}")

    def get_class(self, kind: Kind, address: str) -> type[Any]:
        """Import the component's class; raises NotFoundError, PluginLoadError."""
        target: type[Any] = import_component(self.get_listing(kind, address).registration)
        return target
