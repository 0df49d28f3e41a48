"""The face for people: pages."""
