"""What the kernel says of registered emulators: which of them work in a container."""

from pathlib import Path

import pytest

from portside.engines.emulators import emulated

MAGIC = "7f454c460201010000000000000000000200{}00"
"""An ELF program of 64 bits, as qemu's packages register it; its e_machine is to be filled in."""


def entry(folder: Path, name: str, *, state: str = "enabled", flags: str = "POCF", magic: str) -> None:
    text = f"{state}\ninterpreter /usr/bin/qemu\nflags: {flags}\noffset 0\nmagic {magic}\nmask ff\n"
    (folder / name).write_text(text)


def test_emulators_that_containers_can_use(tmp_path: Path) -> None:
    entry(tmp_path, "any-name", magic=MAGIC.format("b7"))
    (tmp_path / "status").write_text("enabled\n")
    (tmp_path / "register").mkdir()  # nothing that can be read
    assert emulated(tmp_path) == {"arm64"}


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": "POC"},
        {"state": "disabled"},
        {"magic": MAGIC.format("f3")},
        {"magic": "cafebabe" + MAGIC.format("b7")[8:]},
        {"magic": "7f454c46"},
        {"magic": "2f"},
    ],
)
def test_others_do_not_count(tmp_path: Path, changes: dict[str, str]) -> None:
    entry(tmp_path, "qemu-aarch64", **{"magic": MAGIC.format("b7"), **changes})
    assert emulated(tmp_path) == frozenset()


def test_a_kernel_without_them(tmp_path: Path) -> None:
    assert emulated(tmp_path / "nothing") == frozenset()
