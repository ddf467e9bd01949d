"""Fixtures; see first_sight_checkout."""

from first_sight_checkout import here, server  # noqa: F401
