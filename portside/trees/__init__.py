"""In: a plan and the inputs in the store.
Out: the trees that data parts consist of.
"""
