"""What the index knows: projects, releases, files."""
