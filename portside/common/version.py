"""The version of Portside, at a place that every room may know."""

__version__ = "0.1.0"
