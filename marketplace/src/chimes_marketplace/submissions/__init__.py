"""Submissions: the files of one release that are judged together, from upload to verdict."""
