"""What every room may use: values, trees, canonical JSON, progress. It knows no recipe, no lock and no engine.

In: plain values, bytes, files.
Out: the same, checked, sorted and written in one way.
"""
