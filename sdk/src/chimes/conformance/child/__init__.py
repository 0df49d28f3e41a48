"""The process in which a plugin runs while it is judged, and the judge's connection to it."""
