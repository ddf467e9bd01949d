"""Bytes from a place: URLs and files in, verified streams out.

In: URLs, and what pip is configured with.
Out: streams whose bytes are verified.
"""
