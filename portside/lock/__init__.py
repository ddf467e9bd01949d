"""Locks: what a recipe means exactly. `models` is the form, `file` reads and writes it, `resolve` makes it."""
