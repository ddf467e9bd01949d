"""Portside: reproducible container images for models that are ported to another accelerator."""

__version__ = "0.1.0"
