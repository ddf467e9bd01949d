"""In: a recipe and what a person asks for.
Out: a container with exactly the devices and rights that it needs.
"""

from portside.accelerators import Host
from portside.runtime.intent import Intent, read_intent
from portside.runtime.known import known_image
from portside.runtime.lacking import noted, refuse
from portside.runtime.run import print_command, run_container
from portside.runtime.spec import container_name, container_spec
from portside.runtime.weights import bring_weights, weight_mounts

__all__ = [
    "Host",
    "Intent",
    "bring_weights",
    "container_name",
    "container_spec",
    "known_image",
    "noted",
    "print_command",
    "read_intent",
    "refuse",
    "run_container",
    "weight_mounts",
]
