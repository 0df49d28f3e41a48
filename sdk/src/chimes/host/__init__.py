"""The guarded side of a call: finds components, checks and converts what goes in and out, blames the right party."""
