"""Checks of files: what is asked of a wheel, an sdist or a folder before anything of it is run."""
