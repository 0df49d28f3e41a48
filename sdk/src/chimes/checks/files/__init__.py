"""The checks of files, one module for each topic."""
