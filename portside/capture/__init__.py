"""In: a working folder.
Out: the recipe that gives it.
"""
