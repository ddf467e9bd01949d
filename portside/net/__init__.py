"""Bytes from a place: URLs and files in, verified streams out."""
