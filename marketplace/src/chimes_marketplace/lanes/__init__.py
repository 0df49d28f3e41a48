"""Lanes: classes of hardware on which plugins are run, the admission of runs to them, and the runs."""
