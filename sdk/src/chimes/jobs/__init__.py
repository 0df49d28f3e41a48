"""What every backend needs on a node: the control folder, the wrapper around a command, its exit record."""
