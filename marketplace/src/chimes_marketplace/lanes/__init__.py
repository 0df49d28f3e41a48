"""Lanes: classes of hardware on which plugins are run, who is admitted to them, and the runs themselves."""
