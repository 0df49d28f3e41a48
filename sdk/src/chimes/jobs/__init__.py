"""The part of a job that every backend needs on a node: control folder, wrapper of the command, exit record."""
