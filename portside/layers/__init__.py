"""Canonical layers: one tar from whatever an engine, or we ourselves, put into a layer. See docs/canonical-layer.md.

In: the tar, or the overlay, that an engine made of a step, or a tree.
Out: one canonical tar: the same files give the same bytes.
"""

FORMAT = "canonical layer 1"
"""The version of docs/canonical-layer.md that bases and data layers are of; part of their keys, so that a change of the
rules that concern them changes these."""
RUN_FORMAT = "canonical layer 2"
"""The version that run layers are of. 2 reads in another way what an engine made, so it concerns these alone."""
