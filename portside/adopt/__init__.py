"""In: images and layers that somebody else built.
Out: those that the lock proves, counted as built here.
"""
