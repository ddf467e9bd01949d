"""The machine that a container runs on, as far as Portside looks at it: its file tree, its person, its terminal."""

import os
import stat
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


def is_character_device(path: Path) -> bool:
    try:
        return stat.S_ISCHR(path.stat().st_mode)
    except OSError:
        return False


@dataclass(frozen=True)
class Host:
    """root: where the machine's `/` is. is_node: tells whether a path is a device node; whoever hands over another
    `root` (a test's folder with /dev and /proc made of plain files) says what a node is there.

    user: the person's name. terminal: a person sits at stdin and stdout.
    """

    root: Path = Path("/")
    is_node: Callable[[Path], bool] = is_character_device
    user: str = "root"
    terminal: bool = False

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
