"""Reads the text formats inside distributions: headers, entry points, headings, licence expressions."""
