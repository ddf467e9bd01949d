"""Architectures, in Go's words (`amd64`), and those whose programs the kernel hands to an emulator."""

from pathlib import Path

BINFMT = Path("/proc/sys/fs/binfmt_misc")
MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}
"""What the kernel calls a machine (uname -m), and what Go and image configs call it."""

_ELF = "7f454c46"
_ELF_MACHINES = {0x3E: "amd64", 0xB7: "arm64"}
"""e_machine of elf(5), at byte 18 of a program."""


def emulated(folder: Path = BINFMT) -> frozenset[str]:
    """The architectures for which an emulator is registered that works in containers as well.

    That needs the flag F: the kernel opened the emulator when it was registered, and looks for it nowhere else (Linux,
    Documentation/admin-guide/binfmt-misc.rst).
    """
    found = set()
    for path in sorted(folder.glob("*")):
        try:
            lines = path.read_text().splitlines()
        except OSError:  # `register` can only be written
            continue
        words = dict(line.partition(" ")[::2] for line in lines)
        magic = words.get("magic", "")
        usable = "enabled" in words and "F" in words.get("flags:", "") and words.get("offset") == "0"
        if usable and magic.startswith(_ELF) and len(magic) >= 40:
            found.add(_ELF_MACHINES.get(int.from_bytes(bytes.fromhex(magic[36:40]), "little"), ""))
    return frozenset(found - {""})
