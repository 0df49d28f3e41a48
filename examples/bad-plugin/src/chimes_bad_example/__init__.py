"""A plugin that is wrong on purpose."""
