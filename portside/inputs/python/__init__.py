"""Python packages: `resolve` finds the wheels of an environment, `exact` one file of one package."""

from portside.inputs.archives import newest_date
from portside.inputs.python.exact import locations, resolve_sdist, resolve_wheel_exact
from portside.inputs.python.resolve import resolve_wheels

__all__ = ["locations", "newest_date", "resolve_sdist", "resolve_wheel_exact", "resolve_wheels"]
