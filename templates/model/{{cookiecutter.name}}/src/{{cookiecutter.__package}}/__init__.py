"""The distribution {{ cookiecutter.name }}: a Chimes plugin with one model."""
