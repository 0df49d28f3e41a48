"""A plugin with intentional faults."""
