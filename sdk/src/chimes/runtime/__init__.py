"""What runs components: the worker process and pipelines."""
