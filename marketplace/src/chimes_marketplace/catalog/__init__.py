"""The catalogue: projects, releases, files."""
