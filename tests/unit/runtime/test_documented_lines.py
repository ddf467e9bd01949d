"""Every line of others' documents against ours: what differs has its reason, and no reason is idle."""

import pytest
from runtime_recipes import make_recipe

from portside.accelerators import Host, accelerator_names, load_accelerator
from portside.accelerators.accelerator import AcceleratorProfile
from portside.accelerators.described import as_host, like
from portside.accelerators.facts import DocumentedLine
from portside.engines import RunSpec
from portside.runtime import container_spec, read_intent
from portside.runtime.documented import differing, lines_of, options_of_line, options_of_spec

KNOWN = [load_accelerator(name) for name in accelerator_names()]


def ours(accelerator: AcceleratorProfile, line: DocumentedLine) -> tuple[RunSpec, Host]:
    """What `run-container --dry-run --host like:NxNAME` does for the line's cards, where the host has every way."""
    host = as_host(like(accelerator, line.host, line.variant, "+toolkit+cdi"), Host(user="li"))
    intent = read_intent(
        make_recipe(accelerator=accelerator.name),
        command="true",
        devices=list(line.devices),
        access=line.access,
        rdma=line.rdma,
    )
    return container_spec(intent, host, accelerator=accelerator, warn=lambda text: None), host


@pytest.mark.parametrize(
    ("accelerator", "line"),
    [pytest.param(*pair, id=f"{pair[0].name}-{number}") for number, pair in enumerate(lines_of(KNOWN))],
)
def test_what_is_otherwise_here_has_its_reason(accelerator: AcceleratorProfile, line: DocumentedLine) -> None:
    assert differing(line, options_of_spec(*ours(accelerator, line))) == ([], [])


def test_every_family_has_a_line() -> None:
    assert {accelerator.name for accelerator in KNOWN if not accelerator.documented} == {"cpu"}


def test_lines_are_read_as_docker_reads_them() -> None:
    line = (
        "docker run -itd -u root --privileged=true --device=/dev/a0:/dev/a0:rwm --device /dev/b:/dev/c \\\n"
        "  -v /x/:/y/:ro --mount type=bind,source=/m,target=/n,readonly -e A=b=c --cap-add=cap_sys_nice "
        "--shm-size='16gb' --ulimit memlock=-1:-1 --net=host -p 1:2 --name x IMAGE bash --device /dev/none"
    )
    assert options_of_line(line) == {
        "--privileged",
        "--device /dev/a0",
        "--device /dev/b:/dev/c",
        "--volume /x:/y",
        "--volume /m:/n",
        "--env A=b=c",
        "--cap-add SYS_NICE",
        "--shm-size 17179869184",
        "--ulimit memlock=-1",
        "--network host",
    }


@pytest.mark.parametrize("line", ["docker run --cgroupns host IMAGE", "docker run -x IMAGE", "podman run IMAGE"])
def test_what_is_not_known_is_not_passed_over(line: str) -> None:
    with pytest.raises(ValueError, match="not"):
        options_of_line(line)
