"""In: models.
Out: the pages of docs/ that are generated from them.
"""
