"""Canonical layers: one tar from whatever an engine, or we ourselves, put into a layer. See docs/canonical-layer.md."""
