"""Running containers: from a recipe to a container with exactly the devices and rights that it needs."""

from portside.accelerators import Host
from portside.runtime.known import known_image
from portside.runtime.run import print_command, run_container
from portside.runtime.spec import container_name, container_spec
from portside.runtime.weights import weight_mounts

__all__ = ["Host", "container_name", "container_spec", "known_image", "print_command", "run_container", "weight_mounts"]
