"""In: a plan and its blobs.
Out: images with their configs, named in the store and in the engine.
"""
