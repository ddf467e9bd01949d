"""Declared patches on migrated code: steps that say how many places they change, and stop where that is no longer so.

`models` is how steps stand in a recipe, `apply` carries them out. docs/patches.md describes both for people.

In: a tree and declared steps.
Out: the patched tree, or the step that found other places than it says.
"""
