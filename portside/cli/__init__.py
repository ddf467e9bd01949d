"""In: a command line.
Out: one function of a room called, and its result printed.
"""
