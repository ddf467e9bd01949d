"""In: a plan and a registry.
Out: images and layers pushed there, or pulled from there.
"""
