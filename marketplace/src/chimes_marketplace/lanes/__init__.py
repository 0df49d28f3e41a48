"""The hardware on which plugins are run."""
