"""The package index for pip, uv and twine."""
