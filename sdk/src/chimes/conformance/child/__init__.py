"""The programs of the child processes in which untrusted code runs while it is judged."""
