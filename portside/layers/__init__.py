"""Canonical layers: one tar from whatever an engine, or we ourselves, put into a layer. See docs/canonical-layer.md.

In: the tar, or the overlay, that an engine made of a step, or a tree.
Out: one canonical tar: the same files give the same bytes.
"""

FORMAT = "canonical layer 1"
"""The version of docs/canonical-layer.md; part of every key, so that a change of the rules changes every key."""
