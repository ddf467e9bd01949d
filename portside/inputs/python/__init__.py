"""Python packages: `resolve` finds the wheels of an environment, `exact` one file of one package."""

from portside.inputs.archives import newest_date
from portside.inputs.python.asking import Asking, asking, needed, who_asks, without_unasked
from portside.inputs.python.bindings import bindings
from portside.inputs.python.building import Building, building, tools_asked
from portside.inputs.python.exact import locations, resolve_sdist, resolve_wheel_exact
from portside.inputs.python.file_names import wheel_version
from portside.inputs.python.newer import PassedOver, passed_over
from portside.inputs.python.resolve import resolve_wheels
from portside.inputs.python.vendor_wheel import vendor_wheel

__all__ = [
    "Asking",
    "Building",
    "PassedOver",
    "asking",
    "bindings",
    "building",
    "locations",
    "needed",
    "newest_date",
    "passed_over",
    "resolve_sdist",
    "resolve_wheel_exact",
    "resolve_wheels",
    "tools_asked",
    "vendor_wheel",
    "wheel_version",
    "who_asks",
    "without_unasked",
]
