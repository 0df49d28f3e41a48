"""The face that pip, uv and twine speak to."""
