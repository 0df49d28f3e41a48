"""Guesses types of text, and only those from which every text comes back."""
