"""The numbers of a card: those in nodes' names, those that other files tell, and those in the container."""

from pathlib import Path
from typing import Any

import pytest
from fake_hosts import fake_host, put
from hypothesis import given
from hypothesis import strategies as st

from portside.accelerators import AcceleratorProfile, Host, find_cards
from portside.accelerators.node_names import as_glob, fill, names_in, read
from portside.accelerators.probe import assumed_card

DRM = "/sys/module/mycard/drivers/pci:mycard/{pci}/drm"
RENDER = {
    "name": "render",
    "description": "cards by their render nodes",
    "cards": {
        "node": "/dev/dri/renderD{render}",
        "find": f"{DRM}/renderD{{render}}",
        "number": "{logical}",
        "like": {"render": 128},
        "beside": [{"path": "/dev/dri/card{card}", "find": f"{DRM}/card{{card}}"}],
    },
}
ADDED = {"name": "added", "description": "a", "cards": {"node": "/dev/card.{index}", "beside": ["/dev/r{128+index}"]}}


@pytest.mark.parametrize(
    ("template", "text", "values"),
    [
        ("/dev/x{index}", "/dev/x12", {"index": "12"}),
        ("/dev/x{index}", "/dev/x012", None),
        ("/dev/x{index}", "/dev/x1mi2", None),
        ("/dev/renderD{128+index}", "/dev/renderD131", {"index": "3"}),
        ("/dev/renderD{index+128}", "/dev/renderD131", {"index": "3"}),
        ("{render-128}", "3", {"render": "131"}),
        ("/dev/renderD{128+index}", "/dev/renderD12", None),
        ("/s/{pci}/c{card}", "/s/0000:3b:00.0/c1", {"pci": "0000:3b:00.0", "card": "1"}),
        ("/s/{pci}/c{card}", "/s/0000:3b:00/c1", None),
        ("/s/*/c{card}", "/s/any.thing/c1", {"card": "1"}),
        ("/s/*/c{card}", "/s/any/thing/c1", None),
        ("/s/a{index}/b{index}", "/s/a1/b1", {"index": "1"}),
        ("/s/a{index}/b{index}", "/s/a1/b2", None),
    ],
)
def test_numbers_are_read_out_of_names(template: str, text: str, values: dict[str, str] | None) -> None:
    assert read(template, text) == values
    if values is not None and "*" not in template:
        assert fill(template, values) == text


@pytest.mark.parametrize("template", ["{", "}", "{}", "{Index}", "{1+index+2}", "{pci+1}", "{index", "{{index}}"])
def test_what_is_no_hole_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        names_in(template)


@given(st.text(), st.integers(0, 10**9))
def test_odd_names_of_files_are_no_cards(text: str, number: int) -> None:
    for template in ("/dev/x{index}", "/dev/renderD{128+index}", "{pci}/a*b{card}"):
        found = read(template, text)
        assert found is None or all(value == str(int(value)) for name, value in found.items() if name != "pci")
    assert read("/dev/r{128+index}", fill("/dev/r{128+index}", {"index": str(number)})) == {"index": str(number)}
    assert as_glob("/dev/r{128+index}") == "/dev/r*"


def drm_host(root: Path, rows: list[tuple[str, int, int]]) -> Host:
    """rows: PCI address, card, render node. The machine's own screen is card0 and renderD128, and no accelerator."""
    host = fake_host(root)
    put(root, "/dev/dri/card0")
    put(root, "/dev/dri/renderD128")
    for pci, card, render in rows:
        for name in (f"card{card}", f"renderD{render}"):
            put(root, f"{DRM.format(pci=pci)}/{name}/uevent")
            put(root, f"/dev/dri/{name}")
    return host


def profile(text: dict[str, Any]) -> AcceleratorProfile:
    return AcceleratorProfile.model_validate(text)


def test_cards_are_looked_up_by_their_addresses(tmp_path: Path) -> None:
    """The order of addresses counts, not that in which the kernel made the nodes."""
    host = drm_host(tmp_path, [("0000:83:00.0", 1, 129), ("0000:03:00.0", 2, 130)])
    cards = find_cards(profile(RENDER), host)
    assert [(card.index, card.node, card.beside) for card in cards] == [
        (0, "/dev/dri/renderD130", ("/dev/dri/card2",)),
        (1, "/dev/dri/renderD129", ("/dev/dri/card1",)),
    ]


def test_a_number_of_a_file(tmp_path: Path) -> None:
    """nvidia-smi counts by addresses, nodes by minor numbers."""
    text = {
        "name": "n",
        "description": "a",
        "cards": {
            "find": "/proc/driver/n/{pci}/information",
            "look": [{"file": "/proc/driver/n/{pci}/information", "pattern": r"^Minor:\s+(?P<minor>\d+)"}],
            "node": "/dev/n{minor}",
            "number": "{minor}",
        },
    }
    host = fake_host(tmp_path)
    for pci, minor in (("0000:01:00.0", 1), ("0000:02:00.0", 0)):
        put(tmp_path, f"/proc/driver/n/{pci}/information", f"Model: x\nMinor: \t{minor}\n")
        put(tmp_path, f"/dev/n{minor}")
    put(tmp_path, "/proc/driver/n/0000:03:00.0/information", "Model: a card without a driver\n")
    cards = find_cards(profile(text), host)
    assert [(card.index, card.node, card.values["logical"]) for card in cards] == [
        (0, "/dev/n0", "1"),
        (1, "/dev/n1", "0"),
    ]


def test_arithmetic(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    for name in ("card.0", "card.3", "r128", "r131", "r130"):
        put(tmp_path, f"/dev/{name}")
    cards = find_cards(profile(ADDED), host)
    assert [card.nodes for card in cards] == [("/dev/card.0", "/dev/r128"), ("/dev/card.3", "/dev/r131")]


def test_a_card_that_no_host_has_is_what_its_number_says() -> None:
    assert assumed_card(profile(RENDER), 4).node == "/dev/dri/renderD132"
    assert assumed_card(profile(ADDED), 4).nodes == ("/dev/card.4",)


@pytest.mark.parametrize(
    ("cards", "complaint"),
    [
        ({"node": "/dev/x{minor}"}, "expected {index}"),
        ({"node": "/dev/x{index}", "beside": ["/dev/r{render}"]}, "nothing tells the number {render}"),
        ({"node": "/dev/x{index}", "number": "{minor}"}, "nothing tells the number {minor}"),
        ({"node": "/dev/x{index}", "beside": [{"path": "/dev/r{c}", "find": "/sys/{c}"}]}, "such as {pci}"),
        ({"node": "/dev/x{index}", "look": [{"file": "/p/{pci}", "pattern": "(?P<a>.)"}]}, "the number {pci}"),
        ({"node": "/dev/x{index}", "parts": {"node": "/dev/y{whole}"}}, "nothing tells the number {whole}"),
    ],
)
def test_a_number_that_nothing_tells_is_refused(cards: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match="Value error") as caught:
        profile({"name": "x", "description": "a", "cards": cards})
    assert complaint in str(caught.value)
