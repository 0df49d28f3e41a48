"""The engine of all checks, and the checks of files: of a wheel or an sdist before any of its code is run."""
