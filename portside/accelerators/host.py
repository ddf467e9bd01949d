"""The machine that a container runs on, as far as Portside looks at it: its file tree, its person, its terminal."""

import os
import platform
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


def is_character_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


@dataclass(frozen=True, slots=True)
class Owner:
    """gid: of the group. mode: the permission bits."""

    gid: int
    mode: int


@dataclass(frozen=True)
class Host:
    """root: where the machine's `/` is. is_node: tells whether a path is a device node; whoever hands over another
    `root` (a test's folder with /dev and /proc made of plain files) says what a node is there.

    user: the person's name. terminal: a person sits at stdin and stdout. described: another machine's data, on which
    nothing can be started. machine: the processor's kind as Linux calls it (`x86_64`). variants: accelerator -> the
    variant of its chips, where no file of the host tells.
    """

    root: Path = Path("/")
    is_node: Callable[[Path], bool] = is_character_device
    user: str = "root"
    terminal: bool = False
    described: bool = False
    variants: Mapping[str, str] = field(default_factory=dict)
    machine: str = field(default_factory=lambda: platform.machine())

    @classmethod
    def here(cls) -> "Host":
        """This machine and the person who runs this process."""
        return cls(user=_user_name(), terminal=sys.stdin.isatty() and sys.stdout.isatty())

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def exists(self, absolute: str) -> bool:
        try:
            return self.path(absolute).exists()
        except OSError:
            return False

    def has_node(self, absolute: str) -> bool:
        return self.is_node(self.path(absolute))

    def is_folder(self, absolute: str) -> bool:
        return self.path(absolute).is_dir()

    def owner(self, absolute: str) -> Owner | None:
        """Whom a file belongs to, None where there is none."""
        try:
            found = self.path(absolute).stat()
        except OSError:
            return None
        return Owner(found.st_gid, stat.S_IMODE(found.st_mode))

    def gid(self, group: str) -> int | None:
        """The number of a group, None where the host has no such group."""
        for line in (self.read("/etc/group") or "").splitlines():
            name, *fields = line.split(":")
            if name == group and len(fields) > 1 and fields[1].isdigit():
                return int(fields[1])
        return None

    def glob(self, pattern: str) -> list[str]:
        """Absolute paths on the host that match a glob, sorted."""
        try:
            found = sorted(self.root.glob(pattern.lstrip("/")))
        except OSError:
            return []
        return [f"/{path.relative_to(self.root).as_posix()}" for path in found]

    def read(self, absolute: str) -> str | None:
        """The text of a small file, None where it cannot be read."""
        try:
            return self.path(absolute).read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None


def _user_name() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
