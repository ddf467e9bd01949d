"""What recipes ask for, one module a kind.

In: a request of a recipe, or what its lock says.
Out: exact names and hashes, or the bytes in the store.
"""
