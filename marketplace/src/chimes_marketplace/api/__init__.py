"""The face for programs: JSON."""
