"""In: a command line.
Out: one function of a room called, and its result printed.
"""

from portside.cli.lean import load_invoke

load_invoke()  # before any module of this room imports it
