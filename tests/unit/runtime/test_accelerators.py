"""The accelerators that Portside brings, their format, and what a host has of them."""

from pathlib import Path

import pytest
from fake_hosts import (
    ASCEND_VERSION,
    NVIDIA_OPEN_VERSION,
    NVIDIA_VERSION,
    add_mlu,
    fake_host,
    put,
    sixteen,
)

from portside.accelerators import (
    Host,
    accelerator_names,
    control_nodes,
    driver_version,
    find_cards,
    load_accelerator,
    version_fits,
)
from portside.errors import RecipeError
from portside.reference.accelerators import documents

GOOD = """\
name: card
description: a card for tests
cards:
  node: /dev/card{index}
"""


def test_every_accelerator_that_portside_brings_is_valid() -> None:
    assert len(accelerator_names()) == 16
    for name in accelerator_names():
        assert load_accelerator(name).name == name


def test_an_unknown_accelerator_is_named_with_the_nearest_one() -> None:
    with pytest.raises(RecipeError, match="no accelerator 'mlu37'") as caught:
        load_accelerator("mlu37")
    assert "Did you mean 'mlu370'?" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (GOOD + "colour: red\n", "card.yaml:5: colour"),
        (GOOD.replace("{index}", "0"), "card.yaml:4: cards.node: expected a path below /dev with one {index}"),
        (GOOD.replace("/dev/card", "/etc/card"), "expected the path of a device node below /dev"),
        (GOOD.replace("/dev/card", "/dev/../card"), "expected the path of a device node below /dev"),
        (GOOD + "shm_size: 16GB\n", "card.yaml:5: shm_size.size: expected bytes, or a size such as '16GiB'"),
        (GOOD + "ulimits: {memlock: -5}\n", "card.yaml:5: ulimits.memlock"),
        (GOOD + "driver: {file: /proc/x, pattern: 'v(.*)', install: it}\n", "a group (?P<version>…)"),
        (GOOD + "driver: {file: /proc/x, pattern: '(', install: it}\n", "not a regular expression"),
        (GOOD + "visible: {variable: V, numbering: host}\n", "card.yaml:5: visible.numbering"),
        ("name: card\ndescription: none\ncontrol: [{path: /dev/ctl}]\n", "there are none"),
        (GOOD.replace("name: card", "name: other"), "must be called other.yaml"),
    ],
)
def test_a_wrong_accelerator_file_is_refused_with_file_and_line(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "card.yaml").write_text(text)
    with pytest.raises(RecipeError) as caught:
        load_accelerator("card", tmp_path)
    assert complaint in str(caught.value), str(caught.value)
    assert str(tmp_path / "card.yaml") in str(caught.value)


def test_sixteen_cards_are_found_by_number_and_nothing_else_is_a_card(tmp_path: Path) -> None:
    cards = find_cards(load_accelerator("mlu370"), sixteen(tmp_path))
    assert [card.index for card in cards] == list(range(16))
    assert cards[10].node == "/dev/cambricon_dev10"
    assert cards[10].beside == ("/dev/cambricon_ipcm10",)


def test_a_host_without_cards_has_none(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    assert find_cards(load_accelerator("mlu370"), host) == []
    assert driver_version(load_accelerator("mlu370"), host) is None


def test_what_is_no_device_node_is_no_card(tmp_path: Path) -> None:
    add_mlu(tmp_path, [0])
    host = Host(root=tmp_path)  # judges as on a real host: plain files are no nodes
    assert find_cards(load_accelerator("mlu370"), host) == []
    assert control_nodes(load_accelerator("mlu370"), host) == ([], ["/dev/cambricon_ctl"])


def test_real_device_nodes_are_told_from_files(tmp_path: Path) -> None:
    here = Host()
    assert here.has_node("/dev/null")
    assert not here.has_node("/etc/passwd")
    assert not here.has_node("/dev/no-such-node")


def test_optional_control_nodes_are_passed_where_they_are(tmp_path: Path) -> None:
    host = fake_host(tmp_path)
    add_mlu(tmp_path, [0])
    mlu = load_accelerator("mlu370")
    assert control_nodes(mlu, host) == (["/dev/cambricon_ctl"], [])
    put(tmp_path, "/dev/cambricon_gdr")
    assert control_nodes(mlu, host) == (["/dev/cambricon_ctl", "/dev/cambricon_gdr"], [])


@pytest.mark.parametrize(
    ("name", "path", "text", "version"),
    [
        ("cuda", "/proc/driver/nvidia/version", NVIDIA_VERSION, "535.129.03"),
        ("cuda", "/proc/driver/nvidia/version", NVIDIA_OPEN_VERSION, "550.54.15"),
        ("ascend", "/usr/local/Ascend/driver/version.info", ASCEND_VERSION, "24.1.rc1"),
        ("mlu370", "/proc/driver/cambricon/mlus/0000:3b:00.0/information", "Driver Version: v5.10.29\n", "5.10.29"),
        ("mlu370", "/proc/driver/cambricon/mlus/0000:3b:00.0/information", "MCU Version: v1.1.4\n", None),
    ],
)
def test_driver_versions_are_read(tmp_path: Path, name: str, path: str, text: str, version: str | None) -> None:
    host = fake_host(tmp_path)
    put(tmp_path, path, text)
    assert driver_version(load_accelerator(name), host) == version


@pytest.mark.parametrize(
    ("version", "versions", "fits"),
    [
        ("5.10.10", ">=5.10.10", True),
        ("5.10.9", ">=5.10.10", False),
        ("24.1.rc1", ">=23.0", True),
        ("24.1.rc1", ">=24.1", False),
        ("as-shipped", ">=1", None),
    ],
)
def test_versions_against_ranges(version: str, versions: str, fits: bool | None) -> None:
    assert version_fits(version, versions) is fits


def test_the_documents_are_current() -> None:
    docs = Path(__file__).parents[3] / "docs"
    pages = documents()
    for path, text in pages.items():
        assert (docs / path).read_text(encoding="utf-8") == text, "stale: python -m portside.reference.accelerators"
    assert {f"accelerators/{path.name}" for path in (docs / "accelerators").iterdir()} == pages.keys() - {
        "accelerators.md"
    }


@pytest.mark.parametrize("name", accelerator_names())
def test_every_fact_names_its_source(name: str) -> None:
    """But for limits that are ours, which say why. What is said by nobody is no fact."""
    accelerator = load_accelerator(name)
    unsaid = [at for at, fact in accelerator.facts() if not fact.source and not getattr(fact, "why", None)]
    assert unsaid == []
    named = {name for _, fact in accelerator.facts() for name in fact.source}
    own = load_accelerator(accelerator.extends).sources if accelerator.extends else {}
    assert set(accelerator.sources) - set(own) == named - set(own)
